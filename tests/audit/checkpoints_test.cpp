#include "audit/checkpoints.h"

#include <doctest/doctest.h>

#include <algorithm>

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
    /// In pages, as whoever looks at them has them.
    std::vector<KeptNote> all() {
        std::vector<KeptNote> notes;
        while (true) {
            const auto some = get(kept_notes(db, notes.empty() ? KeptNote{} : notes.back(), 2));
            if (some.empty()) return notes;
            notes.insert(notes.end(), some.begin(), some.end());
        }
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
        CHECK(all().size() == 1);
        good(commit(1, kNow + kDay));
        good(commit(1, kNow + kDay + 5));
        good(commit(1, kNow + 3 * kDay));
        CHECK(all().size() == 3);
        // A clock that was put back: that day's last is another one now.
        good(commit(1, kNow));
        CHECK(all().size() == 3);
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
        CHECK(all().size() == 3);
        good(commit(1, kNow + kDay, WitnessedNote{"IPLOS", 5, get(newest_note(db))->note}));
        CHECK(all().size() == 5);
        CHECK_FALSE(get(newest_note(db, "NPR")).has_value());
    }

    TEST_CASE_FIXTURE(CheckpointFixture, "a cosignature that comes late makes no further row") {
        begin();
        const std::string older = get(newest_note(db))->note;
        good(commit(4));
        good(commit(1, kNow, WitnessedNote{"IPLOS", 5, get(newest_note(db))->note}));
        const auto before = all().size();
        for (int again = 0; again < 3; ++again) good(commit(1, kNow, WitnessedNote{"IPLOS", 1, older}));
        CHECK(all().size() == before);
        CHECK(get(newest_note(db, "IPLOS"))->head.size == 5);
    }

    TEST_CASE_FIXTURE(CheckpointFixture,
                      "under a new origin what was cosigned under the old one stays, and is not used") {
        begin("unit/tpf/1");
        good(commit(3));
        good(commit(1, kNow, WitnessedNote{"IPLOS", 4, get(newest_note(db))->note}));
        const auto before = all();
        begin("unit/tpf/2");
        CHECK_FALSE(get(newest_note(db, "IPLOS")).has_value());
        CHECK_FALSE(get(newest_witnessed(db)).has_value());
        CHECK(get(newest_note(db))->origin == "unit/tpf/2");
        good(commit(1, kNow, WitnessedNote{"IPLOS", 6, get(newest_note(db))->note}));
        CHECK(get(newest_witnessed(db))->origin == "unit/tpf/2");
        // The same day: the old origin's last is the evidence against it.
        const auto now = all();
        CHECK(now.size() == before.size() + 2);
        for (const KeptNote& old : before) {
            CHECK(std::any_of(now.begin(), now.end(), [&](const KeptNote& one) { return one.note == old.note; }));
        }
    }

    TEST_CASE_FIXTURE(CheckpointFixture, "a table of the first form is taken over") {
        begin();
        const std::string first = get(newest_note(db))->note;
        good(commit(3));
        const std::string second = get(newest_note(db))->note;
        good(
            db.execute("DROP TABLE audit_checkpoints; CREATE TABLE audit_checkpoints(witness TEXT NOT NULL, "
                       "size INTEGER NOT NULL, day INTEGER NOT NULL, note TEXT NOT NULL, PRIMARY KEY(witness, size)) "
                       "STRICT, WITHOUT ROWID"));
        for (const auto& [size, note] : {std::pair(4, second), std::pair(1, first)}) {
            good(db.execute("INSERT INTO audit_checkpoints VALUES('IPLOS', " + std::to_string(size) + ", 7, '" + note +
                            "')"));
        }
        good(log.prepare(db));
        good(log.prepare(db));
        REQUIRE(all().size() == 1);
        CHECK(all().front().note == second);
        CHECK(all().front().origin == "unit/tpf/1");
        CHECK(get(newest_note(db, "IPLOS"))->head.size == 4);
    }

    TEST_CASE_FIXTURE(CheckpointFixture, "of each witness the smallest from there on, where the log begins with it") {
        begin();
        for (int i = 0; i < 3; ++i) {
            good(commit(1, kNow + i * kDay));
            const auto now = get(newest_note(db));
            good(commit(1, kNow + i * kDay, WitnessedNote{"IPLOS", now->head.size, now->note}));
        }
        const auto from = [&](std::uint64_t least) {
            std::vector<std::uint64_t> sizes;
            for (const KeptNote& note : get(witnessed_from(db, log, "unit/tpf/1", least)))
                sizes.push_back(note.head.size);
            return sizes;
        };
        const auto kept = get(kept_notes(db, {}, 100));
        std::vector<std::uint64_t> all;
        for (const KeptNote& note : kept) {
            if (note.witness == "IPLOS") all.push_back(note.head.size);
        }
        REQUIRE(all.size() == 3);
        std::sort(all.begin(), all.end());
        CHECK(from(1) == std::vector{all[0]});
        CHECK(from(all[0] + 1) == std::vector{all[1]});
        CHECK(from(all[2] + 1).empty());
        CHECK(get(witnessed_from(db, log, "unit/tpf/2", 1)).empty());
        // Cosigned under this origin, and not of this log: of another one, and larger than this one.
        good(db.execute("UPDATE audit_checkpoints SET size = 1000000 WHERE witness='IPLOS' AND size=" +
                        std::to_string(all[2])));
        CHECK(from(all[1] + 1).empty());
    }

    TEST_CASE_FIXTURE(CheckpointFixture, "another journal takes over what can be read, and names what is held of it") {
        begin();
        good(commit(3));
        good(commit(1, kNow, WitnessedNote{"IPLOS", 4, get(newest_note(db))->note}));
        good(commit(1, kNow + kDay));
        good(db.execute("INSERT INTO audit_checkpoints VALUES('KPR', 'unit/tpf/1', 1, 1, 'x')"));
        auto made = get(sqlite::Database::open(folder.path() / "made.db"));
        good(log.prepare(made));
        good(carry_notes(db, made));
        const auto notes = get(kept_notes(made, {}, 100));
        CHECK(notes.size() == 3);
        // Its own log ends before.
        const UtcTime now{std::chrono::seconds(kNow)};
        static_cast<void>(get(log.append(made, origin_entry("tpfd", "unit/tpf/1"), now)));
        const AuditEntry entry = get(next_origin_entry(made, "kari", "unit/tpf/2"));
        const auto field = [&](std::string_view name) {
            for (const auto& [key, value] : entry.fields()) {
                if (key == name) return value;
            }
            return std::string();
        };
        CHECK(entry.kind() == AuditKind::log_origin);
        CHECK(field("origin") == "unit/tpf/2");
        CHECK(field("previous") == "unit/tpf/1");
        CHECK(field("previous_witness") == "IPLOS");  // its own newest has 6
        CHECK(field("previous_size") == "4");
        static_cast<void>(get(log.append(made, entry, now)));
        CHECK_FALSE(get(newest_note(made, "IPLOS")).has_value());
        // From a file that is no such journal: nothing.
        auto nothing = get(sqlite::Database::open(folder.path() / "nothing.db"));
        good(carry_notes(nothing, made));
        CHECK(get(kept_notes(made, {}, 100)).size() == 3);
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
