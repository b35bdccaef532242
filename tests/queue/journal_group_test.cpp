// Group commit under many callers. Meaningful under ThreadSanitizer too.
#include <doctest/doctest.h>

#include <atomic>
#include <latch>
#include <thread>

#include "queue/journal.h"
#include "tests/queue/fixtures.h"

namespace tpf::queue::test {
namespace {

constexpr int kThreads = 16;
constexpr int kEach = 12;

/// Holds the writer's thread in a question until the others have queued up behind it.
class Gate {
  public:
    explicit Gate(Journal& journal)
        : thread_([this, &journal] {
              good(journal.ask([this](sqlite::Database&) {
                  entered_.count_down();
                  open_.wait();
                  return ok();
              }));
          }) {
        entered_.wait();
    }
    void open() { open_.count_down(); }
    ~Gate() { thread_.join(); }

  private:
    std::latch entered_{1};
    std::latch open_{1};
    std::thread thread_;
};

}  // namespace

TEST_SUITE("queue/journal_group") {
    TEST_CASE("whatever was answered is there; changes share commits") {
        const TempFolder folder;
        const ManualClock clock;
        audit::EventLog log;
        const Path path = folder.path() / "journal.db";
        std::atomic<int> refused = 0;
        std::vector<std::vector<SpoolId>> done(kThreads);
        {
            const auto journal = get(Journal::open(path, log, clock));
            std::vector<std::thread> threads;
            for (std::size_t t = 0; t < kThreads; ++t) {
                threads.emplace_back([&, t] {
                    for (int i = 0; i < kEach; ++i) {
                        const SpoolId id = SpoolId::random();
                        if (!journal->claim(claim_of(id), entry(AuditKind::claimed))) continue;
                        // Every second asks for a step that there is not: it must not harm its group.
                        if (i % 2 == 1 && !journal->delivered(id, {"R", "t"}, entry(AuditKind::delivered))) ++refused;
                        if (!journal->quarantine(id, {.code = Code::not_xml}, entry(AuditKind::quarantined))) continue;
                        if (!journal->find(id)) continue;
                        done[t].push_back(id);
                    }
                });
            }
            for (std::thread& thread : threads) thread.join();
            const auto statistics = journal->statistics();
            CHECK(statistics.changes == 2 * kThreads * kEach);
            MESSAGE("changes ", statistics.changes, " in commits ", statistics.commits);
            CHECK(statistics.commits < statistics.changes);
        }
        CHECK(refused == kThreads * kEach / 2);
        const auto journal = get(Journal::open(path, log, clock));
        for (const auto& ids : done) {
            CHECK(ids.size() == kEach);
            for (const SpoolId& id : ids) CHECK(get(journal->find(id))->state == State::quarantined);
        }
        CHECK(events(*journal) == 2 * kThreads * kEach);
        good(journal->check());
    }

    TEST_CASE("what waits together is committed together; what is refused among it leaves nothing") {
        const TempFolder folder;
        const ManualClock clock;
        SwitchedSink sink;
        sink.fail_for = "refused";
        const auto journal = get(Journal::open(folder.path() / "journal.db", sink, clock));
        std::vector<SpoolId> good_ids, bad_ids;
        std::vector<std::thread> threads;
        std::atomic<int> refused = 0;
        {
            Gate gate(*journal);
            for (int t = 0; t < kThreads; ++t) {
                const bool bad = t % 2 == 1;
                const SpoolId id = SpoolId::random();
                (bad ? bad_ids : good_ids).push_back(id);
                threads.emplace_back([&journal, &refused, bad, id] {
                    const AuditEntry claimed(AuditKind::claimed, bad ? "refused" : "tpfd");
                    if (!journal->claim(claim_of(id), claimed)) ++refused;
                });
            }
            while (journal->statistics().waiting < kThreads) std::this_thread::yield();
            gate.open();
        }
        for (std::thread& thread : threads) thread.join();
        CHECK(refused == kThreads / 2);
        CHECK(journal->statistics().commits == 1);
        CHECK(journal->statistics().changes == kThreads / 2);
        for (const SpoolId& id : good_ids) CHECK(get(journal->find(id)).has_value());
        for (const SpoolId& id : bad_ids) CHECK_FALSE(get(journal->find(id)).has_value());
        CHECK(events(*journal) == kThreads / 2);
        good(journal->check());
    }

    TEST_CASE("one failed commit fails its whole group, and everybody after") {
        const TempFolder folder;
        const ManualClock clock;
        SwitchedSink sink;
        const Path path = folder.path() / "journal.db";
        std::atomic<int> stopped = 0;
        {
            const auto journal = get(Journal::open(path, sink, clock));
            sink.break_commit = true;
            std::vector<std::thread> threads;
            for (int t = 0; t < kThreads; ++t) {
                threads.emplace_back([&] {
                    const Status status = journal->record(entry(AuditKind::start));
                    if (!status && status.error().disposition() == Disposition::stop) ++stopped;
                });
            }
            for (std::thread& thread : threads) thread.join();
        }
        CHECK(stopped == kThreads);
        sink.break_commit = false;
        const auto journal = get(Journal::open(path, sink, clock));
        CHECK(events(*journal) == 0);
    }

    TEST_CASE("closing answers what was handed in") {
        const TempFolder folder;
        const ManualClock clock;
        audit::EventLog log;
        const Path path = folder.path() / "journal.db";
        for (int round = 0; round < 20; ++round) {
            const auto journal = get(Journal::open(path, log, clock));
            good(journal->record(entry(AuditKind::start)));
        }
        CHECK(events(*get(Journal::open(path, log, clock))) == 20);
    }
}

}  // namespace tpf::queue::test
