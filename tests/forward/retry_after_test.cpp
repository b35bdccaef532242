#include <doctest/doctest.h>

#include "forward/answer.h"

namespace {

using namespace tpf;
using namespace std::chrono_literals;
using forward::parse_retry_after;

// RFC 9110 § 5.6.7's own examples are one moment in three forms.
const UtcTime kExample = parse_utc("1994-11-06T08:49:37Z").value();

TEST_SUITE("forward/retry_after") {
    TEST_CASE("seconds") {
        CHECK(parse_retry_after("0", kExample) == 0s);
        CHECK(parse_retry_after("120", kExample) == 120s);
        CHECK(parse_retry_after("99999999999999999999999", kExample) == std::chrono::seconds(365 * 24h));
    }

    TEST_CASE("the three forms of RFC 9110") {
        for (const char* form :
             {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
            CAPTURE(form);
            CHECK(parse_retry_after(form, kExample - 90s) == 90s);
            CHECK(parse_retry_after(form, kExample + 90s) == 0s);
        }
        CHECK(parse_retry_after("Wed Nov 16 08:49:37 1994", parse_utc("1994-11-16T08:49:30Z").value()) == 7s);
    }

    TEST_CASE("two-digit years lie less than 50 years ahead") {
        const UtcTime now = parse_utc("2027-01-04T09:30:00Z").value();
        CHECK(parse_retry_after("Monday, 04-Jan-27 09:30:05 GMT", now) == 5s);
        CHECK(parse_retry_after("Monday, 04-Jan-94 09:30:05 GMT", now) == 0s);
    }

    TEST_CASE("neither") {
        for (const char* text :
             {"", " ", "-1", "+1", "1.5", "1s", "soon", "Sun, 06 Nov 1994 08:49:37", "Sun, 31 Feb 1994 08:49:37 GMT",
              "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, -6 Nov 1994 08:49:37 GMT",
              "Sun, 06 Nov 1994 08:49:37 CET", "Sun,06 Nov 1994 08:49:37 GMT"}) {
            CAPTURE(text);
            CHECK_FALSE(parse_retry_after(text, kExample));
        }
    }
}

}  // namespace
