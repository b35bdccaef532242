#include "queue/journal.h"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <limits>

#include "tests/queue/fixtures.h"

namespace tpf::queue::test {
namespace {

struct JournalFixture {
    TempFolder folder;
    ManualClock clock;
    SwitchedSink sink;
    Path path = folder.path() / "journal.db";
    std::unique_ptr<Journal> journal = get(Journal::open(path, sink, clock));

    void reopen() {
        journal.reset();
        journal = get(Journal::open(path, sink, clock));
    }
    SpoolId claimed(std::optional<Avsender> from = sender()) {
        const SpoolId id = SpoolId::random();
        REQUIRE(get(journal->claim(claim_of(id, std::move(from)), entry(AuditKind::claimed))).is_new);
        return id;
    }
    SpoolId committed(std::string_view input = "melding", const char* meldings_id = kMeldingsId) {
        const SpoolId id = claimed();
        REQUIRE(pass(id, input, meldings_id).kind == PassOutcome::Kind::committed);
        return id;
    }
    PassOutcome pass(const SpoolId& id, std::string_view input, const char* meldings_id = kMeldingsId,
                     std::optional<std::uint64_t> limit = std::nullopt, std::uint64_t persons = 2) {
        return get(journal->commit_pass(id, result_of(input, name_of(meldings_id), persons), limit, pass_entries()));
    }
    Status quarantine(const SpoolId& id, Code code, std::optional<std::string> digest = std::nullopt) {
        return journal->quarantine(id, {.code = code, .reason = "test", .input_sha256 = std::move(digest)},
                                   entry(AuditKind::quarantined));
    }
    Status retry(const SpoolId& id, std::string_view settings = R"({"versjon":2})") {
        return journal->retry(id, settings, AuditEntry(AuditKind::retried, "kari"));
    }
    Status discard(const SpoolId& id) { return journal->discard(id, AuditEntry(AuditKind::discarded, "kari")); }
    Status delivered(const SpoolId& id) {
        return journal->delivered(id, {"R-1", "2027-01-15T08:00:01Z"}, entry(AuditKind::delivered));
    }
    MessageRow row(const SpoolId& id) {
        auto found = get(journal->find(id));
        REQUIRE(found.has_value());
        return std::move(*found);
    }
    State state(const SpoolId& id) { return row(id).state; }
    /// Changes the closed database behind the journal's back.
    void tamper(const char* sql) {
        journal.reset();
        sqlite3* db = nullptr;
        REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
        REQUIRE(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
        sqlite3_close(db);
        journal = get(Journal::open(path, sink, clock));
    }
};

}  // namespace

TEST_SUITE("queue/journal") {
    TEST_CASE_FIXTURE(JournalFixture, "one message's life is there after reopening, each step with its entry") {
        const SpoolId id = claimed();
        CHECK(state(id) == State::claimed);
        CHECK(get(journal->settings(row(id).settings)) == R"({"versjon":1})");
        CHECK(pass(id, "melding").kind == PassOutcome::Kind::committed);
        good(delivered(id));
        const MessageRow before = row(id);
        good(journal->answered(id, before.revision, entry(AuditKind::answered)));
        good(journal->payloads_removed(id, entry(AuditKind::removed)));
        reopen();
        const MessageRow after = row(id);
        CHECK(after.state == State::delivered);
        CHECK(after.name == name_of(kMeldingsId));
        CHECK(after.to == iplos());
        CHECK(after.persons == 2);
        CHECK(after.marked == 1);
        CHECK(get(journal->marks(after)) == marks_of({{1, PersonMarks::Kode::e31}}));
        CHECK(after.sender == sender());
        CHECK(after.output_sha256 == digest_of("ut:melding"));
        CHECK(after.register_kvittering == "R-1");
        CHECK(after.register_mottatt == "2027-01-15T08:00:01Z");
        CHECK(after.removed == clock.utc());
        CHECK_FALSE(after.answer_due);
        CHECK(events(*journal) == 5);
        good(journal->check());
    }

    TEST_CASE_FIXTURE(JournalFixture, "a million persons without a pseudonym: all kept, and no row the larger for it") {
        PassResult result = result_of("melding", name_of(kMeldingsId), 1'000'000);
        result.marked = {};
        for (std::uint64_t person = 1; person <= 1'000'000; ++person)
            result.marked.mark(person, PersonMarks::Kode::e31);
        const SpoolId id = claimed();
        CHECK(get(journal->commit_pass(id, result, {}, pass_entries())).kind == PassOutcome::Kind::committed);
        reopen();
        CHECK(row(id).marked == 1'000'000);
        CHECK(get(journal->marks(row(id))) == result.marked);
        good(journal->check());
    }

    TEST_CASE_FIXTURE(JournalFixture, "marks that are not those of their message are damage") {
        const SpoolId id = claimed();
        pass(id, "melding");
        tamper("UPDATE marks SET base64='AQ=='");  // one bit: E30 where E31 was
        CHECK(code_of(journal->marks(row(id))) == Code::journal);
        reopen();
        CHECK(code_of(journal->check()) == Code::journal);
        tamper("DELETE FROM marks");
        CHECK(code_of(journal->marks(row(id))) == Code::journal);
    }

    TEST_CASE_FIXTURE(JournalFixture, "due answers behind one that was seen") {
        std::vector<SpoolId> ids;
        for (int i = 0; i < 5; ++i) {
            ids.push_back(claimed());
            good(quarantine(ids.back(), Code::not_xml));
        }
        std::sort(ids.begin(), ids.end());  // all received at the same time
        const auto first = get(journal->answers_due(2));
        REQUIRE(first.size() == 2);
        CHECK(first[1].id == ids[1]);
        const auto rest = get(journal->answers_due(10, &first[1]));
        REQUIRE(rest.size() == 3);
        CHECK(rest[0].id == ids[2]);
        CHECK(get(journal->answers_due(10, &rest[2])).empty());
    }

    TEST_CASE_FIXTURE(JournalFixture, "a claim of a known id changes nothing and logs nothing") {
        const SpoolId id = claimed();
        CHECK_FALSE(get(journal->claim(claim_of(id), entry(AuditKind::claimed))).is_new);
        CHECK(events(*journal) == 1);
    }

    TEST_CASE_FIXTURE(JournalFixture, "steps that the state machine does not have are refused and leave nothing") {
        const SpoolId id = claimed();
        CHECK(code_of(delivered(id)) == Code::internal);
        CHECK(code_of(retry(id)) == Code::usage);
        CHECK(code_of(discard(id)) == Code::usage);
        CHECK(code_of(journal->payloads_removed(id, entry(AuditKind::removed))) == Code::internal);
        CHECK(pass(id, "melding").kind == PassOutcome::Kind::committed);
        CHECK(code_of(journal->commit_pass(id, result_of("melding", name_of(kMeldingsId)), {}, pass_entries())) ==
              Code::internal);
        good(delivered(id));
        CHECK(code_of(delivered(id)) == Code::internal);
        CHECK(code_of(quarantine(id, Code::register_refused)) == Code::internal);
        CHECK(code_of(retry(id)) == Code::usage);
        CHECK(code_of(retry(SpoolId::random())) == Code::not_found);
        CHECK(events(*journal) == 3);
    }

    TEST_CASE_FIXTURE(JournalFixture,
                      "each change, made at another time than the claim, leaves a row that fits its digest") {
        const auto later = [this](Status status) {
            good(status);
            clock.advance_utc(std::chrono::seconds(1));
        };
        const SpoolId id = claimed();
        clock.advance_utc(std::chrono::seconds(1));
        later(journal->note_attempt(id, Code::io, "test", entry(AuditKind::claimed)));
        later(quarantine(id, Code::wrong_root));
        later(retry(id));
        CHECK(pass(id, "melding").kind == PassOutcome::Kind::committed);
        later(quarantine(id, Code::register_refused));
        later(retry(id));
        CHECK(pass(id, "melding").kind == PassOutcome::Kind::committed);
        later(delivered(id));
        later(journal->answered(id, row(id).revision, entry(AuditKind::answered)));
        later(journal->payloads_removed(id, entry(AuditKind::removed)));
        CHECK(state(id) == State::delivered);
        const SpoolId other = claimed();
        clock.advance_utc(std::chrono::seconds(1));
        later(journal->mark_duplicate(other, id, *row(id).input_sha256, entry(AuditKind::duplicate)));
        CHECK(state(other) == State::duplicate);
        const SpoolId refused = claimed();
        clock.advance_utc(std::chrono::seconds(1));
        later(quarantine(refused, Code::wrong_root));
        later(discard(refused));
        good(journal->check());
    }

    TEST_CASE("the state machine, all pairs") {
        const std::string legal[] = {"claimed committed",   "claimed quarantined",   "claimed held",
                                     "claimed duplicate",   "committed delivered",   "committed quarantined",
                                     "quarantined claimed", "quarantined discarded", "held claimed",
                                     "held discarded"};
        int count = 0;
        for (const State from : kStates) {
            CHECK(parse_state(to_string(from)) == from);
            for (const State to : kStates) {
                const std::string step = std::string(to_string(from)) + " " + std::string(to_string(to));
                const bool expected = std::find(std::begin(legal), std::end(legal), step) != std::end(legal);
                CHECK_MESSAGE(may_become(from, to) == expected, step);
                count += may_become(from, to) ? 1 : 0;
            }
        }
        CHECK(count == 10);
    }

    TEST_CASE_FIXTURE(JournalFixture,
                      "same name, same bytes: a duplicate; other bytes: a conflict that changes nothing") {
        const SpoolId first = committed("melding");
        const SpoolId again = claimed();
        const PassOutcome same = pass(again, "melding");
        CHECK(same.kind == PassOutcome::Kind::duplicate);
        CHECK(same.other == first);
        CHECK(state(again) == State::duplicate);
        CHECK(row(again).removed.has_value());
        CHECK(get(journal->duplicates_of(first)).size() == 1);
        const SpoolId other = claimed();
        const auto before = events(*journal);
        const PassOutcome conflict = pass(other, "annen melding");
        CHECK(conflict.kind == PassOutcome::Kind::conflict);
        CHECK(conflict.other == first);
        CHECK(state(other) == State::claimed);
        CHECK(events(*journal) == before);
        good(quarantine(other, Code::id_reused));
        CHECK(events(*journal, AuditKind::duplicate) == 1);
        // The counter of persons saw one message.
        CHECK(get(journal->persons_on(sender(), norwegian_date(clock.utc()))) == 2);
    }

    TEST_CASE_FIXTURE(JournalFixture, "bytes seen before are found, but only for the sender who sent them") {
        const SpoolId first = committed("melding");
        const std::string digest = digest_of("melding");
        CHECK(get(journal->find_by_input_digest(digest, sender()))->id == first);
        CHECK_FALSE(get(journal->find_by_input_digest(digest, other_sender())).has_value());
        CHECK_FALSE(get(journal->find_by_input_digest(digest, std::nullopt)).has_value());
        CHECK_FALSE(get(journal->find_by_input_digest(digest_of("annen"), sender())).has_value());
        const SpoolId again = claimed();
        good(journal->mark_duplicate(again, first, digest, entry(AuditKind::duplicate)));
        CHECK(get(journal->find_by_input_digest(digest, sender()))->id == first);
        const SpoolId stranger = claimed(other_sender());
        CHECK(code_of(journal->mark_duplicate(stranger, first, digest, entry(AuditKind::duplicate))) == Code::internal);
        CHECK(code_of(journal->mark_duplicate(claimed(), again, digest, entry(AuditKind::duplicate))) ==
              Code::internal);
        CHECK(code_of(journal->mark_duplicate(claimed(), first, digest_of("x"), entry(AuditKind::duplicate))) ==
              Code::internal);
    }

    TEST_CASE_FIXTURE(JournalFixture, "of several with the same bytes, the one that came furthest") {
        const SpoolId bad = claimed();
        good(quarantine(bad, Code::unknown_key, digest_of("melding")));
        CHECK(get(journal->find_by_input_digest(digest_of("melding"), sender()))->id == bad);
        const SpoolId fine = committed("melding");
        CHECK(get(journal->find_by_input_digest(digest_of("melding"), sender()))->id == fine);
    }

    TEST_CASE_FIXTURE(JournalFixture, "damaged bytes never answer for those that were sent") {
        const SpoolId id = claimed();
        good(quarantine(id, Code::record_damaged, digest_of("skadet")));
        CHECK_FALSE(row(id).input_sha256.has_value());
        CHECK_FALSE(get(journal->find_by_input_digest(digest_of("skadet"), sender())).has_value());
    }

    TEST_CASE_FIXTURE(JournalFixture,
                      "over its persons per day a sender is held, until an operator releases the message") {
        const SpoolId first = claimed();
        CHECK(pass(first, "en", kMeldingsId, 5, 3).kind == PassOutcome::Kind::committed);
        const SpoolId second = claimed();
        CHECK(pass(second, "to", kOtherMeldingsId, 5, 3).kind == PassOutcome::Kind::held);
        CHECK(state(second) == State::held);
        CHECK(row(second).code == Code::on_hold);
        CHECK_FALSE(get(journal->find_by_name(name_of(kOtherMeldingsId))).has_value());
        CHECK(get(journal->persons_on(sender(), norwegian_date(clock.utc()))) == 3);
        good(retry(second));
        CHECK(pass(second, "to", kOtherMeldingsId, 5, 3).kind == PassOutcome::Kind::committed);
        CHECK(get(journal->persons_on(sender(), norwegian_date(clock.utc()))) == 6);
        CHECK(events(*journal, AuditKind::held) == 1);
    }

    TEST_CASE_FIXTURE(JournalFixture, "the next Norwegian day counts anew; a message at the limit passes") {
        clock.set_utc("2027-01-15T22:59:59Z");
        CHECK(pass(claimed(), "en", kMeldingsId, 5, 5).kind == PassOutcome::Kind::committed);
        CHECK(pass(claimed(), "x", "11111111-1111-4111-8111-111111111111", 5, 1).kind == PassOutcome::Kind::held);
        clock.set_utc("2027-01-15T23:00:00Z");
        CHECK(pass(claimed(), "to", kOtherMeldingsId, 5, 5).kind == PassOutcome::Kind::committed);
    }

    TEST_CASE_FIXTURE(JournalFixture, "a message of any size passes a limit only by an operator") {
        constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
        CHECK(pass(claimed(), "en", kMeldingsId, kMost, kMost).kind == PassOutcome::Kind::committed);
        const SpoolId id = claimed();
        CHECK(pass(id, "to", kOtherMeldingsId, kMost, kMost).kind == PassOutcome::Kind::held);
        CHECK(pass(claimed(), "tre", kOtherMeldingsId, std::nullopt, 0).kind == PassOutcome::Kind::committed);
        CHECK(row(id).persons == kMost);
        CHECK(code_of(journal->commit_pass(claimed(), result_of("x", name_of(kOtherMeldingsId), kMost + 1), {},
                                           pass_entries())) == Code::internal);
    }

    TEST_CASE_FIXTURE(JournalFixture, "a retry takes the settings now in force, unless bytes were committed before") {
        const SpoolId id = claimed();
        good(quarantine(id, Code::unknown_key));
        good(retry(id));
        CHECK(get(journal->settings(row(id).settings)) == R"({"versjon":2})");
        CHECK(pass(id, "melding").kind == PassOutcome::Kind::committed);
        good(quarantine(id, Code::register_refused));
        good(retry(id, R"({"versjon":3})"));
        CHECK(get(journal->settings(row(id).settings)) == R"({"versjon":2})");
        PassResult other = result_of("melding", name_of(kMeldingsId));
        other.output_sha256 = digest_of("andre byte");
        CHECK(code_of(journal->commit_pass(id, other, {}, pass_entries())) == Code::internal);
        CHECK(pass(id, "melding").kind == PassOutcome::Kind::committed);
        CHECK(get(journal->persons_on(sender(), norwegian_date(clock.utc()))) == 2);
    }

    TEST_CASE_FIXTURE(JournalFixture, "the register's refusal is kept with the row") {
        const SpoolId id = committed();
        good(journal->quarantine(id, {.code = Code::register_refused, .reason = "422", .register_kode = "X-9"},
                                 entry(AuditKind::receipt_refused)));
        CHECK(row(id).register_kode == "X-9");
        CHECK(row(id).name.has_value());
    }

    TEST_CASE_FIXTURE(JournalFixture, "trouble is noted when it changes, and gone with the next step") {
        const SpoolId id = committed();
        const auto note = [&](Code code, const char* reason) {
            return journal->note_attempt(id, code, reason, entry(AuditKind::operator_action));
        };
        good(note(Code::register_away, "time-out"));
        const auto before = events(*journal);
        good(note(Code::register_away, "time-out"));
        CHECK(events(*journal) == before);
        good(note(Code::register_away, "503"));
        CHECK(events(*journal) == before + 1);
        CHECK(row(id).attempts == 2);
        CHECK(get(journal->in_trouble(10)).size() == 1);
        good(delivered(id));
        CHECK(get(journal->in_trouble(10)).empty());
        CHECK(code_of(note(Code::register_away, "x")) == Code::internal);
    }

    TEST_CASE_FIXTURE(JournalFixture, "kvitteringer are due after what changes the answer, duplicates' too") {
        const SpoolId first = committed();
        CHECK(get(journal->answers_due(10)).empty());
        const SpoolId again = claimed();
        CHECK(pass(again, "melding").kind == PassOutcome::Kind::duplicate);
        CHECK(get(journal->answers_due(10)).size() == 1);
        good(journal->answered(again, row(again).revision, entry(AuditKind::answered)));
        CHECK(get(journal->answers_due(10)).empty());
        good(delivered(first));
        CHECK(get(journal->answers_due(10)).size() == 2);
        // The row moved on while the file was written: still due.
        const auto old = row(first).revision - 1;
        good(journal->answered(first, old, entry(AuditKind::answered)));
        CHECK(row(first).answer_due);
    }

    TEST_CASE_FIXTURE(JournalFixture, "an operator's name for a message") {
        const SpoolId first = committed();
        const SpoolId other = committed("annen", kOtherMeldingsId);
        const auto id_of = [&](std::string_view text) { return get(journal->resolve(text)).id; };
        CHECK(id_of(first.view()) == first);
        CHECK(id_of(kMeldingsId) == first);
        CHECK(id_of(name_of(kOtherMeldingsId).str()) == other);
        CHECK(id_of(first.view().substr(0, 20)) == first);
        CHECK(code_of(journal->resolve(first.view().substr(0, 3))) == Code::not_found);
        CHECK(code_of(journal->resolve("%")) == Code::not_found);
        CHECK(code_of(journal->resolve("' OR 1=1 --")) == Code::not_found);
        const SpoolId again = claimed();
        CHECK(pass(again, "melding").kind == PassOutcome::Kind::duplicate);
        CHECK(id_of(kMeldingsId) == first);
        CHECK(id_of(again.view()) == again);
        const SpoolId conflict = claimed();
        good(journal->quarantine(conflict, {.code = Code::id_reused, .name = name_of(kMeldingsId)},
                                 entry(AuditKind::quarantined)));
        CHECK(code_of(journal->resolve(kMeldingsId)) == Code::usage);
        CHECK(get(journal->find_by_name(name_of(kMeldingsId)))->id == first);
        CHECK(get(journal->knows_meldings_id(get(MeldingsId::parse(kMeldingsId)))));
        CHECK_FALSE(get(journal->knows_meldings_id(MeldingsId::random())));
    }

    TEST_CASE_FIXTURE(JournalFixture, "lists, counts, quotas, ages") {
        std::vector<SpoolId> ids;
        for (int i = 0; i < 5; ++i) {
            const SpoolId id = SpoolId::random();
            Claim claim = claim_of(id, i < 3 ? sender() : other_sender());
            claim.received = UtcTime(std::chrono::seconds(1000 + i));
            get(journal->claim(claim, entry(AuditKind::claimed)));
            ids.push_back(id);
        }
        CHECK(get(journal->ids_in(State::claimed)) == ids);
        ListQuery query;
        query.limit = 2;
        query.offset = 1;
        CHECK(get(journal->list(query))[0].id == ids[1]);
        query.newest_first = true;
        CHECK(get(journal->list(query))[0].id == ids[3]);
        query = {};
        query.sender = other_sender();
        CHECK(get(journal->list(query)).size() == 2);
        query = {};
        query.state = State::claimed;
        query.received_before = UtcTime(std::chrono::seconds(1002));
        CHECK(get(journal->list(query)).size() == 2);
        CHECK(get(journal->oldest_waiting()) == UtcTime(std::chrono::seconds(1000)));
        good(quarantine(ids[0], Code::not_xml));
        good(quarantine(ids[1], Code::not_xml));
        CHECK(get(journal->oldest_waiting()) == UtcTime(std::chrono::seconds(1002)));
        const Usage usage = get(journal->usage(State::quarantined, sender()));
        CHECK(usage.messages == 2);
        CHECK(usage.bytes == 10);
        CHECK(get(journal->usage(State::quarantined, other_sender())).messages == 0);
        good(discard(ids[0]));
        const auto counts = get(journal->counts());
        CHECK(counts.at(State::claimed) == 3);
        CHECK(counts.at(State::quarantined) == 1);
        CHECK(counts.at(State::discarded) == 1);
        CHECK(counts.at(State::delivered) == 0);
        good(journal->check());
    }

    TEST_CASE_FIXTURE(JournalFixture, "settings bind whoever a pass may still be made for") {
        const auto bound = [&] {
            std::vector<std::pair<SpoolId, std::uint64_t>> found;
            for (const auto& one : get(journal->bound_settings())) {
                CHECK(one.json == claim_of(one.example).settings);
                CHECK(one.to.has_value() == row(one.example).to.has_value());
                found.emplace_back(one.example, one.messages);
            }
            return found;
        };
        using Found = decltype(bound());
        CHECK(bound().empty());
        const SpoolId bad = claimed();
        CHECK(bound() == Found{{bad, 1}});
        good(quarantine(bad, Code::not_xml));  // a retry takes the settings of its day
        CHECK(bound().empty());
        const SpoolId sent = committed();
        CHECK(bound() == Found{{sent, 1}});
        good(journal->quarantine(sent, {.code = Code::register_refused, .reason = "422", .register_kode = "X-9"},
                                 entry(AuditKind::receipt_refused)));
        CHECK(bound() == Found{{sent, 1}});  // it must come out with the same bytes
        good(retry(sent));
        CHECK(bound() == Found{{sent, 1}});
        CHECK(pass(sent, "melding").kind == PassOutcome::Kind::committed);
        const SpoolId other = claimed();
        CHECK(bound().size() == 2);  // of one nobody knows yet where it goes
        good(delivered(sent));
        CHECK(bound() == Found{{other, 1}});
    }

    TEST_CASE_FIXTURE(JournalFixture, "payloads are removable after their time") {
        const SpoolId id = committed();
        good(delivered(id));
        CHECK(get(journal->removable(clock.utc() - std::chrono::seconds(1), 10)).empty());
        CHECK(get(journal->removable(clock.utc(), 10)) == std::vector{id});
        good(journal->payloads_removed(id, entry(AuditKind::removed)));
        CHECK(get(journal->removable(clock.utc(), 10)).empty());
        CHECK(code_of(journal->payloads_removed(id, entry(AuditKind::removed))) == Code::internal);
    }

    TEST_CASE_FIXTURE(JournalFixture, "no entry, no change: for every call that changes something") {
        const SpoolId waiting = claimed();
        const SpoolId sent = committed();
        const SpoolId bad = claimed();
        good(quarantine(bad, Code::not_xml));
        const auto before = events(*journal);
        const auto counts = get(journal->counts());
        sink.fail_with = Code::internal;
        CHECK(code_of(journal->record(entry(AuditKind::start))) == Code::internal);
        CHECK(code_of(journal->claim(claim_of(SpoolId::random()), entry(AuditKind::claimed))) == Code::internal);
        CHECK(code_of(journal->commit_pass(waiting, result_of("ny", name_of(kOtherMeldingsId)), {}, pass_entries())) ==
              Code::internal);
        CHECK(code_of(journal->commit_pass(waiting, result_of("melding", name_of(kMeldingsId)), {}, pass_entries())) ==
              Code::internal);
        CHECK(code_of(journal->commit_pass(waiting, result_of("ny", name_of(kOtherMeldingsId)), 0, pass_entries())) ==
              Code::internal);
        CHECK(code_of(journal->mark_duplicate(waiting, sent, digest_of("melding"), entry(AuditKind::duplicate))) ==
              Code::internal);
        CHECK(code_of(quarantine(waiting, Code::not_xml)) == Code::internal);
        CHECK(code_of(retry(bad)) == Code::internal);
        CHECK(code_of(discard(bad)) == Code::internal);
        CHECK(code_of(delivered(sent)) == Code::internal);
        CHECK(code_of(journal->note_attempt(sent, Code::io, "x", entry(AuditKind::start))) == Code::internal);
        CHECK(code_of(journal->answered(bad, row(bad).revision, entry(AuditKind::start))) == Code::internal);
        sink.fail_with.reset();
        CHECK(events(*journal) == before);
        CHECK(get(journal->counts()) == counts);
        CHECK(row(bad).answer_due);
        CHECK_FALSE(row(sent).attempt_code.has_value());
        CHECK(get(journal->persons_on(sender(), norwegian_date(clock.utc()))) == 2);
        CHECK_FALSE(get(journal->find_by_name(name_of(kOtherMeldingsId))).has_value());
        good(journal->check());
    }

    TEST_CASE_FIXTURE(JournalFixture, "after a commit that failed everything answers stop, until reopened") {
        const SpoolId id = claimed();
        sink.break_commit = true;
        CHECK(code_of(quarantine(id, Code::not_xml)) == Code::journal);
        sink.break_commit = false;
        CHECK(code_of(journal->find(id)) == Code::journal);
        CHECK(code_of(quarantine(id, Code::not_xml)) == Code::journal);
        CHECK(code_of(journal->counts()) == Code::journal);
        reopen();
        CHECK(state(id) == State::claimed);
        CHECK(events(*journal) == 1);
        good(quarantine(id, Code::not_xml));
    }

    TEST_CASE_FIXTURE(JournalFixture, "a full disk before the commit changes nothing and can be tried again") {
        const SpoolId id = claimed();
        sink.fail_with = Code::disk_full;
        CHECK(code_of(quarantine(id, Code::not_xml)) == Code::disk_full);
        sink.fail_with.reset();
        CHECK(state(id) == State::claimed);
        good(quarantine(id, Code::not_xml));
    }

    TEST_CASE_FIXTURE(JournalFixture, "a question cannot change anything") {
        const SpoolId id = claimed();
        const Status changed =
            journal->ask([](sqlite::Database& db) { return db.execute("UPDATE messages SET state='x'"); });
        CHECK_FALSE(changed.has_value());
        reopen();
        CHECK(state(id) == State::claimed);
    }

    TEST_CASE_FIXTURE(JournalFixture, "a row that was changed behind our back is never used") {
        const SpoolId id = committed();
        SUBCASE("a digest of the output") {
            tamper("UPDATE messages SET output_sha256=replace(output_sha256,'a','b')");
        }
        SUBCASE("a state") {
            tamper("UPDATE messages SET state='delivered'");
        }
        SUBCASE("a number") {
            tamper("UPDATE messages SET persons=3");
        }
        SUBCASE("nothing in place of something") {
            tamper("UPDATE messages SET signature=''");
        }
        CHECK(code_of(journal->find(id)) == Code::journal);
        CHECK(code_of(delivered(id)) == Code::journal);
    }

    TEST_CASE_FIXTURE(JournalFixture, "check finds names, counts and rows that do not agree") {
        committed();
        good(journal->check());
        SUBCASE("counts") {
            tamper("UPDATE counts SET messages=9 WHERE state='held'");
        }
        SUBCASE("a name lost") {
            tamper("DROP TRIGGER names_keep; DELETE FROM names");
        }
        SUBCASE("a name too many") {
            tamper("INSERT INTO names VALUES('0301-00-974761076','x','y','z')");
        }
        SUBCASE("a row") {
            tamper("UPDATE messages SET reason='x'");
        }
        CHECK(code_of(journal->check()) == Code::journal);
    }

    TEST_CASE_FIXTURE(JournalFixture, "names and rows cannot be deleted by accident") {
        committed();
        journal.reset();
        sqlite3* db = nullptr;
        REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
        CHECK(sqlite3_exec(db, "DELETE FROM names", nullptr, nullptr, nullptr) == SQLITE_CONSTRAINT);
        CHECK(sqlite3_exec(db, "UPDATE names SET input_sha256='x'", nullptr, nullptr, nullptr) == SQLITE_CONSTRAINT);
        CHECK(sqlite3_exec(db, "DELETE FROM messages", nullptr, nullptr, nullptr) == SQLITE_CONSTRAINT);
        sqlite3_close(db);
    }

    TEST_CASE_FIXTURE(JournalFixture, "a foreign, a newer and a broken database are refused") {
        tamper("SELECT 1");
        journal.reset();
        sqlite3* db = nullptr;
        REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
        SUBCASE("newer") {
            sqlite3_exec(db, "PRAGMA user_version=4", nullptr, nullptr, nullptr);
        }
        SUBCASE("foreign") {
            sqlite3_exec(db, "PRAGMA application_id=7", nullptr, nullptr, nullptr);
        }
        sqlite3_close(db);
        SUBCASE("broken") {
            put(path, "not a database, but long enough to look like one");
        }
        SUBCASE("one bit in a page") {
            std::string bytes = content(path);
            bytes[100] = static_cast<char>(bytes[100] ^ 0x08);  // the kind of the first page
            put(path, bytes);
        }
        CHECK(code_of(Journal::open(path, sink, clock)) == Code::journal);
    }

    TEST_CASE_FIXTURE(JournalFixture, "a journal of another version or with other columns is refused, and says so") {
        tamper("SELECT 1");
        journal.reset();
        std::string change, text;
        SUBCASE("newer") {
            change = "PRAGMA user_version=4";
            text = "the journal has version 4, this program knows 3";
        }
        SUBCASE("older") {
            change = "PRAGMA user_version=1";
            text = "the journal has version 1, this program knows 3";
        }
        SUBCASE("a column is missing") {
            change = "ALTER TABLE messages RENAME COLUMN kilde_sha256 TO x";
            text = "not all its columns";
        }
        SUBCASE("a table is missing") {
            change = "DROP TABLE marks";
            text = "not all its columns";
        }
        SUBCASE("a column of another table is missing") {
            change = "ALTER TABLE names RENAME COLUMN input_sha256 TO x";
            text = "not all its columns";
        }
        sqlite3* db = nullptr;
        REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
        REQUIRE(sqlite3_exec(db, change.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
        sqlite3_close(db);
        const std::string before = content(path);
        const auto opened = Journal::open(path, sink, clock);
        CHECK(code_of(opened) == Code::journal);
        CHECK_MESSAGE(opened.error().text().find(text) != std::string::npos, opened.error().text());
        CHECK(content(path) == before);
    }

    TEST_CASE_FIXTURE(JournalFixture, "a second opener is refused") {
        CHECK(code_of(Journal::open(path, sink, clock)) == Code::locked);
    }
}

}  // namespace tpf::queue::test
