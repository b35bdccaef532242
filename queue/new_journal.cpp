#include "queue/new_journal.h"

#include "base/encoding.h"
#include "base/sha256.h"

namespace tpf::queue {
namespace {

constexpr std::uint64_t kBatch = 2000;  // lines and rows in one transaction

Status remove_if_there(FileSystem& fs, const Path& path) {
    Status gone = fs.remove_file(path);
    return !gone && gone.error().code() == Code::not_found ? ok() : gone;
}

}  // namespace

Result<NewJournal> NewJournal::make(FileSystem& fs, const Path& path, AuditSink& audit) {
    for (const char* suffix : {"", "-wal", "-shm"}) {
        TPF_TRY(remove_if_there(fs, path.string() + suffix));
    }
    TPF_TRY(auto db, sqlite::Database::open(path));
    // Rows come before the settings that they name where a line of the copy is damaged.
    TPF_TRY(db.execute("PRAGMA foreign_keys=OFF; BEGIN IMMEDIATE"));
    TPF_TRY(store::prepare(db));
    TPF_TRY(audit.prepare(db));
    return NewJournal(std::move(db), audit);
}

Status NewJournal::breathe() {
    if (++changes_ % kBatch != 0) return ok();
    return db_.execute("COMMIT; BEGIN IMMEDIATE");
}

Status NewJournal::put(std::string_view insert, std::string_view key, std::string_view value) {
    TPF_TRY(auto statement, db_.prepare(insert));
    return statement.bind(1, key).bind(2, value).run();
}

Status NewJournal::settings(std::string_view digest, std::string_view json) {
    return put("INSERT INTO settings(digest, json) VALUES(?1, ?2) ON CONFLICT DO NOTHING", digest, json);
}

Status NewJournal::marks(std::string_view sha256, std::string_view base64) {
    return put("INSERT INTO marks(sha256, base64) VALUES(?1, ?2) ON CONFLICT DO NOTHING", sha256, base64);
}

Status NewJournal::day(const DayCount& count) {
    TPF_TRY(auto statement,
            db_.prepare("INSERT INTO persons_day(avsender, day, persons) VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE "
                        "SET persons=max(persons, excluded.persons)"));
    statement.bind(1, count.avsender).bind(2, count.day);
    return statement.bind(3, static_cast<std::int64_t>(count.persons)).run();
}

Result<std::string> NewJournal::pin(std::string_view json) {
    std::string digest = hex(sha256(json));
    TPF_TRY(settings(digest, json));
    return digest;
}

Status NewJournal::name(const MessageRow& row) {
    TPF_TRY(auto statement, db_.prepare("INSERT INTO names(avsender, meldings_id, spool_id, input_sha256) "
                                        "VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING"));
    statement.bind(1, row.name->avsender.str()).bind(2, row.name->meldings_id.view());
    return statement.bind(3, row.id.view()).bind(4, *row.input_sha256).run();
}

Status NewJournal::restore(const WrittenEntry& entry) {
    TPF_TRY(audit_->restore(db_, entry));
    end_ = entry.head;
    return ok();
}

Status NewJournal::append(const AuditEntry& entry, UtcTime now) {
    TPF_TRY(const WrittenEntry written, audit_->append(db_, entry, now));
    end_ = written.head;
    return ok();
}

Status NewJournal::close() {
    TPF_TRY(db_.execute("COMMIT"));
    TPF_TRY(auto statement, db_.prepare("PRAGMA wal_checkpoint(TRUNCATE)"));
    TPF_TRY(const bool row, statement.step());
    if (!row || statement.number(0) != 0) return fail(Code::journal, "the new journal could not be completed");
    return ok();
}

}  // namespace tpf::queue
