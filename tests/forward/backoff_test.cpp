#include "forward/backoff.h"

#include <doctest/doctest.h>

namespace {

using namespace std::chrono_literals;
using tpf::forward::Backoff;

TEST_SUITE("forward/backoff") {
    TEST_CASE("doubles to the maximum, between half of the first wait and the ceiling") {
        const Backoff backoff{4s, 60s};
        const std::chrono::seconds ceilings[] = {4s, 8s, 16s, 32s, 60s, 60s};
        for (unsigned failures = 1; failures <= 6; ++failures) {
            CAPTURE(failures);
            CHECK(backoff.after(failures, 0.0) == 2s);
            CHECK(backoff.after(failures, 1.0) == ceilings[failures - 1]);
            CHECK(backoff.after(failures, 0.5) == (2s + ceilings[failures - 1]) / 2.0);
        }
        CHECK(backoff.after(4'000'000'000U, 1.0) == 60s);
        CHECK(backoff.after(1, -3.0) == 2s);
        CHECK(backoff.after(1, 3.0) == 4s);
    }

    TEST_CASE("what the register asks for is kept within bounds") {
        const Backoff backoff{4s, 60s};
        CHECK(backoff.bounded(0s) == 2s);
        CHECK(backoff.bounded(30s) == 30s);
        CHECK(backoff.bounded(3600s) == 60s);
        CHECK(backoff.bounded(std::chrono::seconds::max()) == 60s);
    }

    TEST_CASE("the draw spreads over [0, 1)") {
        const auto draw = tpf::forward::random_draw();
        bool low = false;
        bool high = false;
        for (int i = 0; i < 1000; ++i) {
            const double x = draw();
            REQUIRE(x >= 0.0);
            REQUIRE(x < 1.0);
            low = low || x < 0.1;
            high = high || x > 0.9;
        }
        CHECK(low);
        CHECK(high);
    }
}

}  // namespace
