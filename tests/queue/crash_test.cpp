// One message's whole path through the spool (hand-over, claim, pass, commit, publish, send, receipt, kvittering,
// removal), ended at every single call of the file system in turn, by kill and by power cut; then started again, and
// the promises are checked: what was acknowledged is delivered, the register sees it once, nothing was disclosed that
// the journal did not have, nothing is left over.
#include <doctest/doctest.h>

#include <map>
#include <random>

#include "queue/forward_spool.h"
#include "queue/kvittering.h"
#include "queue/recovery.h"
#include "tests/queue/fixtures.h"
#include "tests/support/fault_fs.h"

namespace tpf::queue::test {

using tpf::test::Call;
using tpf::test::FaultFs;
using tpf::test::Loss;
using tpf::test::Stopped;

namespace {

constexpr const char* kBody = "en kryptert melding";

/// The world: what survives a crash of the machine that runs the core and the forwarder.
struct World {
    TempFolder folder{"/dev/shm"};  // the journal's own syncs are not what is tested here
    FaultFs fs{folder.path()};
    ManualClock clock;
    audit::EventLog log;
    std::map<std::string, std::string> at_register;  // name → body
    std::map<std::string, int> posts;
    bool acknowledged = false;  // to the source; until then it sends again
    int submissions = 0;
    std::vector<std::string> broken;  // promises that were

    World() {
        get(Spool::open(fs, folder.path(), {}));
        get(Journal::open(journal_in(folder.path()), log, clock));
        fs.reset_count();
    }
};

/// One run of the programs, from start until there is nothing more to do. Errors end it, as they end a process.
class Run {
  public:
    explicit Run(World& world) : w_(world) {}

    Status operator()() {
        TPF_TRY(spool_, Spool::open(w_.fs, w_.folder.path(), {}));
        TPF_TRY(journal_, Journal::open(journal_in(w_.folder.path()), w_.log, w_.clock));
        TPF_TRY(const auto report, recover(*spool_, *journal_, w_.clock));
        if (report.strangers != 0) w_.broken.push_back("strangers in the spool");
        TPF_TRY(forward_, ForwardSpool::open(w_.fs, w_.folder.path()));
        if (!w_.acknowledged) {
            ++w_.submissions;
            TPF_TRY(hand_over(*spool_, kBody));
            w_.acknowledged = true;
        }
        for (int round = 0; round < 3; ++round) {
            TPF_TRY(claim_all());
            TPF_TRY(pass_all());
            TPF_TRY(send_all());
            TPF_TRY(take_receipts());
            TPF_TRY(answer_senders());
        }
        return remove_delivered();
    }

  private:
    Status claim_all() {
        TPF_TRY(const auto inbox, spool_->list_inbox());
        for (const SpoolId& id : inbox.ids) {
            TPF_TRY(const auto found, spool_->read_inbox(id));
            Claim claim = claim_of(id, found.kilde.sender);
            TPF_TRY(const auto outcome, journal_->claim(claim, entry(AuditKind::claimed)));
            static_cast<void>(outcome);
            TPF_TRY(spool_->claim(id));
        }
        return ok();
    }

    Status pass_all() {
        TPF_TRY(const auto waiting, journal_->ids_in(State::claimed));
        for (const SpoolId& id : waiting) {
            TPF_TRY(const auto found, spool_->read_work(id));
            TPF_TRY(const auto input, spool_->open_input(id));
            TPF_TRY(const std::string body, read_all(*input));
            if (digest_of(body) != found.kilde.sha256) {
                w_.broken.push_back("an acknowledged message was damaged");
                TPF_TRY(journal_->quarantine(id, {.code = Code::record_damaged}, entry(AuditKind::quarantined)));
                TPF_TRY(spool_->quarantine(id));
                continue;
            }
            TPF_TRY(pass(id, body));
        }
        return ok();
    }

    Status pass(const SpoolId& id, const std::string& body) {
        const PassResult result = result_of(body, name_of(kMeldingsId));
        {
            TPF_TRY(auto output, spool_->begin_output(id));
            TPF_TRY(output.body().write(as_bytes("ut:" + body)));
            TPF_TRY(output.seal({id, result.name, result.to, result.output_size, result.output_sha256, kSignature}));
        }
        TPF_TRY(const auto outcome, journal_->commit_pass(id, result, std::nullopt, pass_entries()));
        if (outcome.kind == PassOutcome::Kind::committed) return spool_->publish(id);
        if (outcome.kind != PassOutcome::Kind::duplicate) w_.broken.push_back("neither committed nor duplicate");
        return spool_->remove_payloads(id);
    }

