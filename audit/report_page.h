#pragma once
// The report of a period as one HTML file that needs nothing else: no script, nothing fetched, prints, and reads well
// aloud: headings, tables with captions and scopes, plots with title and description whose numbers stand in a table
// too.

#include <string>
#include <utility>
#include <vector>

#include "audit/report_figures.h"

namespace tpf::audit {

/// What was found when the log was checked for this report.
struct ReportVerdict {
    bool good = false;
    std::vector<std::string> faults;
    std::string origin;
    std::uint64_t entries = 0;
    std::string root;                                            ///< base64
    std::string checkpoint;                                      ///< the newest note; empty: none
    std::vector<std::pair<std::string, std::string>> witnessed;  ///< witness, entries that it cosigned last
    std::string lists;                                           ///< of the pseudonym log, in a sentence
};

struct ReportFacts {
    std::string installation;
    bool production = false;
    UtcTime from;
    UtcTime until;  ///< not part of it
    UtcTime made;
    std::string reason;
    ReportVerdict verdict;
};

/// `figures` of all entries from `from` to before `until`; its delays are reordered on the way. A pure function
/// otherwise.
[[nodiscard]] std::string report_page(const ReportFacts& facts, ReportFigures& figures);

}  // namespace tpf::audit
