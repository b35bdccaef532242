#pragma once
// The journal's copy: a second, append-only record of everything that is in the journal's database, from which it can
// be made anew (queue/journal_rebuild.h). After each group commit the journal's thread appends, for each audit entry of
// it, one line with the entry and the rows that changed with it. Format: docs/spool-format.md.
//
// The database is what is durable: the copy is not synced at each commit, only when a segment is closed and at a stop.
// What it lacks after a crash is appended from the database, rows as they are by then. What it has beyond the database,
// or otherwise, is a reason not to start: another journal, or an older one, was put in its place, with which messages
// would be delivered twice.
//
// A copy that cannot be written (full, EIO, no folder) keeps nobody: state() says so, it is logged, and tried again
// every `retry`; what is missing by then is appended in steps between commits.

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/audit_entry.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/result.h"
#include "base/sqlite.h"
#include "queue/copy_segments.h"

namespace tpf::queue {

struct CopySettings {
    Path folder;
    std::uint64_t segment_bytes = std::uint64_t{8} << 20;  ///< a segment that has so much is closed
    std::chrono::seconds retry{30};
};

/// How the copy stands, for `status`.
struct CopyState {
    enum class Kind {
        none,      ///< the journal was opened without one
        current,   ///< it has everything
        catching,  ///< it is being brought up to date
        away,      ///< it cannot be written: see `trouble`
    };
    Kind kind = Kind::none;
    std::uint64_t seq = 0;           ///< the last audit entry in it
    std::optional<Error> trouble{};  ///< away: why
    UtcTime since{};                 ///< away: since when
};
[[nodiscard]] std::string_view to_string(CopyState::Kind kind) noexcept;

/// All calls but state() belong to the thread that has the database.
class JournalCopy {
  public:
    /// All outlive it. The folder is made (0700) where it is missing; its parent exists. Files have mode 0600.
    JournalCopy(FileSystem& fs, AuditSink& audit, const Clock& clock, CopySettings settings);
    ~JournalCopy();
    JournalCopy(const JournalCopy&) = delete;
    JournalCopy& operator=(const JournalCopy&) = delete;

    /// Compares the copy's end with the database and appends the first of what is missing. Code::journal: the copy is
    /// ahead of the database or differs from it (nothing was changed), or the database itself is damaged.
    [[nodiscard]] Status open(sqlite::Database& db);
    /// Inside the transaction, after each change: keeps the line that write() will append.
    [[nodiscard]] Status note(sqlite::Database& db, const WrittenEntry& entry);
    /// The transaction was rolled back.
    void forget();
    /// The transaction is committed.
    void write();
    /// When tick() wants to be called; none: not before the next write().
    [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> due() const;
    /// One step of what open() and write() left to do. Errors as open().
    [[nodiscard]] Status tick(sqlite::Database& db);

    /// Thread-safe.
    [[nodiscard]] CopyState state() const;

  private:
    [[nodiscard]] Status connect(sqlite::Database& db);
    [[nodiscard]] Status prepare_folder();
    [[nodiscard]] Result<CopyEnd> look();
    [[nodiscard]] Status compare(sqlite::Database& db, const CopyEnd& end) const;
    [[nodiscard]] Status continue_after(const CopyEnd& end);
    [[nodiscard]] Status append();
    [[nodiscard]] Status close_segment();
    void go_away(const Error& error);
    void set_state(CopyState::Kind kind);

    FileSystem* fs_;
    AuditSink* audit_;
    const Clock* clock_;
    CopySettings settings_;

    bool connected_ = false;       // the end was found and compared
    bool current_ = false;         // nothing is missing: note() keeps lines
    std::unique_ptr<File> file_;   // the segment being written; null: the next line begins one
    std::uint64_t size_ = 0;       // of it
    bool unsynced_ = false;        // it has bytes that no sync followed
    std::set<std::string> known_;  // digests of settings and marks that stand in it
    std::string pending_;          // lines of the transaction under way
    std::uint64_t pending_first_ = 0;
    TreeHead noted_, written_;
    std::chrono::steady_clock::time_point retry_at_{};

    mutable std::mutex mutex_;
    CopyState state_;
};

}  // namespace tpf::queue
