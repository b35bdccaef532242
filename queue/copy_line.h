#pragma once
// One line of the journal's copy: an audit entry and the rows that changed with it (docs/spool-format.md, "The
// journal's copy"). Written in the writer's thread, read by checks and rebuilds.

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/audit_entry.h"
#include "base/result.h"
#include "base/sqlite.h"
#include "queue/message_row.h"

namespace tpf::queue {

/// Persons committed for a sender on a Norwegian date, as a row of persons_day has it.
struct DayCount {
    std::string avsender;
    std::string day;
    std::uint64_t persons = 0;
};

struct CopyLine {
    std::uint64_t seq = 0;
    std::string root;       ///< of the audit log's tree with this entry as its last one, lower-case hex
    std::string canonical;  ///< the entry; whether it follows the one before is AuditSink::follow's to say
    std::vector<MessageRow> messages;
    std::vector<std::pair<std::string, std::string>> settings;  ///< digest, text
    std::vector<std::pair<std::string, std::string>> marks;     ///< digest, base64
    std::vector<DayCount> persons_day;
};

/// The line, its LF included, for `entry` and the rows that it concerns: its message and that one's duplicates, as they
/// are now in `db`. Settings and marks go along unless `known` has their digest, and are then put there.
/// `all_days`: the day's count too for a message that has gone on since it was committed.
[[nodiscard]] Result<std::string> write_copy_line(sqlite::Database& db, const WrittenEntry& entry,
                                                  std::set<std::string>& known, bool all_days);
/// `line` without its LF. Code::record_damaged: the end mark does not fit, or what it closes is not such a line.
/// Code::journal: a whole line that another version of this program wrote.
[[nodiscard]] Result<CopyLine> parse_copy_line(std::string_view line);
/// Is it whole? Far cheaper than parsing it.
[[nodiscard]] bool copy_line_is_whole(std::string_view line);

}  // namespace tpf::queue