    Status send_all() {
        TPF_TRY(const auto waiting, forward_->to_send());
        for (const SpoolId& id : waiting.ids) {
            TPF_TRY(const PostRecord post, forward_->read_post(id));
            TPF_TRY(const auto file, forward_->open_message(id));
            TPF_TRY(const std::string body, read_all(*file));
            if (digest_of(body) != post.sha256) {
                w_.broken.push_back("a published message was damaged");
                continue;
            }
            TPF_TRY(post_to_register(post, body));
            SvarRecord answer{.id = id, .http_status = 201, .answered = w_.clock.utc()};
            answer.kvittering = "R-1";
            TPF_TRY(forward_->hand_over(answer));
        }
        return ok();
    }

    Status post_to_register(const PostRecord& post, const std::string& body) {
        TPF_TRY(const auto row, journal_->find(post.id));
        if (!row || (row->state != State::committed && row->state != State::delivered)) {
            w_.broken.push_back("disclosed before it was logged");
        }
        const auto [known, first] = w_.at_register.emplace(post.name.str(), body);
        if (!first && known->second != body) w_.broken.push_back("the same name with other bytes");
        ++w_.posts[post.name.str()];
        return ok();
    }

    Status take_receipts() {
        TPF_TRY(const auto receipts, spool_->list_receipts());
        for (const SpoolId& id : receipts.ids) {
            TPF_TRY(const auto receipt, spool_->read_receipt(id));
            TPF_TRY(journal_->delivered(id, {*receipt.svar.kvittering, "t"}, entry(AuditKind::delivered)));
            TPF_TRY(spool_->withdraw(id));
            TPF_TRY(spool_->remove_receipt(id));
        }
        return ok();
    }

    Status answer_senders() {
        TPF_TRY(const auto due, journal_->answers_due(100));
        for (const MessageRow& row : due) {
            std::optional<MessageRow> original;
            if (row.duplicate_of) {
                TPF_TRY(original, journal_->find(*row.duplicate_of));
            }
            TPF_TRY(spool_->write_kvittering(row.source, row.id,
                                             writes(kvittering_json(row, original ? &*original : nullptr))));
            TPF_TRY(journal_->answered(row.id, row.revision, entry(AuditKind::answered)));
        }
        return ok();
    }

    Status remove_delivered() {
        TPF_TRY(const auto ids, journal_->removable(w_.clock.utc(), 100));
        for (const SpoolId& id : ids) {
            TPF_TRY(journal_->payloads_removed(id, entry(AuditKind::removed)));
            TPF_TRY(spool_->remove_payloads(id));
        }
        return ok();
    }

