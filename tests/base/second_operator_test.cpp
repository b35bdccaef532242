#include "base/second_operator.h"

#include <doctest/doctest.h>

namespace tpf {

TEST_SUITE("base/second_operator") {
    const UtcTime kAsked{std::chrono::seconds(1800000000)};
    const OperatorRequest kRequest{kAsked, {"kari", "why", 1001}};
    const Actor kOla{"ola", "seen", 1002};

    Code judged(const Actor& second, std::chrono::seconds later = std::chrono::hours(1)) {
        const Status status = check_second(kRequest, second, kAsked + later);
        return status ? Code::internal : status.error().code();
    }

    TEST_CASE("another person within a day approves") {
        CHECK(check_second(kRequest, kOla, kAsked).has_value());
        CHECK(check_second(kRequest, kOla, kAsked + kApproveWithin).has_value());
    }

    TEST_CASE("whoever asked does not, under another name or another uid either") {
        CHECK(judged({"kari", "", 1001}) == Code::denied);
        CHECK(judged({"kari2", "", 1001}) == Code::denied);
        CHECK(judged({"kari", "", 1003}) == Code::denied);
    }

    TEST_CASE("nobody without a name does") {
        CHECK(judged({"root", "", 0}) == Code::denied);
        CHECK(judged({"ola", "", 0}) == Code::denied);
        CHECK(judged({"uid 1004", "", 1004}) == Code::denied);
        CHECK(judged({"", "", 1004}) == Code::denied);
    }

    TEST_CASE("not later than a day, and not before it was asked for") {
        CHECK(judged(kOla, kApproveWithin + std::chrono::seconds(1)) == Code::usage);
        CHECK(judged(kOla, std::chrono::seconds(-1)) == Code::usage);
    }
}

}  // namespace tpf
