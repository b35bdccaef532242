#include "queue/journal_upgrade.h"

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "queue/row_store.h"
#include "tests/queue/fixtures.h"
#include "tests/support/fault_fs.h"

namespace tpf::queue::test {
namespace {

using tpf::test::FaultFs;

struct UpgradeFixture {
    TempFolder folder;
    ManualClock clock;
    SwitchedSink sink;
    Path path = folder.path() / "journal.db";
    Path kept = folder.path() / "journal.db.v2";
    SpoolId delivered = SpoolId::random();

    UpgradeFixture() {
        const auto journal = get(Journal::open(path, sink, clock));
        REQUIRE(get(journal->claim(claim_of(delivered, sender()), entry(AuditKind::claimed))).is_new);
        get(journal->commit_pass(delivered, result_of("melding", name_of(kMeldingsId), 2), std::nullopt,
                                 pass_entries()));
        good(journal->delivered(delivered, {"R-1", "2027-01-15T08:00:01Z"}, entry(AuditKind::delivered)));
    }
    void execute(const char* sql) const {
        sqlite3* db = nullptr;
        REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
        REQUIRE(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
        sqlite3_close(db);
    }
    /// As the program of version 2 left it.
    void make_old() const { execute("DROP TABLE audit_checkpoints; PRAGMA user_version=2"); }
    static std::int64_t version(const Path& file) {
        auto db = get(sqlite::Database::inspect(file));
        return get(store::made(db)).version;
    }
    static std::string content(const Path& file) {
        std::ifstream in(file, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    }
    void check_whole() {
        const auto journal = get(Journal::open(path, sink, clock));
        good(journal->check());
        CHECK(get(journal->find(delivered))->state == State::delivered);
        good(journal->record(entry(AuditKind::start)));
    }
};

}  // namespace

TEST_SUITE("queue/journal_upgrade") {
    TEST_CASE_FIXTURE(UpgradeFixture, "an older journal is brought up to date, and kept as it was") {
        make_old();
        const std::string before = content(path);
        CHECK(code_of(Journal::open(path, sink, clock)) == Code::journal);
        const auto upgraded = get(upgrade_journal(posix_file_system(), path));
        REQUIRE(upgraded.has_value());
        CHECK(upgraded->from == 2);
        CHECK(upgraded->to == store::kVersion);
        CHECK(upgraded->kept == kept);
        CHECK(content(kept) == before);
        CHECK(get(posix_file_system().info(kept)).mode == 0600);
        CHECK(version(kept) == 2);
        CHECK(version(path) == store::kVersion);
        check_whole();
        CHECK_FALSE(get(upgrade_journal(posix_file_system(), path)).has_value());
        CHECK(content(kept) == before);
    }

    TEST_CASE_FIXTURE(UpgradeFixture, "a copy that is there is never written over") {
        make_old();
        std::ofstream(kept) << "of last year";
        const auto upgraded = get(upgrade_journal(posix_file_system(), path));
        REQUIRE(upgraded.has_value());
        CHECK(upgraded->kept == folder.path() / "journal.db.v2-2");
        CHECK(content(kept) == "of last year");
        CHECK(version(upgraded->kept) == 2);
    }

    TEST_CASE_FIXTURE(UpgradeFixture, "what a crashed program left in the write-ahead log is in the copy") {
        make_old();
        // A connection that goes without closing: its log stays.
        sqlite3* db = nullptr;
        REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
        REQUIRE(sqlite3_exec(db,
                             "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;"
                             "INSERT INTO settings(digest, json) VALUES('d', 'late')",
                             nullptr, nullptr, nullptr) == SQLITE_OK);
        const Path dead = folder.path() / "dead";
        std::filesystem::create_directory(dead);
        for (const char* end : {"", "-wal"})
            std::filesystem::copy_file(path.native() + end, (dead / "journal.db").native() + end);
        sqlite3_close(db);
        REQUIRE(std::filesystem::file_size(dead / "journal.db-wal") > 0);
        const auto upgraded = get(upgrade_journal(posix_file_system(), dead / "journal.db"));
        REQUIRE(upgraded.has_value());
        for (const Path& file : {dead / "journal.db", upgraded->kept}) {
            auto look = get(sqlite::Database::inspect(file));
            auto statement = get(look.prepare("SELECT json FROM settings WHERE digest='d'"));
            REQUIRE(get(statement.step()));
            CHECK(statement.text(0) == "late");
        }
    }

    TEST_CASE_FIXTURE(UpgradeFixture, "without room nothing is touched") {
        make_old();
        const std::string before = content(path);
        FaultFs fs(folder.path());
        fs.set_free_bytes(before.size());
        CHECK(code_of(upgrade_journal(fs, path)) == Code::disk_full);
        CHECK(content(path) == before);
        CHECK_FALSE(std::filesystem::exists(kept));
        fs.set_free_bytes(std::nullopt);
        CHECK(get(upgrade_journal(fs, path)).has_value());
    }

    TEST_CASE_FIXTURE(UpgradeFixture, "any failure leaves the old journal, and the next start goes on") {
        make_old();
        const std::string before = content(path);
        for (std::uint64_t n = 1;; ++n) {
            CAPTURE(n);
            FaultFs fs(folder.path());
            fs.fail_at(n, Code::io);
            const auto failed = upgrade_journal(fs, path);
            if (fs.fired().empty()) break;
            CAPTURE(fs.fired());
            REQUIRE_FALSE(failed.has_value());
            CHECK(version(path) == 2);
            CHECK(content(path) == before);
            if (std::filesystem::exists(kept)) CHECK(content(kept) == before);
            const auto upgraded = get(upgrade_journal(posix_file_system(), path));
            REQUIRE(upgraded.has_value());
            CHECK(content(upgraded->kept) == before);
            CHECK_FALSE(std::filesystem::exists(kept.native() + ".half"));
            check_whole();
            for (const auto& file : std::filesystem::directory_iterator(folder.path())) std::filesystem::remove(file);
            std::ofstream(path, std::ios::binary) << before;
        }
        check_whole();
    }

    TEST_CASE_FIXTURE(UpgradeFixture, "a damaged one is not copied and called good") {
        make_old();
        std::string bytes = content(path);
        const std::size_t at = bytes.find("CREATE INDEX messages_due");
        REQUIRE(at != bytes.npos);
        bytes.replace(at, 12, "CREATE XNDEX");
        std::ofstream(path, std::ios::binary) << bytes;
        CHECK(code_of(upgrade_journal(posix_file_system(), path)) == Code::journal);
        CHECK_FALSE(std::filesystem::exists(kept));
    }

    TEST_CASE_FIXTURE(UpgradeFixture, "what is no older journal of ours is left to open()") {
        const std::string before = content(path);
        for (const char* change :
             {"PRAGMA user_version=1", "PRAGMA user_version=99", "PRAGMA application_id=7; PRAGMA user_version=2"}) {
            execute(change);
            CHECK_FALSE(get(upgrade_journal(posix_file_system(), path)).has_value());
            std::ofstream(path, std::ios::binary) << before;
        }
        std::ofstream(path, std::ios::binary) << "short";
        CHECK_FALSE(get(upgrade_journal(posix_file_system(), path)).has_value());
        std::filesystem::remove(path);
        CHECK_FALSE(get(upgrade_journal(posix_file_system(), path)).has_value());
    }
}

}  // namespace tpf::queue::test
