#include "daemon/pipeline.h"

#include <doctest/doctest.h>

#include "audit/pseudonym_list.h"
#include "conf/output_settings.h"
#include "tests/daemon/core_fixture.h"

namespace tpf::daemon::test {
namespace {

using queue::State;

struct PipelineFixture : CoreFixture {
    audit::ListState list_of(const SpoolId& id) {
        audit::ListState state;
        good(journal->ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(state, audit::list_state(db, id));
            return ok();
        }));
        return state;
    }
    Pipeline pipeline{core};

    /// What lies at `part`/ID is exchanged for `document`, its record included: all that a source's open descriptor, or
    /// somebody with the disk in hand, could do.
    void exchange(const Path& part, const SpoolId& id, const std::string& document) {
        const Path entry = part / id.view();
        auto record = get(queue::parse_kilde(content(entry / queue::kKilde)));
        record.size = document.size();
        record.sha256 = digest_of(document);
        put(entry / queue::kInnsending, document);
        put(entry / queue::kKilde, get(queue::write_kilde(record)));
    }
    void retry(const SpoolId& id) {
        good(journal->retry(id, conf::pinned_json(*config.now()), AuditEntry(AuditKind::retried, "kari")));
        good(spool->retry(id));
    }
};

}  // namespace

TEST_SUITE("daemon/pipeline") {
    TEST_CASE_FIXTURE(PipelineFixture, "a good message is committed and published") {
        const SpoolId id = handed_over(submission().build());
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::published);
        CHECK(row(id).state == State::committed);
        CHECK(there(at().outbox, id));
    }

    TEST_CASE_FIXTURE(PipelineFixture, "each message has its list, whose digest stands in its entry") {
        const SpoolId id = handed_over(submission().build());
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::published);
        const std::string digest = hex(get(audit::file_digest(fs, at().list_of(id))));
        CHECK(list_of(id).kind == audit::ListKind::kept);
        CHECK(list_of(id).sha256 == digest);
        auto list = get(audit::ListReader::open(fs, at().list_of(id)));
        CHECK(list.header() == audit::ListHeader{id, iplos(), 2, {1}, list.header().salt});
        // Another message's list begins otherwise, though all else were the same.
        const SpoolId other = handed_over(submission().build());
        CHECK(get(pipeline.process(other)) == Pipeline::Outcome::published);
        CHECK(get(audit::ListReader::open(fs, at().list_of(other))).header().salt != list.header().salt);
        const std::string output = content(at().outbox / id.view() / queue::kMelding);
        std::size_t found = 0;
        get(list.read([&](std::uint64_t, auto bytes) {
            std::size_t from = 0;
            while ((from = output.find("Pseudonym>1-", from)) != std::string::npos) {
                const auto one = get(audit::parse_pseudonym(output.substr(from + 10, 34)));
                if (std::equal(bytes.begin(), bytes.end(), one.bytes.begin())) ++found;
                ++from;
            }
        }));
        CHECK(found == 2);
    }

    TEST_CASE_FIXTURE(PipelineFixture, "a list that cannot be written holds the message up, and nothing is published") {
        const SpoolId id = handed_over(submission().build());
        fs.fail_at(Call::create, 2, Code::disk_full);  // melding.xml, then the list
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::later);
        CHECK(row(id).state == State::claimed);
        CHECK_FALSE(there(at().outbox, id));
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::published);
        CHECK(std::filesystem::exists(at().list_of(id)));
    }

    TEST_CASE_FIXTURE(PipelineFixture, "a message that is not published leaves no list") {
        auto builder = submission();
        builder.antall = "3";
        const SpoolId bad = handed_over(builder.build());
        CHECK(get(pipeline.process(bad)) == Pipeline::Outcome::done);
        CHECK_FALSE(std::filesystem::exists(at().list_of(bad)));
        CHECK(list_of(bad).kind == audit::ListKind::no_message);
    }

    TEST_CASE_FIXTURE(PipelineFixture, "a register without a pseudonym log: no list, and the entry says so") {
        auto changed = config.now()->reloadable;
        changed.registers.at(iplos()).pseudonym_log = false;
        config.take(changed);
        const SpoolId id = handed_over(submission().build());
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::published);
        CHECK_FALSE(std::filesystem::exists(at().list_of(id)));
        CHECK(list_of(id).kind == audit::ListKind::not_recorded);
    }

    TEST_CASE_FIXTURE(PipelineFixture, "an entry whose folder may not be changed stays in the inbox, unclaimed") {
        const SpoolId id = handed_over(submission().build());
        fs.fail_at(Call::may_change, 1, Code::io);
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::later);
        CHECK_FALSE(get(journal->find(id)).has_value());
        CHECK(there(at().inbox_new, id));
        CHECK(spool->blocked().summary(9).some == std::vector<std::string>{"inbox/new/" + id.str()});
        // Its source mended it.
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::published);
        CHECK(row(id).state == State::committed);
        CHECK(spool->blocked().summary(9).count == 0);
    }

    TEST_CASE_FIXTURE(PipelineFixture, "an entry that its source took away is no work, and is told of no more") {
        CHECK(get(pipeline.process(SpoolId::random())) == Pipeline::Outcome::done);
        const SpoolId id = handed_over("x");
        fs.fail_at(Call::may_change, 1, Code::io);
        get(pipeline.process(id));
        std::filesystem::remove_all(at().inbox_new / id.view());
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::done);
        CHECK(spool->blocked().summary(9).count == 0);
    }

    TEST_CASE_FIXTURE(PipelineFixture, "an entry that is no folder is quarantined") {
        const SpoolId id = SpoolId::random();
        put(at().inbox_new / id.view(), "x");
        std::filesystem::permissions(at().inbox_new / id.view(), std::filesystem::perms::none);
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::done);
        CHECK(row(id).code == Code::record_form);
        CHECK(there(at().quarantine, id));
    }

    TEST_CASE_FIXTURE(PipelineFixture, "a quarantine that got no further than the journal is carried out") {
        const SpoolId id = handed_over("ikke xml");
        fs.fail_at(Call::rename, 3, Code::io);  // claim, withdraw, then the move
        CHECK(code_of(pipeline.process(id)) == Code::io);
        CHECK(row(id).state == State::quarantined);
        CHECK(there(at().work, id));
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::done);
        CHECK(there(at().quarantine, id));
    }

    TEST_CASE_FIXTURE(PipelineFixture, "a used spool id stays in the inbox, and holds up nothing") {
        const SpoolId id = handed_over(submission().build());
        fs.fail_at(Call::open_read, 2, Code::io);  // it waits in work/
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::later);
        const SpoolId other = handed_over(submission().build());
        std::filesystem::rename(at().inbox_new / other.view(), at().inbox_new / id.view());
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::published);  // the one in work/
        CHECK(row(id).state == State::committed);
        const std::string digest = *row(id).input_sha256;
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::later);
        CHECK(there(at().inbox_new, id));
        CHECK(row(id).input_sha256 == digest);
    }

    TEST_CASE_FIXTURE(PipelineFixture, "bytes exchanged after a quarantine are not worked on by the retry") {
        auto builder = submission();
        builder.antall = "3";
        const SpoolId id = handed_over(builder.build());
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::done);
        CHECK(row(id).code == Code::person_count);
        exchange(at().quarantine, id, submission().build());
        retry(id);
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::done);
        CHECK(row(id).state == State::quarantined);
        CHECK(row(id).code == Code::record_damaged);
        CHECK(there(at().quarantine, id));
        CHECK_FALSE(there(at().outbox, id));
    }

    TEST_CASE_FIXTURE(PipelineFixture, "nor are bytes exchanged after the register's refusal: no stop") {
        const auto builder = submission();
        const SpoolId id = handed_over(builder.build());
        get(pipeline.process(id));
        good(journal->quarantine(id, {.code = Code::register_refused, .reason = "refused"},
                                 entry(AuditKind::quarantined)));
        good(spool->quarantine(id));
        // The same name, so that the journal does not call it a conflict.
        exchange(at().quarantine, id, submission(builder.meldings_id).build());
        retry(id);
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::done);
        CHECK(row(id).code == Code::record_damaged);
        CHECK(row(id).output_sha256.has_value());
    }

    TEST_CASE_FIXTURE(PipelineFixture, "nor bytes exchanged between claim and pass") {
        const SpoolId id = handed_over(submission().build());
        fs.fail_at(Call::open_read, 2, Code::io);  // kilde.json, then the submission: it waits
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::later);
        CHECK(row(id).attempt_code == Code::io);
        exchange(at().work, id, submission().build());
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::done);
        CHECK(row(id).code == Code::record_damaged);
    }

    TEST_CASE_FIXTURE(PipelineFixture, "nor bytes exchanged after a pass, where the claim found no record") {
        const std::string document = submission().build();
        const SpoolId id = handed_over(document);
        const std::string record = content(at().inbox_new / id.view() / queue::kKilde);
        put(at().inbox_new / id.view() / queue::kKilde, "{}");
        get(pipeline.process(id));
        CHECK(row(id).source == kUnknownSource);
        put(at().quarantine / id.view() / queue::kKilde, record);
        retry(id);
        get(pipeline.process(id));
        CHECK(row(id).code == Code::sender_differs);
        CHECK(row(id).input_sha256 == digest_of(document));
        exchange(at().quarantine, id, submission().build());
        retry(id);
        CHECK(get(pipeline.process(id)) == Pipeline::Outcome::done);
        CHECK(row(id).code == Code::record_damaged);
    }

    TEST_CASE_FIXTURE(PipelineFixture, "the bytes of the claim pass after any number of retries") {
        auto builder = submission();
        const SpoolId id = handed_over(builder.build());
        get(pipeline.process(id));
        for (int i = 0; i < 2; ++i) {
            good(journal->quarantine(id, {.code = Code::register_refused, .reason = "refused"},
                                     entry(AuditKind::quarantined)));
            good(spool->quarantine(id));
            retry(id);
            CHECK(get(pipeline.process(id)) == Pipeline::Outcome::published);
            CHECK(row(id).state == State::committed);
        }
    }
}

}  // namespace tpf::daemon::test
