#include "forward/schedule.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace {

using namespace tpf;
using namespace std::chrono_literals;
using forward::Backoff;
using forward::Schedule;
using forward::ScheduleLimits;

const RegisterName kA = RegisterName::parse("IPLOS").value();
const RegisterName kB = RegisterName::parse("KPR").value();
constexpr std::uint64_t kSmall = 1000;
constexpr std::uint64_t kLarge = 100U << 20;

/// Time is what the test says; each draw is 1, so that a wait is the back-off's ceiling: 10 s, 20 s, 40 s … 100 s.
struct Bench {
    explicit Bench(std::map<RegisterName, unsigned> connections, bool once = false, unsigned overall = 32)
        : schedule(ScheduleLimits{overall, 8U << 20, Backoff{10s, 100s}, once}, connections, [] { return 1.0; }) {}

    SpoolId add(const RegisterName& name, std::uint64_t bytes = kSmall) {
        const SpoolId id = SpoolId::random();
        CHECK(schedule.add(id, name, bytes));
        return id;
    }
    std::vector<SpoolId> add_many(int count, const RegisterName& name, std::uint64_t bytes = kSmall) {
        std::vector<SpoolId> ids;
        for (int i = 0; i < count; ++i) ids.push_back(add(name, bytes));
        return ids;
    }
    std::vector<SpoolId> start_all() {
        std::vector<SpoolId> started;
        while (const auto id = schedule.start(now)) started.push_back(*id);
        return started;
    }
    Schedule schedule;
    Schedule::Time now = Schedule::Time(1000s);
};

bool holds(const std::vector<SpoolId>& ids, const SpoolId& id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
}