    World& w_;
    std::unique_ptr<Spool> spool_;
    std::unique_ptr<Journal> journal_;
    std::unique_ptr<ForwardSpool> forward_;
};

enum class End { finished, stopped, failed };

End run(World& world) {
    try {
        return Run(world)() ? End::finished : End::failed;
    } catch (const Stopped&) {
        return End::stopped;
    }
}

/// After a run that nothing disturbed.
void check_promises(World& world) {
    for (const std::string& promise : world.broken) FAIL_CHECK(promise);
    CHECK(world.acknowledged);
    CHECK(world.at_register.size() == 1);
    CHECK(world.at_register.begin()->second == "ut:" + std::string(kBody));
    const auto journal = get(Journal::open(journal_in(world.folder.path()), world.log, world.clock));
    good(journal->check());
    std::uint64_t delivered = 0;
    for (const MessageRow& row : get(journal->list({}))) {
        CHECK((row.state == State::delivered || row.state == State::duplicate));
        if (row.state == State::delivered) ++delivered;
        const Path file = Folders(world.folder.path()).kvittering / "drop" / (row.id.str() + ".json");
        CHECK(content(file).find("\"status\":\"levert\"") != std::string::npos);
    }
    CHECK(delivered == 1);
    CHECK(events(*journal, AuditKind::pseudonymised) == 1);
    CHECK(events(*journal, AuditKind::delivered) == 1);
    CHECK(events(*journal, AuditKind::removed) == 1);
    const auto spool = get(Spool::open(posix_file_system(), world.folder.path(), {}));
    const auto left = get(spool->survey());
    for (const Listing* listing : {&left.inbox_tmp, &left.inbox_new, &left.work, &left.outputs, &left.outbox,
                                   &left.quarantine, &left.receipts}) {
        CHECK(listing->ids.empty());
        CHECK(listing->strangers.empty());
    }
}

std::uint64_t calls_of_a_whole_run() {
    World world;
    REQUIRE(run(world) == End::finished);
    check_promises(world);
    return world.fs.calls();
}

struct Cut {
    Loss loss;
    std::uint64_t seed;
};
constexpr Cut kCuts[] = {{Loss::none, 0}, {Loss::unsynced, 0}, {Loss::random, 1}, {Loss::random, 2}, {Loss::random, 3}};

}  // namespace

TEST_SUITE("queue/crash") {
    TEST_CASE("ended at every call, by kill and by power cut") {
        const std::uint64_t calls = calls_of_a_whole_run();
        std::uint64_t fired = 0;
        for (std::uint64_t n = 1; n <= calls; ++n) {
            for (const Cut& cut : kCuts) {
                World world;
                world.fs.stop_at(n);
                const End end = run(world);
                const std::string where = world.fs.fired();
                CAPTURE(where);
                CAPTURE(n);
                CAPTURE(cut.seed);
                CHECK(end == End::stopped);
                ++fired;
                world.fs.crash(cut.loss, cut.seed * 1000 + n);
                CHECK(run(world) == End::finished);
                check_promises(world);
            }
        }
        MESSAGE("calls ", calls, ", cuts ", fired);
        CHECK(calls > 100);
    }

    TEST_CASE("ended twice: again at a random call of the recovery and what follows") {
        const std::uint64_t calls = calls_of_a_whole_run();
        std::mt19937_64 random(7);
        for (int i = 0; i < 300; ++i) {
            World world;
            world.fs.stop_at(1 + random() % calls);
            CHECK(run(world) == End::stopped);
            const std::string first = world.fs.fired();
            world.fs.crash(kCuts[random() % 5].loss, random());
            world.fs.stop_at(1 + random() % (calls / 2));
            const End end = run(world);
            const std::string second = world.fs.fired();
            CAPTURE(first);
            CAPTURE(second);
            CHECK(end != End::failed);
            world.fs.crash(kCuts[random() % 5].loss, random());
            CHECK(run(world) == End::finished);
            check_promises(world);
        }
    }

    TEST_CASE("every call fails once: the run ends or goes on, the next one makes it good") {
        const std::uint64_t calls = calls_of_a_whole_run();
        for (std::uint64_t n = 1; n <= calls; ++n) {
            for (const Code code : {Code::io, Code::disk_full}) {
                World world;
                world.fs.fail_at(n, code);
                run(world);
                const std::string where = world.fs.fired();
                CAPTURE(where);
                // A failed sync is a stop, and nobody may trust the cache afterwards.
                world.fs.crash(where.starts_with("sync") ? Loss::unsynced : Loss::none);
                CHECK(run(world) == End::finished);
                check_promises(world);
            }
        }
    }

    TEST_CASE("the harness goes red: without the file's sync an acknowledged message is lost") {
        World world;
        world.fs.drop_syncs(Call::sync_file, [](const Path& path) { return path.filename() == kInnsending; });
        get(hand_over(*get(Spool::open(world.fs, world.folder.path(), {})), kBody));
        world.acknowledged = true;
        world.fs.crash(Loss::unsynced);
        run(world);
        CHECK(world.at_register.empty());
    }

    TEST_CASE("the harness goes red: without the folder's sync an acknowledged message is lost") {
        for (const char* folder : {"new", "entry"}) {
            World world;
            const bool entry = std::string_view(folder) == "entry";
            world.fs.drop_syncs(Call::sync_folder, [entry](const Path& path) {
                return entry ? path.parent_path().filename() == "tmp" : path.filename() == "new";
            });
            get(hand_over(*get(Spool::open(world.fs, world.folder.path(), {})), kBody));
            world.acknowledged = true;
            world.fs.crash(Loss::unsynced);
            run(world);
            CHECK(world.at_register.empty());
        }
    }

    TEST_CASE("the harness goes red: without the output's sync a committed message is lost") {
        std::uint64_t lost = 0;
        for (std::uint64_t n = 1; n < 200 && lost == 0; ++n) {
            World cut;
            cut.fs.drop_syncs(Call::sync_file, [](const Path& path) { return path.filename() == kMelding; });
            cut.fs.stop_at(n);
            run(cut);
            cut.fs.crash(Loss::unsynced);
            run(cut);
            const bool right =
                !cut.at_register.empty() && cut.at_register.begin()->second == "ut:" + std::string(kBody);
            if (!right || !cut.broken.empty()) ++lost;
        }
        CHECK(lost == 1);
    }
}

}  // namespace tpf::queue::test
