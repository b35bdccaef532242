#include "base/clock.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>

namespace tpf {

TEST_SUITE("base/clock") {
    TEST_CASE("times and dates go to text and back") {
        const auto time = parse_utc("2027-01-04T09:30:00Z").value();
        CHECK(time.time_since_epoch().count() == 1799055000);  // date -ud 2027-01-04T09:30:00Z +%s
        CHECK(format_utc(time) == "2027-01-04T09:30:00Z");
        CHECK(format_date(parse_date("2028-02-29").value()) == "2028-02-29");
        CHECK(format_utc(UtcTime{}) == "1970-01-01T00:00:00Z");
    }

    TEST_CASE("only the one form, and only real dates") {
        for (const char* bad : {"", "2027-1-4", "2027-02-29", "2027-13-01", "2027-00-10", "2027-04-31", "27-01-01",
                                "2027/01/01", "2027-01-01 ", "+027-01-01", "2027-01-0a"}) {
            CAPTURE(bad);
            CHECK(parse_date(bad).error().code() == Code::field_form);
        }
        for (const char* bad :
             {"2027-01-04T09:30:00", "2027-01-04 09:30:00Z", "2027-01-04T24:00:00Z", "2027-01-04T09:60:00Z",
              "2027-01-04T09:30:60Z", "2027-01-04T09:30:00+", "2027-02-30T09:30:00Z", "2027-01-04T09:30:00.0Z"}) {
            CAPTURE(bad);
            CHECK(parse_utc(bad).error().code() == Code::field_form);
        }
    }

    // The C library knows the rule from a POSIX TZ string: an implementation that is not ours.
    TEST_CASE("the Norwegian date is the C library's, at every hour of 60 years") {
        ::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
        ::tzset();
        int wrong = 0;
        const std::time_t end = 3'000'000'000;
        for (std::time_t t = 1'100'000'000; t < end; t += 1800) {
            std::tm local{};
            ::localtime_r(&t, &local);
            const auto expected = std::chrono::sys_days(std::chrono::year(local.tm_year + 1900) /
                                                        std::chrono::month(static_cast<unsigned>(local.tm_mon + 1)) /
                                                        std::chrono::day(static_cast<unsigned>(local.tm_mday)));
            if (norwegian_date(UtcTime(std::chrono::seconds(t))) != expected) ++wrong;
        }
        ::unsetenv("TZ");
        ::tzset();
        CHECK(wrong == 0);
    }

    TEST_CASE("the system's clock moves on") {
        CHECK(system_clock().utc().time_since_epoch().count() > 1'700'000'000);
        const auto before = system_clock().steady();
        CHECK(system_clock().steady() >= before);
    }
}

}  // namespace tpf