TEST_SUITE("forward/schedule") {
    TEST_CASE("first in, first out, as many as there are connections") {
        Bench bench({{kA, 3}});
        const auto ids = bench.add_many(5, kA);
        CHECK(bench.start_all() == std::vector<SpoolId>(ids.begin(), ids.begin() + 3));
        CHECK_FALSE(bench.schedule.next_time());
        bench.schedule.answered(ids[1]);
        CHECK(bench.start_all() == std::vector<SpoolId>{ids[3]});
    }

    TEST_CASE("known ids and unknown registers are not added") {
        Bench bench({{kA, 1}});
        const SpoolId id = bench.add(kA);
        CHECK_FALSE(bench.schedule.add(id, kA, kSmall));
        CHECK_FALSE(bench.schedule.add(SpoolId::random(), kB, kSmall));
    }

    TEST_CASE("configured anew: other connections, a register more, and what waited for time to pass is due") {
        Bench bench({{kA, 1}});
        const auto ids = bench.add_many(3, kA);
        CHECK(bench.start_all().size() == 1);
        bench.schedule.register_failed(ids[0], bench.now);
        CHECK(bench.start_all().empty());
        CHECK(bench.schedule.next_time() == bench.now + 10s);
        const SpoolId failed = bench.add(kA);
        CHECK_FALSE(bench.schedule.add(SpoolId::random(), kB, kSmall));
        bench.schedule.configure(ScheduleLimits{32, 8U << 20, Backoff{10s, 100s}, false}, {{kA, 3}, {kB, 1}},
                                 bench.now);
        bench.add(kB);
        // A probe of the register that failed, and the new one's.
        CHECK(bench.start_all().size() == 2);
        bench.schedule.answered(ids[1]);
        CHECK(bench.start_all().size() == 3);
        CHECK(bench.schedule.knows(failed));
    }

    TEST_CASE("a register that is not named any more: its messages are forgotten, those under way when they end") {
        const ScheduleLimits limits{2, 8U << 20, Backoff{10s, 100s}, false};
        Bench bench({{kA, 1}, {kB, 2}}, false, 2);
        const auto gone = bench.add_many(4, kA);
        const SpoolId handed_over = gone[0], failed = gone[1], flying = gone[2];
        CHECK(bench.start_all() == std::vector<SpoolId>{handed_over});
        bench.schedule.answered(handed_over);
        CHECK(bench.start_all() == std::vector<SpoolId>{failed});
        bench.schedule.message_failed(failed, bench.now);
        CHECK(bench.start_all() == std::vector<SpoolId>{flying});
        bench.schedule.configure(limits, {{kB, 2}}, bench.now);
        CHECK(bench.schedule.all() == std::vector<SpoolId>{flying});
        CHECK_FALSE(bench.schedule.add(SpoolId::random(), kA, kSmall));
        bench.schedule.register_failed(flying, bench.now);
        CHECK(bench.schedule.all().empty());
        CHECK_FALSE(bench.schedule.next_time());
        // No slot is kept for it, and none is when it comes back.
        bench.add_many(3, kB);
        CHECK(bench.start_all().size() == 2);
        bench.schedule.configure(limits, {{kA, 1}, {kB, 2}}, bench.now);
        const SpoolId back = bench.add(kA);
        CHECK(bench.start_all() == std::vector<SpoolId>{back});
    }

    TEST_CASE("large messages leave a slot to the small ones") {
        Bench bench({{kA, 3}});
        bench.add_many(10, kA, kLarge);
        const SpoolId small = bench.add(kA, kSmall);
        const auto started = bench.start_all();
        CHECK(started.size() == 3);
        CHECK(holds(started, small));
        CHECK(bench.start_all().empty());
        bench.schedule.answered(small);
        // No third large one, though a slot is free.
        CHECK(bench.start_all().empty());
        CHECK(bench.start_all().size() + bench.add_many(1, kA).size() == 1);
        CHECK(bench.start_all().size() == 1);
    }

    TEST_CASE("on one connection large and small take turns") {
        Bench bench({{kA, 1}});
        const auto large = bench.add_many(3, kA, kLarge);
        const auto small = bench.add_many(3, kA, kSmall);
        std::vector<bool> order;
        for (int i = 0; i < 6; ++i) {
            const auto started = bench.start_all();
            REQUIRE(started.size() == 1);
            order.push_back(holds(large, started[0]));
            bench.schedule.answered(started[0]);
        }
        CHECK(order == std::vector<bool>{true, false, true, false, true, false});
    }

    TEST_CASE("a register that takes forever leaves the others their slots") {
        Bench bench({{kA, 32}, {kB, 4}}, false, 8);
        bench.add_many(100, kA);
        // The last slot is kept for the register that has none.
        CHECK(bench.start_all().size() == 7);
        const auto others = bench.add_many(3, kB);
        CHECK(bench.start_all() == std::vector<SpoolId>{others[0]});
        bench.schedule.answered(others[0]);
        CHECK(bench.start_all() == std::vector<SpoolId>{others[1]});
    }

    TEST_CASE("registers take turns for what there is") {
        Bench bench({{kA, 32}, {kB, 32}}, false, 10);
        bench.add_many(100, kA);
        bench.add_many(100, kB);
        CHECK(bench.start_all().size() == 10);
        CHECK(bench.schedule.state(kA).in_flight == 5);
        CHECK(bench.schedule.state(kB).in_flight == 5);
    }

    TEST_CASE("the overall limit is never below one for each register") {
        Bench bench({{kA, 1}, {kB, 1}}, false, 1);
        bench.add(kA);
        bench.add(kB);
        CHECK(bench.start_all().size() == 2);
    }

    TEST_CASE("a message that failed waits by itself, longer each time") {
        Bench bench({{kA, 1}});
        const SpoolId bad = bench.add(kA);
        CHECK(bench.start_all() == std::vector<SpoolId>{bad});
        bench.schedule.message_failed(bad, bench.now);
        CHECK(bench.schedule.next_time() == bench.now + 10s);
        CHECK(bench.start_all().empty());
        const SpoolId good = bench.add(kA);
        CHECK(bench.start_all() == std::vector<SpoolId>{good});
        bench.schedule.answered(good);
        bench.now += 10s;
        CHECK(bench.start_all() == std::vector<SpoolId>{bad});
        bench.schedule.message_failed(bad, bench.now);
        CHECK(bench.schedule.next_time() == bench.now + 20s);
    }

    TEST_CASE("a register that failed is probed by one message at a time, each time another") {
        Bench bench({{kA, 4}});
        const auto ids = bench.add_many(6, kA);
        CHECK(bench.start_all().size() == 4);
        for (int i = 0; i < 4; ++i) bench.schedule.register_failed(ids[static_cast<std::size_t>(i)], bench.now);
        // Four at once are one incident.
        CHECK(bench.schedule.state(kA).failures == 1);
        CHECK(bench.schedule.next_time() == bench.now + 10s);
        bench.now += 9s;
        CHECK(bench.start_all().empty());
        bench.now += 1s;
        CHECK(bench.start_all() == std::vector<SpoolId>{ids[4]});
        CHECK_FALSE(bench.schedule.next_time());
        bench.schedule.register_failed(ids[4], bench.now);
        CHECK(bench.schedule.state(kA).next_attempt == bench.now + 20s);
        bench.now += 20s;
        CHECK(bench.start_all() == std::vector<SpoolId>{ids[5]});
        bench.schedule.answered(ids[5]);
        // It is back: all at once, none of them held against anything.
        CHECK(bench.start_all().size() == 4);
    }

    TEST_CASE("a small message probes before a large one") {
        Bench bench({{kA, 1}});
        const SpoolId first = bench.add(kA, kSmall);
        bench.start_all();
        bench.schedule.register_failed(first, bench.now);
        const SpoolId large = bench.add(kA, kLarge);
        bench.now += 10s;
        CHECK(bench.start_all() == std::vector<SpoolId>{first});
        bench.schedule.remove(first);
        bench.schedule.register_failed(first, bench.now);
        bench.now += 20s;
        CHECK(bench.start_all() == std::vector<SpoolId>{large});
    }

    TEST_CASE("failures of messages in a row become the register's, an answer between them clears it") {
        Bench bench({{kA, 1}});
        const auto ids = bench.add_many(6, kA);
        for (std::size_t i = 0; i < 2; ++i) {
            REQUIRE(bench.start_all().size() == 1);
            bench.schedule.message_failed(ids[i], bench.now);
        }
        REQUIRE(bench.start_all().size() == 1);
        bench.schedule.answered(ids[2]);
        for (std::size_t i = 3; i < 6; ++i) {
            CHECK(bench.schedule.state(kA).failures == 0);
            REQUIRE(bench.start_all().size() == 1);
            bench.schedule.message_failed(ids[i], bench.now);
        }
        CHECK(bench.schedule.state(kA).failures == 1);
    }

    TEST_CASE("Retry-After is obeyed within bounds, also from one that was under way") {
        Bench bench({{kA, 2}});
        const auto ids = bench.add_many(2, kA);
        bench.start_all();
        bench.schedule.register_failed(ids[0], bench.now, 30s);
        CHECK(bench.schedule.next_time() == bench.now + 30s);
        bench.schedule.register_failed(ids[1], bench.now, 70s);
        CHECK(bench.schedule.next_time() == bench.now + 70s);
        CHECK(bench.schedule.state(kA).failures == 1);
        bench.now += 70s;
        const auto probe = bench.start_all();
        REQUIRE(probe.size() == 1);
        bench.schedule.register_failed(probe[0], bench.now, 3600s);
        CHECK(bench.schedule.next_time() == bench.now + 100s);
    }

    TEST_CASE("one dead register does not change the other's times") {
        Bench bench({{kA, 1}, {kB, 1}});
        const SpoolId dead = bench.add(kA);
        const auto alive = bench.add_many(50, kB);
        std::size_t delivered = 0;
        for (int second = 0; second < 50; ++second) {
            for (const SpoolId& id : bench.start_all()) {
                if (id == dead) {
                    bench.schedule.register_failed(id, bench.now);
                } else {
                    bench.schedule.answered(id);
                    ++delivered;
                }
            }
            bench.now += 1s;
        }
        CHECK(delivered == 50);
    }

    TEST_CASE("what the core did not accept is sent again, waiting longer each time") {
        Bench bench({{kA, 1}});
        const SpoolId id = bench.add(kA);
        for (const auto wait : {10s, 20s, 40s, 80s, 100s, 100s}) {
            REQUIRE(bench.start_all().size() == 1);
            bench.schedule.answered(id);
            CHECK(bench.schedule.is_handed_over(id));
            CHECK(bench.schedule.state(kA).handed_over == 1);
            CHECK_FALSE(bench.schedule.next_time());
            bench.schedule.not_accepted(id, bench.now);
            CHECK(bench.schedule.next_time() == bench.now + wait);
            bench.now += wait;
        }
    }

    TEST_CASE("a message that goes away is forgotten in whatever state") {
        Bench bench({{kA, 2}});
        const SpoolId waiting = bench.add(kA);
        bench.schedule.remove(waiting);
        CHECK(bench.start_all().empty());
        const SpoolId flying = bench.add(kA, kLarge);
        REQUIRE(bench.start_all().size() == 1);
        bench.schedule.remove(flying);
        CHECK(bench.schedule.total_in_flight() == 1);
        bench.schedule.message_failed(flying, bench.now);
        CHECK_FALSE(bench.schedule.knows(flying));
        const SpoolId late = bench.add(kA);
        REQUIRE(bench.start_all().size() == 1);
        bench.schedule.message_failed(late, bench.now);
        bench.schedule.remove(late);
        CHECK_FALSE(bench.schedule.next_time());
        const SpoolId done = bench.add(kA);
        REQUIRE(bench.start_all().size() == 1);
        bench.schedule.answered(done);
        bench.schedule.remove(done);
        CHECK(bench.schedule.all().empty());
        CHECK(bench.schedule.state(kA).waiting == 0);
        CHECK(bench.schedule.state(kA).handed_over == 0);
        CHECK(bench.schedule.state(kA).in_flight == 0);
    }

    TEST_CASE("once: each is tried once, and a dead register is given up after a few probes") {
        Bench bench({{kA, 2}, {kB, 1}}, true);
        bench.add_many(20, kA);
        const SpoolId other = bench.add(kB);
        unsigned tries = 0;
        while (bench.schedule.next_time()) {
            bench.now = std::max(bench.now, *bench.schedule.next_time());
            for (const SpoolId& id : bench.start_all()) {
                if (id == other) {
                    bench.schedule.message_failed(id, bench.now);
                } else {
                    ++tries;
                    bench.schedule.register_failed(id, bench.now);
                }
            }
        }
        CHECK(bench.schedule.total_in_flight() == 0);
        // Two at once, which are one incident, and two probes.
        CHECK(tries == 4);
        CHECK(bench.schedule.state(kA).waiting == 20);
        CHECK(bench.schedule.state(kB).waiting == 1);
    }
}

}  // namespace
