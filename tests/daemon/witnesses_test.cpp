// The core's side of witnessing, with a register played here that decides as audit/witness.h does.
#include "daemon/witnesses.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "audit/event_log.h"
#include "base/encoding.h"
#include "daemon/pipeline.h"
#include "daemon/receipts.h"
#include "queue/forward_spool.h"
#include "tests/daemon/core_fixture.h"

namespace tpf::daemon::test {
namespace {

using queue::State;

/// What a register keeps, and how it answers.
struct PlayedRegister {
    audit::WitnessMemory memory{};
    std::string note{};

    bool alarm = false;  ///< it saw by itself that what it is offered does not follow

    /// 201 and what it cosigned last, or 412.
    unsigned take(const std::optional<queue::CheckpointRecord>& sent) {
        if (!sent) return 412;
        const Bytes text = get(from_base64(sent->note));
        const auto opened =
            get(audit::open_note(as_text(text), {"", log_keys(*TestRing::get().ring)}, {}, NoteVerifier()));
        const auto proof = get(audit::parse_proof(sent->proof));
        switch (audit::judge(memory, opened.checkpoint.head, sent->old_size, proof)) {
            case audit::WitnessVerdict::fresh:
                memory.earlier.push_back(memory.newest);
                memory.newest = opened.checkpoint.head;
                note = cosigned(opened.note);
                return 201;
            case audit::WitnessVerdict::known:
                return 201;
            case audit::WitnessVerdict::contradiction:
                alarm = true;
                return 412;
            case audit::WitnessVerdict::stale:
                return 412;
        }
        return 500;
    }
    static std::string cosigned(const std::string& text) {
        auto made = get(audit::SignedNote::parse(text));
        const audit::SignerWith<crypto::SigningKey> signer(TestRing::get().register_signs);
        made.signatures.push_back(get(audit::cosign(made.text, "IPLOS", signer, UtcTime(std::chrono::seconds(7)))));
        return get(made.str());
    }
};

struct WitnessesFixture : CoreFixture {
    Pipeline pipeline{core};
    Receipts receipts{core};
    PlayedRegister reg;

    WitnessesFixture() {
        sink.log().sign_with(signer);
        good(journal->record(audit::origin_entry("tpfd", "unit/tpf/1")));
        good(witnesses.begin({iplos()}));
    }
    SpoolId committed() {
        const SpoolId id = handed_over(submission().build());
        get(pipeline.process(id));
        REQUIRE(row(id).state == State::committed);
        return id;
    }
    std::optional<queue::CheckpointRecord> offered() {
        return get(queue::ForwardSpool::open(fs, at().root))->checkpoint(iplos());
    }
    TreeHead head_of_offer() {
        const auto record = offered();
        REQUIRE(record.has_value());
        const Bytes text = get(from_base64(record->note));
        return get(audit::open_note(as_text(text), {"unit/tpf/1", log_keys(*TestRing::get().ring)}, {}, NoteVerifier()))
            .checkpoint.head;
    }
    /// The forwarder's and the register's part, then the core's.
    void answered(const SpoolId& id, unsigned status, const std::optional<std::string>& note,
                  const std::optional<std::string>& kode = {}) {
        const queue::MessageRow sent = row(id);
        queue::SvarRecord svar{.id = id, .http_status = status, .answered = clock.utc()};
        if (status == 201) {
            const std::string when = "2027-01-15T08:00:00Z";
            svar.status = "mottatt";
            svar.kvittering = "R-1";
            svar.navn = sent.name->str();
            svar.sha256 = *sent.output_sha256;
            svar.mottatt = when;
            svar.signature = base64(TestRing::get().register_signs.sign(crypto::signed_text(
                {"tpf-kvittering-v1", "IPLOS", sent.name->str(), *sent.output_sha256, "mottatt", "R-1", when})));
        }
        svar.kode = kode;
        if (note) svar.sjekkpunkt = base64(as_bytes(*note));
        good(get(queue::ForwardSpool::open(fs, at().root))->hand_over(svar));
        good(receipts.process(id));
    }
    unsigned sent(const SpoolId& id) {
        const unsigned status = reg.take(offered());
        answered(id, status, reg.note.empty() ? std::nullopt : std::optional(reg.note),
                 status == 412 ? std::optional<std::string>("sjekkpunkt-eldre") : std::nullopt);
        return status;
    }
    /// What this log's key signed and the register cosigned, of another log.
    static std::string foreign(const std::string& origin, const TreeHead& head) {
        const audit::SignerWith<crypto::SigningKey> key(get(TestRing::get().ring->signing_key()));
        audit::SignedNote note{get(audit::Checkpoint{origin, head}.str()), {}};
        note.signatures.push_back(get(audit::sign_note(note.text, origin, key)));
        return PlayedRegister::cosigned(get(note.str()));
    }
    /// The register saw more of a log that was this one: the machine went back to an older image.
    void register_goes_on_elsewhere(std::uint64_t entries = 40) {
        reg.memory.earlier.push_back(reg.memory.newest);
        reg.memory.newest = {reg.memory.newest.size + entries, sha256("another log")};
        reg.note = foreign("unit/tpf/1", reg.memory.newest);
    }
    WitnessState state() { return witnesses.states().at(iplos()); }
    std::optional<audit::KeptNote> kept() {
        std::optional<audit::KeptNote> found;
        good(journal->ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(found, audit::newest_note(db, "IPLOS"));
            return ok();
        }));
        return found;
    }
    std::uint64_t entries() {
        std::uint64_t size = 0;
        good(journal->ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(size, sink.size(db));
            return ok();
        }));
        return size;
    }
};

}  // namespace

