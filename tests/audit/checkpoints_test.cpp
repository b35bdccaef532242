#include "audit/checkpoints.h"

#include <doctest/doctest.h>

#include "audit/event_log.h"
#include "audit/witness.h"
#include "tests/audit/ed25519.h"
#include "tests/support/temp_folder.h"

namespace tpf::audit::test {
namespace {

constexpr std::int64_t kNow = 1800000000;  // 08:00 UTC
constexpr std::int64_t kDay = 86400;

template <class T>
T get(Result<T> result) {
    if (!result) FAIL(result.error().text());
    return std::move(result).value();
}
void good(const Status& status) {
    if (!status) FAIL(status.error().text());
}

struct Keys final : CheckpointSigner {
    std::shared_ptr<const NoteSigner> key = std::make_shared<const TestSigner>(Ed25519Key{1});
    [[nodiscard]] std::shared_ptr<const NoteSigner> signer() const override { return key; }
};

struct CheckpointFixture {
    tpf::test::TempFolder folder;
    sqlite::Database db = get(sqlite::Database::open(folder.path() / "log.db"));
    Keys keys;
    EventLog log;

    CheckpointFixture() { good(log.prepare(db)); }
    /// One transaction with so many entries.
    Status commit(int entries, std::int64_t at = kNow, const std::optional<WitnessedNote>& witnessed = {}) {
        const UtcTime now{std::chrono::seconds(at)};
        TPF_TRY(auto transaction, sqlite::Transaction::begin(db));
        for (int i = 0; i < entries; ++i) {
            AuditEntry entry(AuditKind::claimed, "tpfd");
            if (witnessed) entry.witnessed(*witnessed);
            TPF_TRY(const auto written, log.append(db, entry, now));
            static_cast<void>(written);
        }
        TPF_TRY(log.seal(db, now));
        return transaction.commit();
    }
    void begin(const std::string& origin = "unit/tpf/1") {
        log.sign_with(keys);
        const UtcTime now{std::chrono::seconds(kNow)};
        auto transaction = get(sqlite::Transaction::begin(db));
        static_cast<void>(get(log.append(db, origin_entry("tpfd", origin), now)));
        good(log.seal(db, now));
        good(transaction.commit());
    }
    Checkpoint newest() {
        const auto kept = get(newest_note(db));
        REQUIRE(kept.has_value());
        const LogKeys signers{get(log_origin(db)).value_or(""), {TestSigner(Ed25519Key{1}).public_key()}};
        return get(open_note(kept->note, signers, {}, TestVerifier())).checkpoint;
    }
};

}  // namespace

TEST_SUITE("audit/checkpoints") {
    TEST_CASE_FIXTURE(CheckpointFixture, "no checkpoint without a key, without an origin") {
        good(commit(2));
        CHECK_FALSE(get(newest_note(db)).has_value());
        log.sign_with(keys);
        good(commit(1));
        CHECK_FALSE(get(newest_note(db)).has_value());
        keys.key = nullptr;
        begin();
        CHECK_FALSE(get(newest_note(db)).has_value());
    }

    TEST_CASE_FIXTURE(CheckpointFixture, "each transaction ends in one, over all that is in the log") {
        begin();
        for (int i = 1; i < 9; ++i) {
            good(commit(i));
            const Checkpoint now = newest();
            CHECK(now.origin == "unit/tpf/1");
            CHECK(now.head == get(log.head(db, get(log.size(db)))));
        }
        // Of one day the last is kept.
        CHECK(get(kept_notes(db)).size() == 1);
        good(commit(1, kNow + kDay));
        good(commit(1, kNow + kDay + 5));
        good(commit(1, kNow + 3 * kDay));
        CHECK(get(kept_notes(db)).size() == 3);
        // A clock that was put back loses none.
        good(commit(1, kNow));
        CHECK(get(kept_notes(db)).size() == 4);
        CHECK(newest().head.size == get(log.size(db)));
    }

    TEST_CASE_FIXTURE(CheckpointFixture, "a transaction that was rolled back leaves the checkpoint before it") {
        begin();
        const TreeHead before = newest().head;
        {
            const auto transaction = get(sqlite::Transaction::begin(db));
            const UtcTime now{std::chrono::seconds(kNow)};
            static_cast<void>(get(log.append(db, AuditEntry(AuditKind::claimed, "tpfd"), now)));
            good(log.seal(db, now));
            CHECK(newest().head.size == before.size + 1);
        }
        CHECK(newest().head == before);
    }

    TEST_CASE_FIXTURE(CheckpointFixture, "the newest origin is the log's") {
        begin("unit/tpf/1");
        begin("unit/tpf/2");
        CHECK(get(log_origin(db)) == "unit/tpf/2");
        CHECK(newest().origin == "unit/tpf/2");
        CHECK(new_origin("unit") != new_origin("unit"));
    }

    TEST_CASE_FIXTURE(CheckpointFixture, "what others cosigned is kept, the newest of each and each day's last") {
        begin();
        const std::string note = get(newest_note(db))->note;
        good(commit(1, kNow, WitnessedNote{"IPLOS", 1, note}));
        good(commit(1, kNow, WitnessedNote{"KPR", 1, note}));
        const std::string later = get(newest_note(db))->note;
        good(commit(1, kNow, WitnessedNote{"IPLOS", 3, later}));
        CHECK(get(newest_note(db, "IPLOS"))->head.size == 3);
        CHECK(get(newest_note(db, "KPR"))->head.size == 1);
        CHECK(get(newest_witnessed(db))->witness == "IPLOS");
        CHECK(get(kept_notes(db)).size() == 3);
        good(commit(1, kNow + kDay, WitnessedNote{"IPLOS", 5, get(newest_note(db))->note}));
        CHECK(get(kept_notes(db)).size() == 5);
        CHECK_FALSE(get(newest_note(db, "NPR")).has_value());
    }

    TEST_CASE_FIXTURE(CheckpointFixture, "a damaged note is damage of the journal") {
        begin();
        good(db.execute("UPDATE audit_checkpoints SET note='x'"));
        const auto kept = newest_note(db);
        REQUIRE_FALSE(kept.has_value());
        CHECK(kept.error().code() == Code::journal);
    }
}

}  // namespace tpf::audit::test
