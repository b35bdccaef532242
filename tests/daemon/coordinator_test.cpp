#include "daemon/coordinator.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "daemon/commands.h"
#include "tests/daemon/core_fixture.h"

namespace tpf::daemon::test {
namespace {

using queue::State;
using Mode = Coordinator::Mode;

constexpr std::chrono::milliseconds kAlmostASecond{999};

/// The main loop without its process. run(drain) is one round: it returns when nothing is left that can be done now,
/// and what waits for a later time waits for the clock, which only the test moves.
struct CoordinatorFixture : CoreFixture {
    Coordinator coordinator{core, wake.get(), -1};
    Commands commands{core, coordinator};
    std::atomic<unsigned> tries{0};

    bool round() { return coordinator.run(Mode::drain); }
    /// As long as it stands, `call` on `path` fails; each time counts.
    void failing(Call call, const Path& path, Code code = Code::io) {
        hooked.hook([this, call, path, code](Call now, const Path& at) -> Status {
            if (now != call || at != path) return ok();
            ++tries;
            return fail(code, "injected");
        });
    }
    void mended() { hooked.hook({}); }
    Json status() {
        ControlStream none(-1);
        return get(commands.run({{"command", "status"}}, {0, "kari"}, none));
    }
    [[nodiscard]] Path answer(const SpoolId& id) const { return at().kvittering / "drop" / (id.str() + ".json"); }
    /// Waits for what another thread does.
    template <class Probe>
    void until(const Probe& probe) {
        for (int i = 0; i < 2000 && !probe(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        REQUIRE(probe());
    }
    /// The loop on a thread of its own, as in the process; stopped where a test ends early.
    struct Loop {
        Loop(CoordinatorFixture& fixture, Mode mode)
            : fixture_(fixture), thread_([this, mode] {
                  nothing_left = fixture_.coordinator.run(mode);
                  ended = true;
              }) {}
        ~Loop() { stop(); }
        Loop(const Loop&) = delete;
        Loop& operator=(const Loop&) = delete;
        void stop() {
            fixture_.lifecycle.request_stop();
            if (thread_.joinable()) thread_.join();
        }
        std::atomic<bool> ended{false}, nothing_left{false};

      private:
        CoordinatorFixture& fixture_;
        std::thread thread_;
    };
    /// Moves the clock until the loop has ended by itself.
    void until_ended(Loop& loop) {
        until([&] {
            clock.advance(std::chrono::seconds(1));
            lifecycle.wake();
            return loop.ended.load();
        });
    }
};

}  // namespace

TEST_SUITE("daemon/coordinator") {
    TEST_CASE_FIXTURE(CoordinatorFixture,
                      "what an error kept is tried again with back-off, told of, and keeps no other") {
        const SpoolId stuck = handed_over(submission().build());
        failing(Call::open_read, at().work / stuck.view() / queue::kInnsending);
        const SpoolId other = handed_over(submission().build());
        CHECK_FALSE(round());
        CHECK(row(other).state == State::committed);
        CHECK(row(stuck).state == State::claimed);
        CHECK(tries == 1);
        const Json waiting = status()["waiting"];
        REQUIRE(waiting.size() == 1);
        CHECK(waiting[0]["id"] == stuck.str());
        CHECK(waiting[0]["code"] == "LESEFEIL");

        // 1, 2, 4, … seconds, at most 60.
        unsigned expected = 1;
        for (const int seconds : {1, 2, 4, 8, 16, 32, 60, 60}) {
            clock.advance(std::chrono::seconds(seconds) - std::chrono::milliseconds(1));
            CHECK_FALSE(round());
            CHECK(tries == expected);
            clock.advance(std::chrono::milliseconds(1));
            CHECK_FALSE(round());
            CHECK(tries == ++expected);
        }
        CHECK(row(stuck).attempts == 1);  // the same trouble is noted once
        const SpoolId later = handed_over(submission().build());
        CHECK_FALSE(round());
        CHECK(row(later).state == State::committed);

        mended();
        clock.advance(std::chrono::seconds(60));
        CHECK(round());
        CHECK(row(stuck).state == State::committed);
        CHECK(status()["waiting"].empty());
    }

    TEST_CASE_FIXTURE(CoordinatorFixture, "so is one whose move failed after the journal had it") {
        const SpoolId stuck = handed_over(submission().build());
        failing(Call::rename, at().inbox_new / stuck.view());
        const SpoolId other = handed_over(submission().build());
        CHECK_FALSE(round());
        CHECK(row(stuck).state == State::claimed);
        CHECK(row(other).state == State::committed);
        clock.advance(kAlmostASecond);
        CHECK_FALSE(round());
        CHECK(tries == 1);
        clock.advance(std::chrono::milliseconds(1));
        CHECK_FALSE(round());
        CHECK(tries == 2);
        mended();
        clock.advance(std::chrono::seconds(2));
        CHECK(round());
        CHECK(row(stuck).state == State::committed);
        CHECK(events(*journal, AuditKind::received) == 2);
    }

    TEST_CASE_FIXTURE(CoordinatorFixture, "a used spool id is looked at again with back-off, and changes nothing") {
        const SpoolId id = handed_over(submission().build());
        CHECK(round());
        const auto before = row(id);
        const std::uint64_t entries = events(*journal);
        const SpoolId second = get(hand_over(*spool, submission().build())).id;
        std::filesystem::rename(at().inbox_new / second.view(), at().inbox_new / id.view());
        std::atomic<unsigned> looks = 0;
        hooked.hook([&](Call call, const Path& path) -> Status {
            if (call == Call::may_change && path == at().inbox_new / id.view()) ++looks;
            return ok();
        });
        CHECK_FALSE(round());
        unsigned expected = looks;
        CHECK(expected == 1);
        for (const int seconds : {1, 2, 4}) {
            clock.advance(std::chrono::seconds(seconds) - std::chrono::milliseconds(1));
            CHECK_FALSE(round());
            CHECK(looks == expected);
            clock.advance(std::chrono::milliseconds(1));
            CHECK_FALSE(round());
            CHECK(looks == ++expected);
        }
        const SpoolId other = handed_over(submission().build());
        CHECK_FALSE(round());
        CHECK(row(other).state == State::committed);
        CHECK(there(at().inbox_new, id));
        CHECK(row(id).revision == before.revision);
        CHECK(row(id).input_sha256 == before.input_sha256);
        CHECK(events(*journal) == entries + 2);  // the other's

        // Its source takes it away again: nothing waits any more.
        std::filesystem::remove_all(at().inbox_new / id.view());
        clock.advance(std::chrono::seconds(60));
        CHECK(round());
    }

    TEST_CASE_FIXTURE(CoordinatorFixture,
                      "a kvittering that could not be written is written later, without a restart") {
        std::filesystem::create_directories(at().kvittering / "drop");
        const SpoolId id = handed_over("ikke xml");
        failing(Call::create, at().kvittering / "drop" / (id.str() + ".json.tmp"));
        Loop loop(*this, Mode::serve);
        until([&] { return tries == 1; });
        // Whatever else happens, not before its time.
        const SpoolId other = handed_over("heller ikke xml");
        lifecycle.wake();
        until([&] { return get(journal->find(other)) && row(other).state == State::quarantined; });
        clock.advance(std::chrono::milliseconds(4999));
        lifecycle.wake();
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        CHECK(tries == 1);
        CHECK_FALSE(std::filesystem::exists(answer(id)));
        mended();
        clock.advance(std::chrono::milliseconds(1));
        lifecycle.wake();
        until([&] { return std::filesystem::exists(answer(id)) && std::filesystem::exists(answer(other)); });
        loop.stop();
        CHECK(loop.nothing_left);
    }

    TEST_CASE_FIXTURE(CoordinatorFixture, "a stop does not leave it to the next start") {
        std::filesystem::create_directories(at().kvittering / "drop");
        const SpoolId id = handed_over("ikke xml");
        failing(Call::create, at().kvittering / "drop" / (id.str() + ".json.tmp"));
        Loop loop(*this, Mode::serve);
        until([&] { return tries == 1; });
        mended();
        until([&] { return status().at("messages").at("quarantined") == 1; });
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        CHECK_FALSE(std::filesystem::exists(answer(id)));
        loop.stop();
        CHECK(std::filesystem::exists(answer(id)));
        CHECK(loop.nothing_left);
    }

    TEST_CASE_FIXTURE(CoordinatorFixture, "drain does not end while a kvittering is due that can be written") {
        std::filesystem::create_directories(at().kvittering / "drop");
        const SpoolId id = handed_over("ikke xml");
        failing(Call::create, at().kvittering / "drop" / (id.str() + ".json.tmp"));
        Loop loop(*this, Mode::drain);
        until([&] { return tries == 1 || loop.ended; });
        mended();
        until_ended(loop);
        CHECK(loop.nothing_left);
        CHECK(std::filesystem::exists(answer(id)));
        CHECK(get(journal->answers_due(1)).empty());
    }

    TEST_CASE_FIXTURE(CoordinatorFixture,
                      "nor for ever: one that cannot be written after three tries is something left") {
        std::filesystem::create_directories(at().kvittering / "drop");
        const SpoolId id = handed_over("ikke xml");
        failing(Call::create, at().kvittering / "drop" / (id.str() + ".json.tmp"));
        Loop loop(*this, Mode::drain);
        until_ended(loop);
        CHECK_FALSE(loop.nothing_left);
        CHECK(tries == 3);
        CHECK(get(journal->answers_due(1)).size() == 1);
    }
}

}  // namespace tpf::daemon::test