TEST_SUITE("daemon/witnesses") {
    TEST_CASE_FIXTURE(WitnessesFixture, "the checkpoint that travels covers the message's own entry") {
        for (int i = 0; i < 4; ++i) {
            const SpoolId id = committed();
            CHECK(head_of_offer().size == entries());
            CHECK(sent(id) == 201);
            CHECK(row(id).state == State::delivered);
            CHECK(state().cosigned == reg.memory.newest);
            CHECK(kept()->head == reg.memory.newest);
            CHECK_FALSE(state().offered.has_value());
        }
        CHECK(events(*journal, AuditKind::contradicted) == 0);
    }

    TEST_CASE_FIXTURE(WitnessesFixture, "one offer at a time: messages that overtake each other carry the same one") {
        sent(committed());
        const SpoolId first = committed();
        const auto offer = offered();
        const SpoolId second = committed();
        CHECK(offered()->note == offer->note);
        CHECK(sent(second) == 201);
        CHECK(offered()->note == offer->note);
        CHECK(reg.take(offer) == 201);
        const SpoolId third = committed();
        CHECK(offered()->note != offer->note);
        CHECK(sent(third) == 201);
        // The first one's answer comes last, with what the register holds by then.
        answered(first, 201, reg.note);
        CHECK(state().cosigned == reg.memory.newest);
    }

    TEST_CASE_FIXTURE(WitnessesFixture, "a restart goes on with the offer, or with what is cosigned") {
        sent(committed());
        const SpoolId waiting = committed();
        const auto before = offered();
        Witnesses again(*spool, *journal, *TestRing::get().ring);
        good(again.begin({iplos()}));
        CHECK(offered()->note == before->note);
        CHECK(again.states().at(iplos()).cosigned == reg.memory.newest);
        CHECK(again.states().at(iplos()).offered.has_value());
        // Lost, or touched: made again from what is cosigned.
        REQUIRE(std::filesystem::remove(at().checkpoint_of(iplos())));
        good(again.begin({iplos()}));
        CHECK(sent(waiting) == 201);
    }

    TEST_CASE_FIXTURE(WitnessesFixture, "a register that is further is believed when this log agrees") {
        sent(committed());
        // What the core knew of it is gone: its journal's copy was taken before.
        good(witnesses.offer_from(iplos(), {}));
        const SpoolId id = committed();
        CHECK(sent(id) == 412);
        CHECK(row(id).state == State::committed);
        CHECK(row(id).attempt_code == Code::checkpoint_refused);
        CHECK(sent(id) == 201);
        CHECK(row(id).state == State::delivered);
        CHECK(state().cosigned == reg.memory.newest);
        CHECK_FALSE(state().conflict.has_value());
    }

    TEST_CASE_FIXTURE(WitnessesFixture, "a register that lost its store is offered the whole log") {
        sent(committed());
        reg = {};
        const SpoolId id = committed();
        CHECK(reg.take(offered()) == 412);
        answered(id, 412, std::nullopt, "sjekkpunkt-ny");
        CHECK(offered()->old_size == 0);
        CHECK(sent(id) == 201);
        CHECK(row(id).state == State::delivered);
    }

    TEST_CASE_FIXTURE(WitnessesFixture, "a register without checkpoints is no trouble") {
        for (int i = 0; i < 3; ++i) {
            const SpoolId id = committed();
            CHECK(head_of_offer().size >= 2);
            answered(id, 201, std::nullopt);
            CHECK(row(id).state == State::delivered);
        }
        CHECK_FALSE(kept().has_value());
    }

    TEST_CASE_FIXTURE(WitnessesFixture, "a checkpoint of this log's key that this log does not begin with") {
        sent(committed());
        const SpoolId id = committed();
        const auto signed_by_us = [&](const std::string& origin, std::uint64_t size) {
            return foreign(origin, {size, sha256("another log")});
        };
        std::uint64_t told = 0;
        for (const auto& [origin, size] :
             {std::pair("unit/tpf/1", std::uint64_t{3}), std::pair("unit/tpf/1", std::uint64_t{1} << 40),
              std::pair("unit/tpf/2", std::uint64_t{3})}) {
            for (int again = 0; again < 2; ++again) {
                answered(id, 412, signed_by_us(origin, size), "sjekkpunkt-strid");
                CHECK(row(id).state == State::committed);
                CHECK(row(id).attempt_code == Code::checkpoint_conflict);
                CHECK(state().conflict.has_value());
                CHECK(state().held.size == size);
            }
            CHECK(events(*journal, AuditKind::contradicted) == ++told);
        }
        // Beside a receipt: delivered is delivered, and told of all the same.
        answered(id, 201, signed_by_us("unit/tpf/1", 4));
        CHECK(row(id).state == State::delivered);
        CHECK(events(*journal, AuditKind::contradicted) == ++told);
    }

    TEST_CASE_FIXTURE(WitnessesFixture, "an offer that the register took before: no second message goes with it") {
        sent(committed());
        const SpoolId before = committed();
        const auto offer = offered();
        REQUIRE(reg.take(offer) == 201);
        register_goes_on_elsewhere();
        // The register knows the offer, so it takes the message; its note tells.
        CHECK(sent(before) == 201);
        CHECK(row(before).state == State::delivered);
        CHECK(state().conflict.has_value());
        CHECK(events(*journal, AuditKind::contradicted) == 1);
        for (int again = 0; again < 2; ++again) {
            const SpoolId id = committed();
            CHECK(sent(id) == 412);
            CHECK(row(id).state == State::committed);
            CHECK(row(id).attempt_code == Code::checkpoint_conflict);
        }
        // Also when the core was away in between.
        good(witnesses.begin({iplos()}));
        const SpoolId id = committed();
        CHECK(sent(id) == 412);
        CHECK(row(id).state == State::committed);
        CHECK_FALSE(reg.alarm);
    }

    TEST_CASE_FIXTURE(WitnessesFixture, "a register that is no further than this log is alarmed itself") {
        sent(committed());
        const SpoolId before = committed();
        REQUIRE(reg.take(offered()) == 201);
        register_goes_on_elsewhere(1);
        CHECK(sent(before) == 201);
        CHECK(state().conflict.has_value());
        CHECK(sent(committed()) == 412);
        CHECK(reg.alarm);
    }

    TEST_CASE_FIXTURE(WitnessesFixture, "a log that was rewritten below what is kept: the register is alarmed") {
        sent(committed());
        committed();
        const TreeHead other{entries(), sha256("another log")};
        reg.memory.earlier.push_back(reg.memory.newest);
        reg.memory.newest = other;
        reg.note = foreign("unit/tpf/1", other);
        AuditEntry entry(AuditKind::witnessed, "tpfd");
        entry.witnessed({"IPLOS", other.size, reg.note});
        good(journal->record(entry));
        good(witnesses.begin({iplos()}));
        CHECK(state().conflict.has_value());
        const SpoolId id = committed();
        CHECK(sent(id) == 412);
        CHECK(reg.alarm);
        CHECK(row(id).attempt_code == Code::checkpoint_conflict);
    }

    TEST_CASE_FIXTURE(WitnessesFixture, "an offer that did not arrive is written again") {
        sent(committed());
        for (const auto& note : {std::optional<std::string>(), std::optional<std::string>("no note")}) {
            const SpoolId id = committed();
            REQUIRE(state().offered.has_value());
            REQUIRE(std::filesystem::remove(at().checkpoint_of(iplos())));
            CHECK(reg.take(offered()) == 412);
            answered(id, 412, note, "sjekkpunkt-mangler");
            CHECK(row(id).state == State::committed);
            CHECK(sent(id) == 201);
            CHECK(row(id).state == State::delivered);
        }
        // One that lies there as it was stays the one that is under way.
        const SpoolId id = committed();
        const auto offer = offered();
        answered(id, 412, std::nullopt, "sjekkpunkt-mangler");
        CHECK(offered()->note == offer->note);
    }

    TEST_CASE_FIXTURE(WitnessesFixture, "an offer that the register does not take is made anew") {
        sent(committed());
        const SpoolId id = committed();
        const auto offer = offered();
        answered(id, 412, std::nullopt, "sjekkpunkt-ugyldig");
        CHECK(offered()->note != offer->note);
        CHECK(sent(id) == 201);
    }

    TEST_CASE_FIXTURE(WitnessesFixture, "many answers that ask for the same proof get one offer") {
        sent(committed());
        good(witnesses.offer_from(iplos(), {}));
        const SpoolId first = committed();
        const SpoolId second = committed();
        CHECK(sent(first) == 412);
        const auto offer = offered();
        CHECK(sent(second) == 201);
        // The register takes it meanwhile; an answer to what went with the old one comes late.
        const SpoolId third = committed();
        const auto next = offered();
        CHECK(next->old_size == reg.memory.newest.size);
        answered(first, 412, reg.note, "sjekkpunkt-eldre");
        answered(third, 412, reg.note, "sjekkpunkt-eldre");
        CHECK(offered()->note == next->note);
        // Not when its proof is another than it should be.
        auto torn = *next;
        torn.proof = offer->proof;
        good(spool->write_checkpoint(torn));
        answered(first, 412, reg.note, "sjekkpunkt-strid");
        CHECK(offered()->proof != torn.proof);
        CHECK(sent(first) == 201);
    }

    TEST_CASE_FIXTURE(WitnessesFixture, "what a register that refuses holds is kept each time; its words are not") {
        const SpoolId id = committed();
        for (int more = 0; more < 2; ++more) {
            reg.take(offered());
            answered(id, 412, reg.note, "sjekkpunkt-eldre");
            CHECK(kept()->head == reg.memory.newest);
        }
        const auto attempts = row(id).attempts;
        for (const char* kode : {"a", "b", "c"}) answered(id, 412, std::nullopt, kode);
        CHECK(row(id).attempts == attempts + 1);
    }

    TEST_CASE_FIXTURE(WitnessesFixture, "a kept cosignature of more than this log has is a conflict from the start") {
        sent(committed());
        const TreeHead ahead{entries() + 40, sha256("another log")};
        AuditEntry entry(AuditKind::witnessed, "tpfd");
        entry.witnessed({"IPLOS", ahead.size, foreign("unit/tpf/1", ahead)});
        good(journal->record(entry));
        good(witnesses.begin({iplos()}));
        CHECK(state().conflict.has_value());
        CHECK(state().held == ahead);
        register_goes_on_elsewhere();
        CHECK(sent(committed()) == 412);
    }

    TEST_CASE("a receipt key that was imported twice is one key") {
        TempFolder folder{"/dev/shm"};
        const auto ring = get(crypto::KeyRing::open(posix_file_system(), folder.path() / "keyring", passphrase()));
        const auto day = std::chrono::floor<std::chrono::days>(UtcTime(std::chrono::seconds(1800000000)));
        for (const char* id : {"IPLOS-R", "IPLOS-R-2"}) {
            static_cast<void>(
                get(ring->import({crypto::KeyKind::receipt, get(KeyId::parse(id)), iplos(),
                                  TestRing::get().register_signs.verify_key().pem(), day, day + std::chrono::days(400)},
                                 UtcTime(day))));
        }
        CHECK(ring->receipt_keys(iplos()).size() == 2);
        CHECK(witness_keys(*ring, iplos()).size() == 1);
    }

    TEST_CASE_FIXTURE(WitnessesFixture, "what somebody else says in the register's place is not believed") {
        sent(committed());
        const SpoolId id = committed();
        const WitnessState before = state();
        // Not cosigned by the register; not signed by this log.
        const std::string own(as_text(get(from_base64(offered()->note))));
        answered(id, 412, own, "sjekkpunkt-strid");
        CHECK(state().conflict == before.conflict);
        CHECK(state().cosigned == before.cosigned);
        CHECK(row(id).attempt_code == Code::checkpoint_refused);
        CHECK(state().unusable.has_value());
        answered(id, 201, own);
        CHECK(row(id).state == State::delivered);
        CHECK(state().unusable.has_value());
        CHECK(state().cosigned == before.cosigned);
        CHECK(events(*journal, AuditKind::contradicted) == 0);
        CHECK(sent(committed()) == 201);
        CHECK_FALSE(state().unusable.has_value());
    }
}

}  // namespace tpf::daemon::test
