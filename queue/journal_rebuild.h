#pragma once
// `tpfctl journal rebuild`: a new journal from its copy, from what can still be read of the damaged one, and from the
// spool. Nothing is deleted: what was replaced is kept beside under a name with the time.
//
// The new database is written beside (JOURNAL.rebuilding), checked, synced, and becomes JOURNAL.rebuilt-TIME by one
// rename: from there on a crash leaves the new journal, before it the old. finish_rebuild() then moves the old one with
// its WAL to JOURNAL.damaged-TIME and the new one into its place; a start calls it too.
//
// Rows: of several of one message that with the highest revision. Audit log: the copy's entries, gaps and the end
// filled from the damaged journal; where neither has an entry the log ends there, and what the copy has behind the gap
// is kept aside with it. Names: of all rows that were ever committed. From the spool, what no row knows: an output in
// outbox/ counts as committed, an entry in work/ is claimed anew under the present settings, an entry in quarantine/
// stays there as Code::rebuilt. The first new audit entry says all this (AuditKind::rebuilt); each message from the
// spool has one too.

#include <functional>
#include <string>
#include <vector>

#include "base/audit_entry.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/result.h"
#include "base/sqlite.h"
#include "queue/spool.h"

namespace tpf::queue {

struct RebuildOrder {
    FileSystem& fs;
    AuditSink& audit;
    const Clock& clock;
    Path journal;
    Path copy;
    Spool& spool;          ///< its lock is held by the caller
    std::string settings;  ///< JSON of the settings now in force, for messages from the spool
    std::string operator_name;
    std::string reason;
    /// Which source an entry is from, by its owner; an error where its record names another one: then it is nobody's.
    std::function<Result<std::string>(const InboxEntry&)> source_of;
    /// Takes over what is kept beside the log, as far as it can be read in `from`. Errors are those of `to`.
    std::function<Status(sqlite::Database& from, sqlite::Database& to)> carry_notes =
        [](sqlite::Database&, sqlite::Database&) { return ok(); };
    /// The entry after which a log that lost entries goes by another name: others hold checkpoints of it that cannot be
    /// followed any longer. Without: it keeps its name.
    std::function<Result<AuditEntry>(sqlite::Database& made)> renamed{};
    /// What is being read, and how much of it was.
    std::function<void(std::string_view what, std::uint64_t done)> progress = [](std::string_view, std::uint64_t) {};
};

struct RebuildReport {
    struct FromCopy {
        std::uint64_t messages = 0, entries = 0, damaged_lines = 0;
        std::uint64_t foreign_lines = 0;  ///< that contradict the journal's own log: it went on without its copy
        std::uint64_t last_entry = 0;     ///< 0: there was no copy
    } copy;
    struct FromDatabase {
        std::uint64_t messages = 0;  ///< newer than, or missing in, the copy
        std::uint64_t entries = 0;   ///< of the audit log, as far as they could be read
        std::string trouble;         ///< why it could not be read, or not wholly; empty: it could
    } database;
    struct FromSpool {
        std::uint64_t committed = 0, claimed = 0, quarantined = 0;
    } spool;
    std::uint64_t messages = 0, names = 0, entries = 0;  ///< in the new journal
    std::uint64_t entries_lost_from = 0;                 ///< 0: the audit log is whole
    std::uint64_t entries_lost_to = 0;  ///< those behind it that the copy has are in the copy that was set aside
    std::uint64_t names_twice = 0;      ///< rows of a foreign history left out: their name is another message's
    std::uint64_t settings_lost = 0;    ///< messages that are now pinned to the present settings
    std::uint64_t marks_lost = 0;       ///< messages whose list of persons without a pseudonym is gone
    bool renamed = false;               ///< the log goes on under another origin
    std::vector<std::string> kept;      ///< paths of what was replaced
};

/// Code::locked: somebody has the journal open. Code::journal: what came out is not whole, or another version of this
/// program wrote the journal or its copy; the old one is as it was.
[[nodiscard]] Result<RebuildReport> rebuild_journal(const RebuildOrder& order);

/// Puts a finished rebuild into its place; none there: success. Before the journal is opened, under the spool's lock.
/// Returns what was moved aside.
[[nodiscard]] Result<std::vector<std::string>> finish_rebuild(FileSystem& fs, const Path& journal);

}  // namespace tpf::queue
