#include "queue/recovery.h"

#include <doctest/doctest.h>

#include "tests/queue/fixtures.h"
#include "tests/support/fault_fs.h"

namespace tpf::queue::test {

using tpf::test::Call;
using tpf::test::FaultFs;

namespace {

/// A spool and its journal, with messages brought to a state in the journal while the folders are left as they like.
struct RecoveryFixture {
    TempFolder folder{"/dev/shm"};
    FaultFs fs{folder.path()};
    ManualClock clock;
    audit::EventLog log;
    std::unique_ptr<Spool> spool = get(Spool::open(fs, folder.path(), {}));
    const Folders& at = spool->folders();
    std::unique_ptr<Journal> journal = get(Journal::open(journal_in(folder.path()), log, clock));

    SpoolId in_inbox() { return get(hand_over(*spool, "melding")).id; }
    SpoolId claimed(bool moved = true) {
        const SpoolId id = in_inbox();
        get(journal->claim(claim_of(id), entry(AuditKind::claimed)));
        if (moved) good(spool->claim(id));
        return id;
    }
    SpoolId sealed(const std::string& list = {}) {
        const SpoolId id = claimed();
        auto output = get(spool->begin_output(id));
        if (!list.empty()) good(get(output.begin_list())->write(as_bytes(list)));
        good(output.body().write(as_bytes("ut:melding")));
        good(output.seal({id, name_of(kMeldingsId), iplos(), 10, digest_of("ut:melding"), kSignature}));
        return id;
    }
    SpoolId committed(bool published = true, const std::string& list = {}) {
        const SpoolId id = sealed(list);
        get(journal->commit_pass(id, result_of("melding", name_of(kMeldingsId)), {}, pass_entries()));
        if (published) good(spool->publish(id));
        return id;
    }
    void quarantine(const SpoolId& id) {
        good(journal->quarantine(id, {.code = Code::not_xml, .reason = "test"}, entry(AuditKind::quarantined)));
    }
    void deliver(const SpoolId& id) { good(journal->delivered(id, {"R-1", "t"}, entry(AuditKind::delivered))); }
    RecoveryReport recovered() {
        const auto report = get(recover(*spool, *journal, clock));
        const auto again = get(recover(*spool, *journal, clock));  // nothing is left to do
        CHECK(again.claimed_moves + again.published + again.outputs_dropped + again.quarantine_moves +
                  again.payloads_removed + again.receipts_removed + again.damaged ==
              0);
        return report;
    }
    State state(const SpoolId& id) { return get(journal->find(id))->state; }
    bool there(const Path& folder_path, const SpoolId& id) { return std::filesystem::exists(folder_path / id.view()); }
};

}  // namespace

TEST_SUITE("queue/recovery") {
    TEST_CASE_FIXTURE(RecoveryFixture, "a new entry stays where it is") {
        const SpoolId id = in_inbox();
        CHECK(recovered().claimed_moves == 0);
        CHECK(there(at.inbox_new, id));
    }

    TEST_CASE_FIXTURE(RecoveryFixture, "a claim that was committed is carried out") {
        const SpoolId id = claimed(false);
        CHECK(recovered().claimed_moves == 1);
        CHECK(there(at.work, id));
        CHECK_FALSE(there(at.inbox_new, id));
    }

    TEST_CASE_FIXTURE(RecoveryFixture, "an output that was not committed is dropped") {
        const SpoolId id = sealed();
        CHECK(recovered().outputs_dropped == 1);
        CHECK_FALSE(std::filesystem::exists(at.output(id)));
        CHECK(there(at.work, id));
    }

    TEST_CASE_FIXTURE(RecoveryFixture, "an output that was committed is published") {
        const SpoolId id = committed(false);
        CHECK(recovered().published == 1);
        CHECK(there(at.outbox, id));
    }

    TEST_CASE_FIXTURE(RecoveryFixture, "a list goes where its message goes, and is kept once that was committed") {
        const SpoolId dropped = sealed("list");
        recovered();
        CHECK_FALSE(std::filesystem::exists(at.list_of(dropped)));
        const SpoolId id = committed(false, "list");
        CHECK_FALSE(std::filesystem::exists(at.list_of(id)));
        CHECK(recovered().published == 1);
        CHECK(get(read_small(fs, at.list_of(id), 99)) == "list");
        CHECK_FALSE(std::filesystem::exists(at.outbox / id.view() / kPseudonyms));
        // A file system that kept the second of two renames and not the first.
        std::filesystem::rename(at.list_of(id), at.outbox / id.view() / kPseudonyms);
        recovered();
        CHECK(get(read_small(fs, at.list_of(id), 99)) == "list");
        // The register refused the message, it is done again: the same list, in place of the first.
        quarantine(id);
        recovered();
        CHECK(std::filesystem::exists(at.list_of(id)));
        good(spool->remove_list(id));
        good(spool->remove_list(id));
        CHECK_FALSE(std::filesystem::exists(at.list_of(id)));
    }

    TEST_CASE_FIXTURE(RecoveryFixture,
                      "a committed message without output is quarantined with its bytes; a retry works") {
        const SpoolId id = committed(false);
        good(spool->drop_output(id));
        CHECK(recovered().damaged == 1);
        CHECK(state(id) == State::quarantined);
        CHECK(get(journal->find(id))->code == Code::record_damaged);
        CHECK(there(at.quarantine, id));
        good(journal->retry(id, "{}", AuditEntry(AuditKind::retried, "kari")));
        good(spool->retry(id));
        CHECK(get(journal->commit_pass(id, result_of("melding", name_of(kMeldingsId)), {}, pass_entries())).kind ==
              PassOutcome::Kind::committed);
    }

    TEST_CASE_FIXTURE(RecoveryFixture, "a claimed message whose bytes are gone is quarantined, loudly") {
        const SpoolId id = claimed();
        std::filesystem::remove_all(at.work / id.view());
        CHECK(recovered().damaged == 1);
        CHECK(state(id) == State::quarantined);
    }

    TEST_CASE_FIXTURE(RecoveryFixture, "quarantine and its retry are carried out, from wherever the entry is") {
        const SpoolId from_inbox = claimed(false);
        const SpoolId from_work = claimed();
        const SpoolId from_outbox = committed();
        for (const SpoolId& id : {from_inbox, from_work, from_outbox}) quarantine(id);
        CHECK(recovered().quarantine_moves == 3);
        for (const SpoolId& id : {from_inbox, from_work, from_outbox}) CHECK(there(at.quarantine, id));
        CHECK_FALSE(there(at.outbox, from_outbox));
        good(journal->retry(from_work, "{}", AuditEntry(AuditKind::retried, "kari")));
        CHECK(recovered().claimed_moves == 1);
        CHECK(there(at.work, from_work));
    }

    TEST_CASE_FIXTURE(RecoveryFixture, "what is delivered leaves outbox, and the spool once its payloads may go") {
        const SpoolId id = committed();
        deliver(id);
        recovered();
        CHECK_FALSE(there(at.outbox, id));
        CHECK(there(at.work, id));
        CHECK(std::filesystem::exists(at.output(id)));
        good(journal->payloads_removed(id, entry(AuditKind::removed)));
        CHECK(recovered().payloads_removed == 1);
        CHECK_FALSE(there(at.work, id));
        CHECK_FALSE(std::filesystem::exists(at.output(id)));
    }

    TEST_CASE_FIXTURE(RecoveryFixture, "discarded messages and duplicates leave the spool") {
        const SpoolId discarded = claimed();
        quarantine(discarded);
        good(journal->discard(discarded, AuditEntry(AuditKind::discarded, "kari")));
        const SpoolId first = committed();
        const SpoolId again = claimed(false);
        good(journal->mark_duplicate(again, first, digest_of("melding"), entry(AuditKind::duplicate)));
        CHECK(recovered().payloads_removed == 2);
        CHECK_FALSE(there(at.work, discarded));
        CHECK_FALSE(there(at.inbox_new, again));
        CHECK(there(at.outbox, first));
    }

    TEST_CASE_FIXTURE(RecoveryFixture, "a message under a used id is not taken for the rest of the old one") {
        const SpoolId id = committed();
        deliver(id);
        good(journal->payloads_removed(id, entry(AuditKind::removed)));
        good(spool->remove_payloads(id));
        const SpoolId other = get(hand_over(*spool, "en helt annen")).id;
        std::filesystem::rename(at.inbox_new / other.view(), at.inbox_new / id.view());
        KildeRecord record{id, "drop", sender(), "", "", UtcTime(), 13, digest_of("en helt annen")};
        put(at.inbox_new / id.view() / kKilde, get(write_kilde(record)));
        CHECK(get(recover(*spool, *journal, clock)).strangers == 1);
        CHECK(there(at.inbox_new, id));
    }

    TEST_CASE_FIXTURE(RecoveryFixture, "an answer that was dealt with is removed, one that was not stays") {
        const SpoolId id = committed();
        std::filesystem::create_directory(at.receipts_new / id.view());
        CHECK(recovered().receipts_removed == 0);
        deliver(id);
        CHECK(recovered().receipts_removed == 1);
    }

    TEST_CASE_FIXTURE(RecoveryFixture, "another spool's journal, or a lost one, stops and nothing is touched") {
        const SpoolId waiting = in_inbox();
        const SpoolId id = committed();
        journal.reset();
        std::filesystem::remove(journal_in(folder.path()));
        journal = get(Journal::open(journal_in(folder.path()), log, clock));
        CHECK(code_of(recover(*spool, *journal, clock)) == Code::journal);
        CHECK(there(at.outbox, id));
        CHECK(there(at.work, id));
        CHECK(there(at.inbox_new, waiting));
    }

    // What another user's folder of mode 000 answers to a rename or a removal; as root nothing is refused for real.
    TEST_CASE_FIXTURE(RecoveryFixture,
                      "a claimed entry that cannot be moved stays, the others are settled, and so later") {
        const SpoolId stuck = claimed(false);
        const SpoolId other = claimed(false);
        const SpoolId first = std::min(stuck, other);
        fs.fail_at(Call::rename, 1, Code::io);
        const auto report = get(recover(*spool, *journal, clock));
        CHECK(report.left == 1);
        CHECK(report.claimed_moves == 1);
        CHECK(there(at.inbox_new, first));
        CHECK(state(first) == State::claimed);
        CHECK(spool->blocked().summary(10).some == std::vector<std::string>{"inbox/new/" + first.str()});
        CHECK(recovered().claimed_moves == 1);
        CHECK(spool->blocked().summary(10).count == 0);
    }

    TEST_CASE_FIXTURE(RecoveryFixture, "a quarantined entry that cannot be moved stops no start") {
        const SpoolId id = claimed(false);
        quarantine(id);
        fs.fail_at(Call::rename, 3, Code::io);  // withdrawing the output, work, then the inbox
        const auto report = get(recover(*spool, *journal, clock));
        CHECK(report.left == 1);
        CHECK(there(at.inbox_new, id));
        CHECK(recovered().quarantine_moves == 1);
    }

    TEST_CASE_FIXTURE(RecoveryFixture, "payloads that cannot be removed stop no start, and are told of") {
        const SpoolId id = claimed();
        quarantine(id);
        good(journal->discard(id, AuditEntry(AuditKind::discarded, "kari")));
        // Deeper than an entry of ours can be: a source made it through a descriptor that it kept.
        std::filesystem::create_directories(at.work / id.view() / "a" / "b" / "c");
        CHECK(get(recover(*spool, *journal, clock)).damaged == 0);
        CHECK(there(at.work, id));
        CHECK(spool->blocked().summary(10).some == std::vector<std::string>{"work/" + id.str()});
        std::filesystem::remove_all(at.work / id.view() / "a");
        get(recover(*spool, *journal, clock));
        CHECK_FALSE(there(at.work, id));
        CHECK(spool->blocked().summary(10).count == 0);
    }

    TEST_CASE_FIXTURE(RecoveryFixture, "nor do half-written hand-overs and answers that cannot be removed") {
        std::filesystem::create_directories(at.inbox_tmp / "13097248022" / "b" / "c" / "d");
        std::filesystem::create_directories(at.receipts_new / SpoolId::random().view() / "b" / "c" / "d");
        const SpoolId id = claimed(false);
        const auto report = get(recover(*spool, *journal, clock));
        CHECK(report.left == 1);
        CHECK(report.claimed_moves == 1);
        CHECK(there(at.work, id));
        const auto blocked = spool->blocked().summary(10);
        CHECK(blocked.count == 2);
        // The name was a source's choice.
        CHECK(std::find(blocked.some.begin(), blocked.some.end(), "inbox/tmp/…") != blocked.some.end());
        for (const std::string& one : blocked.some) CHECK(one.find("13097248022") == std::string::npos);
    }

    TEST_CASE_FIXTURE(RecoveryFixture,
                      "an entry under a used id that cannot be read is not taken for the old one's rest") {
        const SpoolId id = committed();
        deliver(id);
        good(journal->payloads_removed(id, entry(AuditKind::removed)));
        good(spool->remove_payloads(id));
        const SpoolId other = in_inbox();
        std::filesystem::rename(at.inbox_new / other.view(), at.inbox_new / id.view());
        fs.fail_at(Call::list, 9, Code::io);  // the sweep's, the survey's seven, then the entry's own
        CHECK(get(recover(*spool, *journal, clock)).left == 1);
        CHECK(fs.fired().find(id.str()) != std::string::npos);
        CHECK(there(at.inbox_new, id));
    }

    TEST_CASE_FIXTURE(RecoveryFixture, "a failed sync still stops it") {
        const SpoolId id = committed(false);
        fs.fail_at(Call::sync_folder, 1, Code::io);
        CHECK(code_of(recover(*spool, *journal, clock)) == Code::fsync_failed);
        static_cast<void>(id);
    }

    TEST_CASE_FIXTURE(RecoveryFixture, "names that are no spool id are counted and left") {
        put(at.work / "notat.txt", "x");
        std::filesystem::create_directory(at.outbox / "lost+found");
        CHECK(recovered().strangers == 2);
        CHECK(std::filesystem::exists(at.work / "notat.txt"));
    }
}

}  // namespace tpf::queue::test
