#pragma once
// The database that a rebuild fills (queue/journal_rebuild.h). Internal to queue/.

#include <string>
#include <string_view>

#include "base/audit_entry.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/result.h"
#include "base/sqlite.h"
#include "queue/message_row.h"
#include "queue/row_store.h"

namespace tpf::queue {

/// A transaction is open from make() to close(): what a crash leaves of it, make() removes. Not thread-safe.
class NewJournal {
  public:
    static Result<NewJournal> make(FileSystem& fs, const Path& path, AuditSink& audit);
    sqlite::Database& db() { return db_; }
    [[nodiscard]] const TreeHead& end() const { return end_; }

    /// Now and then what was written is committed: a journal may be larger than memory.
    Status breathe();
    Status settings(std::string_view digest, std::string_view json);
    Status marks(std::string_view sha256, std::string_view base64);
    /// They only ever grow.
    Status day(const DayCount& count);
    /// Of settings that are in force now. Its digest.
    Result<std::string> pin(std::string_view json);
    Status name(const MessageRow& row);
    Status restore(const WrittenEntry& entry);
    Status append(const AuditEntry& entry, UtcTime now);
    /// Code::journal: it is not all in one file.
    Status close();

  private:
    NewJournal(sqlite::Database db, AuditSink& audit) : db_(std::move(db)), audit_(&audit) {}
    Status put(std::string_view insert, std::string_view key, std::string_view value);

    sqlite::Database db_;
    AuditSink* audit_;
    TreeHead end_;
    std::uint64_t changes_ = 0;
};

}  // namespace tpf::queue
