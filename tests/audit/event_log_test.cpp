#include "audit/event_log.h"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <fstream>
#include <iterator>

#include "base/encoding.h"
#include "tests/support/places.h"
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
    WrittenEntry last;

    LogFixture() { good(log.prepare(*db)); }

    Status append(const AuditEntry& entry, std::int64_t at = 1800000000) {
        TPF_TRY(auto transaction, sqlite::Transaction::begin(*db));
        TPF_TRY(last, log.append(*db, entry, UtcTime(std::chrono::seconds(at))));
        return transaction.commit();
    }
    void fill(int count) {
        for (int i = 0; i < count; ++i)
            good(append(AuditEntry(AuditKind::claimed, "tpfd").with("n", std::to_string(i))));
    }
    Result<TreeHead> verify_all() {
        CompactRange at;
        while (true) {
            TPF_TRY(const std::uint64_t done, log.verify(*db, at, 3));
            if (done == 0) return head_of(at);
        }
    }
    /// As somebody with write access to the file would.
    void tamper(const std::string& sql) {
        db.reset();
        sqlite3* raw = nullptr;
        REQUIRE(sqlite3_open(path.c_str(), &raw) == SQLITE_OK);
        std::string all;
        for (const char* trigger :
             {"next_only", "no_update", "no_delete", "nodes_next_only", "nodes_no_update", "nodes_no_delete"})
            all += "DROP TRIGGER IF EXISTS audit_" + std::string(trigger) + ";";
        all += sql;
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

    TEST_CASE_FIXTURE(LogFixture, "an entry's bytes and leaf hash are those of the documentation") {
        good(append(AuditEntry(AuditKind::start, "tpfd").with("version", "0.1.0")));
        const std::string bytes =
            R"({"actor":"tpfd","fields":{"version":"0.1.0"},"kind":"start","seq":1,"time":"2027-01-15T08:00:00Z","v":1})";
        CHECK(last.canonical == bytes);
        const std::string expected = hex(sha256(std::string(1, '\0') + bytes));
        CHECK(hex(get(EventLog::list(*db, {}))[0].leaf) == expected);
        CHECK(hex(last.head.root) == expected);
        std::ifstream file(tpf::test::source_folder() / "docs/audit-log.md");
        const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
        CHECK(text.find(bytes) != std::string::npos);
        CHECK(text.find(expected) != std::string::npos);
    }

    TEST_CASE_FIXTURE(LogFixture, "a whole log verifies, step by step, also after reopening") {
        CHECK(get(verify_all()) == TreeHead());
        fill(10);
        db.reset();
        db = get(sqlite::Database::open(path));
        good(log.prepare(*db));
        fill(2);
        CHECK(get(verify_all()) == last.head);
        CHECK(last.head.size == 12);
    }

    TEST_CASE_FIXTURE(LogFixture, "nodes are stored in the order in which leaves complete them") {
        CHECK(node_row(1, 0) == 1);
        CHECK(node_row(1, 1) == 2);
        CHECK(node_row(2, 0) == 3);
        CHECK(node_row(1, 2) == 4);
        CHECK(nodes_of_size(8) == 7);
        CHECK(node_row(3, 0) == 7);
        std::vector<std::uint64_t> rows;
        for (std::uint64_t leaf = 0; leaf < 1000; ++leaf) {
            for (unsigned level = 1; ((leaf + 1) >> level) << level == leaf + 1; ++level)
                rows.push_back(node_row(level, leaf >> level));
            REQUIRE(rows.size() == nodes_of_size(leaf + 1));
        }
        for (std::size_t i = 0; i < rows.size(); ++i) REQUIRE(rows[i] == i + 1);
    }

    TEST_CASE_FIXTURE(LogFixture, "heads of all sizes and all proofs come from the stored nodes") {
        constexpr std::uint64_t kSize = 37;
        std::vector<TreeHead> heads{TreeHead()};
        std::vector<Digest> leaves;
        for (std::uint64_t i = 0; i < kSize; ++i) {
            fill(1);
            heads.push_back(last.head);
            leaves.push_back(leaf_hash(last.canonical));
        }
        StoredNodes nodes(*db);
        for (std::uint64_t size = 0; size <= kSize; ++size) {
            REQUIRE(get(log.head(*db, size)) == heads[size]);
            for (std::uint64_t i = 0; i < size; ++i) {
                REQUIRE(verify_inclusion(leaves[i], i, get(inclusion_proof(nodes, i, size)), heads[size]));
                REQUIRE(verify_consistency(heads[i], heads[size], get(consistency_proof(nodes, i, size))));
            }
        }
        CHECK(log.head(*db, kSize + 1).error().code() == Code::not_found);
        CHECK(get(log.size(*db)) == kSize);
    }

    TEST_CASE_FIXTURE(LogFixture, "any edit in the middle is found, and where") {
        fill(10);
        std::string where = "audit entry 5";
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
        SUBCASE("leaf hash") {
            tamper("UPDATE audit SET leaf=zeroblob(32) WHERE seq=5");
        }
        SUBCASE("no leaf hash") {
            tamper("UPDATE audit SET leaf=x'' WHERE seq=5");
        }
        SUBCASE("a row removed") {
            where = "audit entry 6 stands where entry 5 belongs";
            tamper("DELETE FROM audit WHERE seq=5");
        }
        SUBCASE("the first row removed") {
            where = "audit entry 2 stands where entry 1 belongs";
            tamper("DELETE FROM audit WHERE seq=1");
        }
        SUBCASE("a row before the first") {
            where = "below 1";
            tamper("UPDATE audit SET seq=0 WHERE seq=10; DELETE FROM audit_nodes WHERE id>7");
        }
        SUBCASE("two rows swapped") {
            tamper(
                "UPDATE audit SET seq=100 WHERE seq=5; UPDATE audit SET seq=5 WHERE seq=6; UPDATE audit SET seq=6 "
                "WHERE seq=100");
        }
        SUBCASE("another entry with its own leaf hash") {
            where = "node 2 of level 1 of the audit log's tree (entries 5 to 6) does not follow";
            tamper("UPDATE audit SET actor='ola', leaf=x'" +
                   hex(leaf_hash(R"({"actor":"ola","fields":{"n":"4"},"kind":"claimed","seq":5,)"
                                 R"("time":"2027-01-15T08:00:00Z","v":1})")) +
                   "' WHERE seq=5");
        }
        SUBCASE("a node") {
            where = "node 0 of level 2 of the audit log's tree (entries 1 to 4) does not follow";
            tamper("UPDATE audit_nodes SET hash=zeroblob(32) WHERE id=3");
        }
        SUBCASE("a node removed") {
            where = "node 0 of level 2 of the audit log's tree (entries 1 to 4) is missing";
            tamper("DELETE FROM audit_nodes WHERE id=3");
        }
        SUBCASE("the last node removed") {
            where = "node 4 of level 1 of the audit log's tree (entries 9 to 10) is missing";
            tamper("DELETE FROM audit_nodes WHERE id=8");
        }
        SUBCASE("a node too many") {
            where = "nodes that its 10 entries do not make up";
            tamper("INSERT INTO audit_nodes VALUES(9, zeroblob(32))");
        }
        SUBCASE("the end cut off, but not the tree's") {
            where = "nodes that its 8 entries do not make up";
            tamper("DELETE FROM audit WHERE seq>8");
        }
        const auto verified = verify_all();
        REQUIRE_FALSE(verified.has_value());
        CHECK(verified.error().code() == Code::journal);
        CHECK_MESSAGE(verified.error().text().find(where) != std::string::npos, verified.error().text());
    }

    TEST_CASE_FIXTURE(LogFixture, "a cut end shows only against a head kept elsewhere") {
        fill(10);
        const TreeHead kept = get(verify_all());
        tamper("DELETE FROM audit WHERE seq>8; DELETE FROM audit_nodes WHERE id>7");
        const TreeHead now = get(verify_all());
        CHECK(now.size == 8);
        StoredNodes nodes(*db);
        CHECK(consistency_proof(nodes, kept.size, now.size).error().code() == Code::usage);
    }

    TEST_CASE_FIXTURE(LogFixture, "the database refuses edits") {
        fill(2);
        for (const char* edit : {"UPDATE audit SET actor='x'", "DELETE FROM audit", "UPDATE audit_nodes SET hash=x''",
                                 "DELETE FROM audit_nodes", "REPLACE INTO audit SELECT * FROM audit WHERE seq=2",
                                 "REPLACE INTO audit_nodes SELECT * FROM audit_nodes",
                                 "INSERT INTO audit SELECT 4, time, kind, actor, message, fields, leaf FROM audit",
                                 "INSERT INTO audit_nodes VALUES(3, x'')"}) {
            CAPTURE(edit);
            CHECK_FALSE(db->execute(edit).has_value());
        }
        CHECK(get(verify_all()).size == 2);
    }

    TEST_CASE_FIXTURE(LogFixture, "a transaction that was rolled back leaves the tree whole") {
        fill(3);
        {
            auto transaction = get(sqlite::Transaction::begin(*db));
            static_cast<void>(get(log.append(*db, AuditEntry(AuditKind::stop, "tpfd"), UtcTime())));
        }
        fill(1);
        CHECK(get(verify_all()).size == 4);
    }

    TEST_CASE_FIXTURE(LogFixture, "entries after a head, and only after that one") {
        fill(4);
        const TreeHead middle = last.head;
        fill(5);
        const auto after = get(log.entries(*db, middle, 100));
        REQUIRE(after.size() == 5);
        CHECK(after.back().head == last.head);
        CHECK(get(log.entries(*db, {}, 2)).size() == 2);
        CHECK(get(log.entries(*db, last.head, 2)).empty());
        CHECK(log.entries(*db, {4, last.head.root}, 2).error().code() == Code::journal);
        // Nodes that are damaged, entries that are not.
        tamper("UPDATE audit_nodes SET hash=zeroblob(32) WHERE id=3");
        CHECK(get(log.entries(*db, middle, 100)).back().head == last.head);
        tamper("UPDATE audit SET actor='x' WHERE seq=7");
        CHECK(log.entries(*db, middle, 100).error().text().find("audit entry 7") != std::string::npos);
        CHECK(get(log.entries(*db, middle, 2)).size() == 2);
    }

    TEST_CASE_FIXTURE(LogFixture, "a second log is made of the same entries, and of no others") {
        fill(9);
        const auto all = get(log.entries(*db, {}, 100));
        auto other = get(sqlite::Database::open(folder.path() / "other.db"));
        good(log.prepare(other));
        CHECK(log.follow(other, all[1].canonical).error().code() == Code::journal);
        CHECK(log.restore(other, all[1]).error().code() == Code::journal);
        for (const WrittenEntry& entry : all) {
            const WrittenEntry next = get(log.follow(other, entry.canonical));
            REQUIRE(next.head == entry.head);
            REQUIRE(next.message == entry.message);
            WrittenEntry wrong = next;
            wrong.head.root[0] ^= 1;
            REQUIRE(log.restore(other, wrong).error().code() == Code::journal);
            good(log.restore(other, next));
        }
        CompactRange at;
        CHECK(get(log.verify(other, at, 100)) == 9);
        CHECK(head_of(at) == last.head);
    }

    TEST_CASE_FIXTURE(LogFixture, "entries that cannot be written rightly are refused") {
        const Status twice = append(AuditEntry(AuditKind::start, "tpfd").with("a", "1").with("a", "2"));
        CHECK(twice.error().code() == Code::internal);
        const Status bytes = append(AuditEntry(AuditKind::start, "tpfd").with("a", "\xff"));
        CHECK(bytes.error().code() == Code::internal);
        const Status name = append(AuditEntry(AuditKind::start, "tpfd").with("A", "1"));
        CHECK(name.error().code() == Code::internal);
        const Status actor = append(AuditEntry(AuditKind::start, "\xff"));
        CHECK(actor.error().code() == Code::internal);
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
