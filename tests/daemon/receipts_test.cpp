#include "daemon/receipts.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "base/encoding.h"
#include "daemon/pipeline.h"
#include "queue/forward_spool.h"
#include "tests/daemon/core_fixture.h"

namespace tpf::daemon::test {
namespace {

using queue::State;

struct ReceiptsFixture : CoreFixture {
    using CoreFixture::CoreFixture;
    Pipeline pipeline{core};
    Receipts receipts{core};

    SpoolId committed() {
        const SpoolId id = handed_over(submission().build());
        get(pipeline.process(id));
        REQUIRE(row(id).state == State::committed);
        return id;
    }
    /// A message that ends in quarantine: its sender is due an answer.
    SpoolId due() {
        const SpoolId id = handed_over("ikke xml");
        get(pipeline.process(id));
        clock.advance(std::chrono::seconds(1));
        return id;
    }
    /// The register's answer, signed, as the forwarder hands it over.
    void answered(const SpoolId& id, unsigned http_status = 201) {
        const queue::MessageRow sent = row(id);
        const std::string when = "2027-01-15T08:00:00Z";
        const auto text = crypto::signed_text(
            {"tpf-kvittering-v1", sent.to->str(), sent.name->str(), *sent.output_sha256, "mottatt", "R-1", when});
        queue::SvarRecord svar{.id = id, .answered = clock.utc()};
        svar.http_status = http_status;
        svar.status = "mottatt";
        svar.kvittering = "R-1";
        svar.navn = sent.name->str();
        svar.sha256 = *sent.output_sha256;
        svar.mottatt = when;
        svar.signature = base64(TestRing::get().register_signs.sign(text));
        good(get(queue::ForwardSpool::open(fs, at().root))->hand_over(svar));
    }
    [[nodiscard]] Path answer(const SpoolId& id) const { return at().kvittering / "drop" / (id.str() + ".json"); }
};

struct NothingKept : ReceiptsFixture {
    NothingKept() : ReceiptsFixture("[retention]\ndelivered_days = 0\n") {}
    /// Journal, audit log and folders say the same.
    void expect_removed(const std::vector<SpoolId>& ids) {
        for (const SpoolId& id : ids) {
            CHECK(row(id).state == State::delivered);
            CHECK(row(id).removed.has_value());
            for (const Path* part : {&at().work, &at().outbox, &at().quarantine}) CHECK_FALSE(there(*part, id));
            CHECK_FALSE(std::filesystem::exists(at().output(id)));
        }
        CHECK(events(*journal, AuditKind::delivered) == ids.size());
        CHECK(events(*journal, AuditKind::removed) == ids.size());
        good(journal->check());
    }
};

}  // namespace

TEST_SUITE("daemon/receipts") {
    TEST_CASE_FIXTURE(ReceiptsFixture, "a kvittering that cannot be written keeps none of the others") {
        std::vector<SpoolId> ids;
        for (int i = 0; i < 5; ++i) ids.push_back(due());
        std::filesystem::create_directories(at().kvittering / "drop");
        fs.fail_at(Call::create, 1, Code::io);
        auto answers = get(receipts.write_answers(2));
        CHECK(answers.written == 4);
        CHECK(answers.failed == 1);
        CHECK(get(journal->answers_due(10)).size() == 1);
        answers = get(receipts.write_answers(2));
        CHECK(answers.written == 1);
        CHECK(answers.failed == 0);
        for (const SpoolId& id : ids) CHECK(std::filesystem::exists(answer(id)));
        CHECK(get(journal->answers_due(10)).empty());
    }

    TEST_CASE_FIXTURE(ReceiptsFixture, "a name in the way of one stops no round") {
        const SpoolId first = due();
        const SpoolId second = due();
        std::filesystem::create_directories(answer(first));  // a folder where a file is expected
        put(answer(first) / "x", "x");
        const auto answers = get(receipts.write_answers(1));
        CHECK(answers.written == 1);
        CHECK(answers.failed == 1);
        CHECK(std::filesystem::exists(answer(second)));
        std::filesystem::remove_all(answer(first));
        CHECK(get(receipts.write_answers(1)).written == 1);
    }

    TEST_CASE_FIXTURE(ReceiptsFixture, "a failed sync of one is a stop") {
        due();
        fs.fail_at(Call::sync_file, 1, Code::io);
        CHECK(code_of(receipts.write_answers(10)) == Code::fsync_failed);
    }

    TEST_CASE_FIXTURE(ReceiptsFixture, "an answer is not taken away before its message is out of the outbox") {
        const SpoolId id = committed();
        answered(id);
        fs.fail_at(Call::rename, 1, Code::io);
        CHECK(code_of(receipts.process(id)) == Code::io);
        CHECK(row(id).state == State::delivered);
        CHECK(there(at().outbox, id));
        good(receipts.process(id));
        CHECK_FALSE(there(at().outbox, id));
        CHECK_FALSE(there(at().receipts_new, id));
    }

    TEST_CASE_FIXTURE(ReceiptsFixture, "an answer that cannot be removed is left and told of, and does no harm") {
        const SpoolId id = committed();
        answered(id);
        fs.fail_at(Call::remove_tree, 1, Code::io);
        good(receipts.process(id));
        CHECK(row(id).state == State::delivered);
        CHECK_FALSE(there(at().outbox, id));
        CHECK(spool->blocked().summary(9).some == std::vector<std::string>{"receipts/new/" + id.str()});
        good(receipts.process(id));
        CHECK_FALSE(there(at().receipts_new, id));
        CHECK(spool->blocked().summary(9).count == 0);
    }

    TEST_CASE_FIXTURE(ReceiptsFixture, "what the journal calls quarantined is moved there by the next try") {
        const SpoolId id = handed_over("ikke xml");
        fs.fail_at(Call::rename, 3, Code::io);  // after the claim's move and the look for an output
        CHECK(code_of(pipeline.process(id)) == Code::io);
        CHECK(row(id).state == State::quarantined);
        CHECK(there(at().work, id));
        get(pipeline.process(id));
        CHECK_FALSE(there(at().work, id));
        CHECK(there(at().quarantine, id));
    }

    TEST_CASE_FIXTURE(ReceiptsFixture, "an output that cannot be read now is not a damaged one") {
        const SpoolId id = committed();
        answered(id, 400);
        fs.fail_at(Call::open_read, 2, Code::io);  // the first opens the answer
        CHECK(code_of(receipts.process(id)) == Code::io);
        CHECK(row(id).state == State::committed);
        good(receipts.process(id));
        CHECK(row(id).state == State::committed);
        CHECK(row(id).attempt_code == Code::register_digest);
    }

    TEST_CASE_FIXTURE(NothingKept, "payloads that another remover took meanwhile are removed and logged once") {
        const auto delivered = [this](const SpoolId& id) {
            good(journal->delivered(id, {"R-1", "2027-01-15T08:00:00Z"}, entry(AuditKind::delivered)));
        };
        const SpoolId first = committed(), second = committed();
        for (const SpoolId& id : {first, second}) delivered(id);
        // Both stand on one remover's list; while it is at one of them, another takes the rest.
        std::atomic<bool> begun = false;
        hooked.hook([&](Call call, const Path& path) -> Status {
            const bool removes = call == Call::remove_tree && path.parent_path() == at().work;
            if (!removes || path.extension() == ".ut" || begun.exchange(true)) return ok();
            std::thread([&] { CHECK(get(receipts.remove_expired(10)) == 1); }).join();
            return ok();
        });
        CHECK(get(receipts.remove_expired(10)) == 2);
        hooked.hook({});
        CHECK(begun);
        expect_removed({first, second});
    }

    TEST_CASE_FIXTURE(NothingKept, "so are those whose answer is looked at again after their removal failed") {
        const SpoolId id = committed();
        answered(id);
        std::atomic<bool> failing = true;
        hooked.hook([&](Call call, const Path&) -> Status {
            return call == Call::remove_tree && failing ? Status(fail(Code::io, "injected")) : ok();
        });
        CHECK(code_of(receipts.process(id)) == Code::io);
        CHECK(row(id).state == State::delivered);
        CHECK(row(id).removed.has_value());
        failing = false;
        good(receipts.process(id));
        good(receipts.process(id));
        CHECK(get(receipts.remove_expired(10)) == 0);
        expect_removed({id});
    }

    TEST_CASE_FIXTURE(NothingKept,
                      "answers and a remover at the same time: each message is delivered and removed once") {
        std::vector<SpoolId> ids;
        for (int i = 0; i < 24; ++i) {
            ids.push_back(committed());
            answered(ids.back());
        }
        std::atomic<std::size_t> left = 2;
        const auto answers = [&](std::size_t parity) {
            for (std::size_t i = parity; i < ids.size(); i += 2) good(receipts.process(ids[i]));
            --left;
        };
        std::thread even([&] { answers(0); }), odd([&] { answers(1); });
        while (left > 0) get(receipts.remove_expired(10));
        even.join();
        odd.join();
        expect_removed(ids);
    }

    TEST_CASE_FIXTURE(ReceiptsFixture, "the kvittering names every person without a pseudonym") {
        auto builder = submission();
        builder.persons = {{""}, {"13097248022"}, {"13097248023"}};
        const SpoolId id = handed_over(builder.build());
        get(pipeline.process(id));
        CHECK(row(id).marked == 2);
        // Committed alone is nothing to tell; the register's refusal is.
        good(journal->quarantine(id, {.code = Code::register_refused, .reason = "no"}, entry(AuditKind::quarantined)));
        CHECK(get(receipts.write_answers(10)).written == 1);
        CHECK(content(answer(id)).find(R"("utenPseudonym":[{"person":1,"kode":"E30"},{"person":3,"kode":"E31"}])") !=
              std::string::npos);
    }
}

}  // namespace tpf::daemon::test
