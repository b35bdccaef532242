#include "audit/event_log.h"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <fstream>
#include <iterator>

#include "base/encoding.h"
#include "tests/support/temp_folder.h"

namespace tpf::audit::test {
namespace {

template <class T>
T get(Result<T> result) {
    if (!result) FAIL(result.error().text());
    return std::move(result).value();
}
void good(const Status& status) {
    if (!status) FAIL(status.error().text());
}

struct LogFixture {
    tpf::test::TempFolder folder;
    std::filesystem::path path = folder.path() / "log.db";
    std::optional<sqlite::Database> db = get(sqlite::Database::open(path));
    EventLog log;

    LogFixture() { good(log.prepare(*db)); }

    Status append(const AuditEntry& entry, std::int64_t at = 1800000000) {
        TPF_TRY(auto transaction, sqlite::Transaction::begin(*db));
        TPF_TRY(const WrittenEntry written, log.append(*db, entry, UtcTime(std::chrono::seconds(at))));
        static_cast<void>(written);
        return transaction.commit();
    }
    void fill(int count) {
        for (int i = 0; i < count; ++i)
            good(append(AuditEntry(AuditKind::claimed, "tpfd").with("n", std::to_string(i))));
    }
    Result<ChainPoint> verify_all() {
        ChainPoint at;
        while (true) {
            TPF_TRY(const ChainPoint next, EventLog::verify(*db, at, 3));
            if (next == at) return at;
            at = next;
        }
    }
    /// As somebody with write access to the file would.
    void tamper(const std::string& sql) {
        db.reset();
        sqlite3* raw = nullptr;
        REQUIRE(sqlite3_open(path.c_str(), &raw) == SQLITE_OK);
        const std::string all = "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete; " + sql;
        REQUIRE(sqlite3_exec(raw, all.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
        sqlite3_close(raw);
        db = get(sqlite::Database::open(path));
    }
};

}  // namespace

TEST_SUITE("audit/event_log") {
    TEST_CASE_FIXTURE(LogFixture, "entries are read as they were written, fields sorted") {
        const SpoolId id = SpoolId::random();
        good(append(AuditEntry(AuditKind::quarantined, "kari")
                        .message(id)
                        .with("code", "IKKE_XML")
                        .with("alder", std::uint64_t{7})));
        const auto events = get(EventLog::list(*db, {}));
        REQUIRE(events.size() == 1);
        CHECK(events[0].seq == 1);
        CHECK(events[0].kind == "quarantined");
        CHECK(events[0].actor == "kari");
        CHECK(events[0].message == id);
        CHECK(events[0].fields == R"({"alder":"7","code":"IKKE_XML"})");
    }

    TEST_CASE_FIXTURE(LogFixture, "the chain is the one of the documentation") {
        good(append(AuditEntry(AuditKind::start, "tpfd").with("version", "0.1.0")));
        Sha256 digest;
        digest.update(std::string_view("tpf-audit-v0\0", 13));
        digest.update(Digest{});
        digest.update(
            R"({"actor":"tpfd","fields":{"version":"0.1.0"},"kind":"start","seq":1,"time":"2027-01-15T08:00:00Z"})");
        const std::string expected = hex(digest.finish());
        CHECK(get(EventLog::list(*db, {}))[0].hash == expected);
        std::ifstream file(std::string(TPF_SOURCE_DIR) + "/docs/spool-format.md");
        const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
        CHECK(text.find(expected) != std::string::npos);
    }

    TEST_CASE_FIXTURE(LogFixture, "a whole log verifies, step by step, also after reopening") {
        fill(10);
        db.reset();
        db = get(sqlite::Database::open(path));
        good(log.prepare(*db));
        fill(2);
        CHECK(get(verify_all()).seq == 12);
    }

    TEST_CASE_FIXTURE(LogFixture, "any edit in the middle is found") {
        fill(10);
        SUBCASE("time") {
            tamper("UPDATE audit SET time=time+1 WHERE seq=5");
        }
        SUBCASE("kind") {
            tamper("UPDATE audit SET kind='start' WHERE seq=5");
        }
        SUBCASE("actor") {
            tamper("UPDATE audit SET actor='ola' WHERE seq=5");
        }
        SUBCASE("message") {
            tamper("UPDATE audit SET message='7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11' WHERE seq=5");
        }
        SUBCASE("fields") {
            tamper("UPDATE audit SET fields='{\"n\":\"9\"}' WHERE seq=5");
        }
        SUBCASE("white space in fields") {
            tamper("UPDATE audit SET fields='{ \"n\":\"4\"}' WHERE seq=5");
        }
        SUBCASE("a field twice") {
            tamper("UPDATE audit SET fields='{\"n\":\"x\",\"n\":\"4\"}' WHERE seq=5");
        }
        SUBCASE("hash") {
            tamper("UPDATE audit SET hash=upper(hash) WHERE seq=5");
        }
        SUBCASE("a row removed") {
            tamper("DELETE FROM audit WHERE seq=5");
        }
        SUBCASE("the first row removed") {
            tamper("DELETE FROM audit WHERE seq=1");
        }
        SUBCASE("two rows swapped") {
            tamper(
                "UPDATE audit SET seq=100 WHERE seq=5; UPDATE audit SET seq=5 WHERE seq=6; UPDATE audit SET seq=6 "
                "WHERE seq=100");
        }
        const auto verified = verify_all();
        REQUIRE_FALSE(verified.has_value());
        CHECK(verified.error().code() == Code::journal);
    }

    TEST_CASE_FIXTURE(LogFixture, "a cut end shows only against a point kept elsewhere") {
        fill(10);
        const ChainPoint kept = get(verify_all());
        tamper("DELETE FROM audit WHERE seq>8");
        const ChainPoint now = get(verify_all());
        CHECK(now.seq == 8);
        CHECK(now != kept);
    }

    TEST_CASE_FIXTURE(LogFixture, "the database refuses edits") {
        fill(2);
        CHECK_FALSE(db->execute("UPDATE audit SET actor='x'").has_value());
        CHECK_FALSE(db->execute("DELETE FROM audit").has_value());
        CHECK(get(verify_all()).seq == 2);
    }

    TEST_CASE_FIXTURE(LogFixture, "a transaction that was rolled back leaves the chain whole") {
        fill(2);
        {
            auto transaction = get(sqlite::Transaction::begin(*db));
            static_cast<void>(get(log.append(*db, AuditEntry(AuditKind::stop, "tpfd"), UtcTime())));
        }
        fill(1);
        CHECK(get(verify_all()).seq == 3);
    }

    TEST_CASE_FIXTURE(LogFixture, "entries that cannot be written rightly are refused") {
        const Status twice = append(AuditEntry(AuditKind::start, "tpfd").with("a", "1").with("a", "2"));
        CHECK(twice.error().code() == Code::internal);
        const Status bytes = append(AuditEntry(AuditKind::start, "tpfd").with("a", "\xff"));
        CHECK(bytes.error().code() == Code::internal);
        CHECK(get(EventLog::list(*db, {})).empty());
    }

    TEST_CASE_FIXTURE(LogFixture, "filters") {
        const SpoolId id = SpoolId::random();
        good(append(AuditEntry(AuditKind::start, "tpfd"), 100));
        good(append(AuditEntry(AuditKind::claimed, "tpfd").message(id), 200));
        good(append(AuditEntry(AuditKind::discarded, "kari").message(id), 300));
        const auto count = [this](const EventFilter& filter) { return get(EventLog::list(*db, filter)).size(); };
        const auto at = [](std::int64_t s) { return UtcTime(std::chrono::seconds(s)); };
        CHECK(count({}) == 3);
        CHECK(count({.after = 1}) == 2);
        CHECK(count({.from = at(200)}) == 2);
        CHECK(count({.until = at(200)}) == 1);
        CHECK(count({.kind = AuditKind::claimed}) == 1);
        CHECK(count({.actor = "kari"}) == 1);
        CHECK(count({.message = id}) == 2);
        CHECK(count({.limit = 1}) == 1);
        const auto newest = get(EventLog::list(*db, {.limit = 1, .newest_first = true}));
        CHECK(newest[0].seq == 3);
    }
}

}  // namespace tpf::audit::test
