#pragma once
// What can still be read of a damaged journal: rows that match their digest, audit entries that are the next ones of
// the log, texts that match theirs. Never changes the file. All calls: what cannot be read is left out.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/audit_entry.h"
#include "base/fs.h"
#include "base/sqlite.h"
#include "queue/copy_line.h"

namespace tpf::queue {

class OldJournal {
  public:
    /// A file that is missing, locked or no journal gives nothing; why() says which. Errors: Code::locked;
    /// Code::journal for one that another version of this program wrote: that is whole, but for that one.
    [[nodiscard]] static Result<OldJournal> open(const Path& path, AuditSink& audit);
    /// Why nothing, or not everything, could be read; empty: all of it was.
    [[nodiscard]] const std::string& why() const noexcept { return why_; }

    [[nodiscard]] Status each_row(const std::function<Status(const MessageRow&)>& take);
    /// Up to `limit` entries that follow `from`; fewer than there are where one is damaged.
    [[nodiscard]] std::vector<WrittenEntry> entries(const TreeHead& from, std::size_t limit);
    /// Number of the last entry that there seems to be, whether or not those before it can be read.
    [[nodiscard]] std::uint64_t last_entry();
    [[nodiscard]] std::optional<std::string> settings(std::string_view digest);
    [[nodiscard]] std::optional<std::string> marks(std::string_view sha256);
    [[nodiscard]] std::vector<DayCount> persons_day();
    /// Whoever knows of something else in there takes it; nobody is asked where the file is not a journal.
    [[nodiscard]] Status look(const std::function<Status(sqlite::Database&)>& take) { return db_ ? take(*db_) : ok(); }

  private:
    OldJournal(std::optional<sqlite::Database> db, AuditSink& audit, std::string why)
        : db_(std::move(db)), audit_(&audit), why_(std::move(why)) {}
    [[nodiscard]] std::optional<std::string> text(std::string_view select, std::string_view key);
    /// Rows from `from` on, in order of rowid; how many were passed over until the end or (then `broken`) until
    /// something cannot be read.
    [[nodiscard]] Status some_rows(std::int64_t from, const std::function<Status(const MessageRow&)>& take,
                                   std::int64_t& passed, bool& broken);
    void say(const Error& error);

    std::optional<sqlite::Database> db_;
    AuditSink* audit_;
    std::string why_;
};

}  // namespace tpf::queue
