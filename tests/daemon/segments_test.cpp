#include "daemon/segments.h"

#include <doctest/doctest.h>

#include "audit/segments.h"
#include "tests/daemon/core_fixture.h"

namespace tpf::daemon::test {
namespace {

struct SegmentsFixture : CoreFixture {
    std::vector<audit::Segment> closed() {
        std::vector<audit::Segment> found;
        good(journal->ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(found, audit::closed_segments(db));
            return ok();
        }));
        return found;
    }
    void entry() { good(journal->record(AuditEntry(AuditKind::start, "tpfd"))); }
    int year() { return audit::year_of(clock.utc()); }
};

}  // namespace

TEST_SUITE("daemon/segments") {
    TEST_CASE_FIXTURE(SegmentsFixture, "a year is closed when it is over, once") {
        good(close_year(*journal, clock, ClockTrust::fresh));
        CHECK(closed().empty());  // there is no entry yet
        entry();
        const int first = year();
        good(close_year(*journal, clock, ClockTrust::fresh));
        CHECK(closed().empty());
        clock.advance_utc(std::chrono::hours(24 * 366));
        good(close_year(*journal, clock, ClockTrust::fresh));
        good(close_year(*journal, clock, ClockTrust::fresh));
        REQUIRE(closed().size() == 1);
        CHECK(closed()[0] == audit::Segment{first, 1, 2});
        // Years without an entry have no segment.
        clock.advance_utc(std::chrono::hours(24 * 366 * 3));
        good(close_year(*journal, clock, ClockTrust::fresh));
        CHECK(closed().size() == 1);
        entry();
        const int later = year();
        clock.advance_utc(std::chrono::hours(24 * 366));
        good(close_year(*journal, clock, ClockTrust::fresh));
        REQUIRE(closed().size() == 2);
        CHECK(closed()[1] == audit::Segment{later, 3, 4});
    }

    TEST_CASE_FIXTURE(SegmentsFixture, "a clock that was set back closes nothing") {
        entry();
        clock.advance_utc(-std::chrono::hours(24 * 800));
        good(close_year(*journal, clock, ClockTrust::fresh));
        entry();
        CHECK(closed().empty());
    }

    TEST_CASE_FIXTURE(SegmentsFixture, "what began in the future is closed, once the clock can be believed") {
        entry();
        clock.advance_utc(std::chrono::hours(24 * 366 * 40));
        good(close_year(*journal, clock, ClockTrust::fresh));
        entry();
        clock.advance_utc(-std::chrono::hours(24 * 366 * 40));
        good(close_year(*journal, clock, ClockTrust::fresh));
        CHECK(closed().size() == 1);
        good(close_year(*journal, clock, ClockTrust::settled));
        CHECK(closed().size() == 2);
        entry();
        good(close_year(*journal, clock, ClockTrust::settled));
        CHECK(closed().size() == 2);
    }

    TEST_CASE_FIXTURE(SegmentsFixture, "an entry that cannot be written is an error, and the next time closes it") {
        entry();
        clock.advance_utc(std::chrono::hours(24 * 366));
        sink.fail_with = Code::disk_full;
        CHECK_FALSE(close_year(*journal, clock, ClockTrust::fresh).has_value());
        sink.fail_with.reset();
        good(close_year(*journal, clock, ClockTrust::fresh));
        CHECK(closed().size() == 1);
    }
}

}  // namespace tpf::daemon::test
