#include "register/fault.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using namespace tpf;
using namespace tpf::reg;

TEST_SUITE("register/fault") {
    TEST_CASE("the first N, one rule after the other") {
        FaultPlan plan;
        REQUIRE(plan.add("503:2").has_value());
        REQUIRE(plan.add("cut:1").has_value());
        CHECK(plan.next() == Fault::status_503);
        CHECK(plan.next() == Fault::status_503);
        CHECK(plan.next() == Fault::cut);
        CHECK(plan.next() == Fault::none);
    }

    TEST_CASE("every request, and a share that the seed decides") {
        FaultPlan always;
        REQUIRE(always.add("slow").has_value());
        CHECK(always.next() == Fault::slow);
        CHECK(always.next() == Fault::slow);
        const auto draw = [](std::uint64_t seed) {
            FaultPlan plan;
            REQUIRE(plan.add("hang:30%").has_value());
            plan.seed(seed);
            std::string drawn;
            for (int i = 0; i < 1000; ++i) drawn += plan.next() == Fault::hang ? 'x' : '.';
            return drawn;
        };
        CHECK(draw(1) == draw(1));
        CHECK(draw(1) != draw(2));
        const std::string drawn = draw(1);
        const auto hit = std::count(drawn.begin(), drawn.end(), 'x');
        CHECK(hit > 230);
        CHECK(hit < 370);
    }

    TEST_CASE("what is not understood") {
        for (const char* bad : {"", "x", "503:", "503:x", "503:-1", "503:101%", "503:%", "503:1:2", ":1"}) {
            FaultPlan plan;
            CHECK_MESSAGE(!plan.add(bad).has_value(), bad);
        }
    }
}
