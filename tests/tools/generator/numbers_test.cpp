#include "tests/tools/generator/numbers.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <vector>

using namespace tpf;
using namespace tpf::generator;

namespace {

NumberSource source(std::string_view kinds, Synthetic synthetic = Synthetic::tenor, Rule rule = Rule::both,
                    std::uint64_t seed = 7) {
    NumberOptions options;
    options.seed = seed;
    options.mix = parse_mix(kinds).value();
    options.synthetic = synthetic;
    options.rule = rule;
    auto made = NumberSource::create(options);
    REQUIRE(made);
    return std::move(made).value();
}

std::vector<std::string> take(NumberSource from, int count) {
    std::vector<std::string> out;
    for (int i = 0; i < count; ++i) out.push_back(from.next().value());
    return out;
}

int residue(std::string_view number, const std::vector<int>& weights) {
    int sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) sum += weights[i] * (number[i] - '0');
    return sum % 11;
}
int residue1(std::string_view number) {
    return residue(number, {3, 7, 6, 1, 8, 9, 4, 5, 2, 1});
}
int residue2(std::string_view number) {
    return residue(number, {5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1});
}
int month(std::string_view number) {
    return std::stoi(std::string(number.substr(2, 2)));
}

}  // namespace

TEST_SUITE("generator/numbers") {
    TEST_CASE("a permutation gives every value once") {
        for (const std::uint64_t size : {1u, 2u, 3u, 64u, 1000u, 1025u}) {
            Permutation permutation(size, 42);
            std::set<std::uint64_t> seen;
            while (const auto value = permutation.next()) {
                CHECK(*value < size);
                CHECK(seen.insert(*value).second);
            }
            CHECK(seen.size() == size);
        }
    }

    TEST_CASE("the seed decides") {
        CHECK(take(source("all"), 500) == take(source("all"), 500));
        CHECK(take(source("all"), 500) != take(source("all", Synthetic::tenor, Rule::both, 8), 500));
    }

    TEST_CASE("no number comes twice") {
        const auto numbers = take(source("all"), 50'000);
        CHECK(std::set<std::string>(numbers.begin(), numbers.end()).size() == numbers.size());
    }

    TEST_CASE("control digits follow the rule asked for") {
        for (const auto& number : take(source("fodselsnummer", Synthetic::tenor, Rule::old), 2000)) {
            CHECK(residue1(number) == 0);
            CHECK(residue2(number) == 0);
        }
        for (const auto& number : take(source("d-nummer", Synthetic::tenor, Rule::relaxed_2032), 2000)) {
            CHECK((residue1(number) >= 1 && residue1(number) <= 3));
            CHECK(residue2(number) == 0);
        }
        const auto both = take(source("fodselsnummer"), 2000);
        const auto relaxed = std::count_if(both.begin(), both.end(), [](const auto& n) { return residue1(n) != 0; });
        CHECK((relaxed > 100 && relaxed < 400));
        for (const char* kind : {"fh-nummer", "npid"}) {
            for (const auto& number : take(source(kind), 500)) CHECK((residue1(number) == 0 && residue2(number) == 0));
        }
    }

    TEST_CASE("months show what is synthetic, and first digits the kind") {
        const auto within = [](const std::vector<std::string>& numbers, int added) {
            return std::all_of(numbers.begin(), numbers.end(),
                               [&](const auto& n) { return month(n) > added && month(n) <= added + 12; });
        };
        CHECK(within(take(source("fodselsnummer"), 500), 80));
        CHECK(within(take(source("d-nummer"), 500), 80));
        CHECK(within(take(source("fodselsnummer", Synthetic::syntpop), 500), 65));
        CHECK(within(take(source("fodselsnummer", Synthetic::none), 500), 0));
        CHECK(within(take(source("npid"), 500), 60));
        CHECK(within(take(source("npid", Synthetic::none), 500), 20));
        CHECK(within(take(source("h-nummer"), 500), 40));
        for (const auto& n : take(source("d-nummer"), 500)) CHECK((n[0] >= '4' && n[0] <= '7'));
        for (const auto& n : take(source("fh-nummer"), 500)) CHECK((n[0] == '8' || n[0] == '9'));
        for (const auto& n : take(source("duf-nummer"), 500)) CHECK(n.size() == 12);
    }

    TEST_CASE("wrong numbers are wrong, in several ways") {
        NumberSource from = source("fodselsnummer");
        std::set<std::size_t> lengths;
        int zeros = 0;
        for (int i = 0; i < 1000; ++i) {
            const std::string number = from.next_wrong().value();
            lengths.insert(number.size());
            const bool digits = std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
            zeros += number == "00000000000" ? 1 : 0;
            const int day = number.size() == 11 && digits ? std::stoi(number.substr(0, 2)) : 0;
            const bool valid = day >= 1 && day <= 31 && residue1(number) <= 3 && residue2(number) == 0;
            CHECK(!valid);
        }
        CHECK(lengths == std::set<std::size_t>{10, 11});
        CHECK((zeros > 100 && zeros < 300));
    }

    TEST_CASE("a kind that is used up gives nothing more") {
        Permutation all(10, 1);
        for (int i = 0; i < 10; ++i) CHECK(all.next().has_value());
        CHECK(!all.next().has_value());
    }

    TEST_CASE("options that go ill together") {
        CHECK(parse_mix("fnr").error().code() == Code::usage);
        NumberOptions options;
        options.mix = parse_mix("all").value();
        options.synthetic = Synthetic::syntpop;
        CHECK(NumberSource::create(options).error().code() == Code::usage);
    }
}
