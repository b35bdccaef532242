#pragma once
// `tpfctl journal check`: is the journal whole? Pages, every row, names, counts, the whole audit log, the agreement
// with its copy and, where a Spool is given, with what lies in the folders. All that is wrong is told, not only the
// first.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/audit_entry.h"
#include "base/fs.h"
#include "base/result.h"
#include "base/sqlite.h"
#include "queue/spool.h"

namespace tpf::queue {

/// Runs one short question on the database; between two of them commits go on.
using AskDatabase = std::function<Status(const std::function<Status(sqlite::Database&)>&)>;

struct InspectProgress {
    std::string_view part;  ///< "pages", "messages", "names", "audit log", "copy"
    std::uint64_t done = 0;
    std::uint64_t of = 0;  ///< 0: not known
};

struct InspectOrder {
    AskDatabase ask;
    AuditSink& audit;
    FileSystem& fs;
    Path copy;
    /// Largest database whose pages are looked at in one go, bytes: all commits wait for that long.
    std::uint64_t most_page_bytes = std::uint64_t{1} << 62;
    const Spool* spool = nullptr;
    std::function<void(const InspectProgress&)> progress = [](const InspectProgress&) {};
};

struct InspectReport {
    std::uint64_t messages = 0;
    std::uint64_t names = 0;
    std::uint64_t entries = 0;     ///< of the audit log, as far as it is good
    std::uint64_t copy_lines = 0;  ///< whole ones
    TreeHead end;                  ///< of those
    std::uint64_t faults = 0;
    std::uint64_t copy_faults = 0;   ///< of these: damage of the copy alone, while the journal is whole
    std::vector<std::string> some;   ///< the first kMostTold faults: what and where
    std::vector<std::string> notes;  ///< what is no fault, but should be known
    static constexpr std::size_t kMostTold = 50;
    [[nodiscard]] bool good() const noexcept { return faults == 0; }
};

/// Errors are those that keep it from looking (the disk's, Code::locked); damage is in the report.
[[nodiscard]] Result<InspectReport> inspect_journal(const InspectOrder& order);
/// The same for a journal that nobody has open; a missing file is a fault. Changes nothing. Code::locked.
[[nodiscard]] Result<InspectReport> inspect_journal_file(const Path& journal, InspectOrder order);

/// Entries in work, outbox and quarantine that the journal in `db` does not know, as "work/ID".
[[nodiscard]] Result<std::vector<std::string>> unknown_entries(sqlite::Database& db, const Spool::Survey& survey);

}  // namespace tpf::queue
