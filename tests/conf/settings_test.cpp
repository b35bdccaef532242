// Every row of the table, from the outside: what is wrong with any setting is found, at its place, and the table says
// the truth about where a setting lives.

#include "conf/settings.h"

#include <algorithm>
#include <set>

#include "tests/conf/samples.h"

using namespace tpf;
using namespace tpf::conf;
using namespace tpf::conf::test;

namespace {

/// A file in which this one setting has this value. Its line is the last.
std::string with(const Facts& facts, const std::string& literal) {
    const std::string line = std::string(facts.key) + " = " + literal + "\n";
    const auto but = [&](std::string_view section) {
        std::string out;
        std::size_t begin = 0;
        while (begin < section.size()) {
            const std::size_t end = section.find('\n', begin) + 1;
            const std::string_view one = section.substr(begin, end - begin);
            if (!one.starts_with(std::string(facts.key) + " ")) out += one;
            begin = end;
        }
        return out;
    };
    if (facts.section == "installation") return std::string(kRegister) + but(kInstallation) + line;
    if (facts.section == "register") return std::string(kInstallation) + but(kRegister) + line;
    if (facts.section != "source") return minimal("[" + std::string(facts.section) + "]\n" + line);
    const bool folder = facts.key == "user";
    const std::string source = folder ? "[source.x]\nkind = \"folder\"\nuser = \"u\"\n"
                                      : "[source.x]\nkind = \"drop\"\npath = \"/d\"\nsender = \"0301-00-974761076\"\n";
    return minimal(but(source) + line);
}

std::string full_name(const Facts& facts) {
    std::string out(facts.section);
    if (facts.section == "register") out += ".IPLOS";
    if (facts.section == "source") out += ".x";
    return out + "." + std::string(facts.key);
}

unsigned lines(const std::string& text) {
    return static_cast<unsigned>(std::count(text.begin(), text.end(), '\n'));
}

/// Values of every TOML type; which of them a setting takes is found out below.
const std::vector<std::pair<std::string, std::string>>& literals() {
    static const std::vector<std::pair<std::string, std::string>> all = {
        {"whole number", "7"}, {"fraction", "1.5"}, {"true or false", "true"}, {"time", "2026-01-01"},
        {"text", "\"?\""},     {"list", "[[]]"},    {"section", "{ a = 1 }"},  {"special", "nan"},
    };
    return all;
}

/// A value of the right type that is out of every range.
std::string out_of_range(const Facts& facts) {
    if (facts.type == "whole number" || facts.type == "size") return "-1";
    if (facts.type == "list of whole numbers") return "[10000]";
    return facts.type == "list of texts" ? "[\"?\"]" : "\"?\"";
}

}  // namespace

TEST_SUITE("conf/settings") {
    TEST_CASE("every setting: a value of a wrong type is refused at its place") {
        for (const Facts& facts : all_facts()) {
            for (const auto& pair : literals()) {
                const std::string& type = pair.first;
                const std::string& literal = pair.second;
                if (facts.type == type || (facts.type == "size" && type == "whole number")) continue;
                const std::string content = with(facts, literal);
                const Problems problems = bad(content);
                const auto here = std::find_if(problems.begin(), problems.end(),
                                               [&](const Problem& p) { return p.key == full_name(facts); });
                REQUIRE_MESSAGE(here != problems.end(), full_name(facts) << " = " << literal << "\n" << text(problems));
                CHECK_MESSAGE(here->at.line == lines(content), here->text());
                const auto value_column = static_cast<unsigned>(facts.key.size() + 4);
                const bool in_list = type == "list" && facts.type.starts_with("list");
                CHECK_MESSAGE(here->at.column == value_column + (in_list ? 1 : 0), here->text());
                CHECK_MESSAGE(!here->right.empty(), here->text());
            }
        }
    }

    TEST_CASE("every setting: a value out of range or of a wrong form is refused, and nothing else complains") {
        for (const Facts& facts : all_facts()) {
            const Problem problem = one_bad(with(facts, out_of_range(facts)));
            CHECK_MESSAGE(problem.key == full_name(facts), problem.text());
            CHECK_MESSAGE(problem.right.find(facts.allowed) != std::string::npos, problem.text());
        }
    }

    TEST_CASE("every number: its bounds are what the documentation says") {
        for (const Facts& facts : all_facts()) {
            if (facts.type != "whole number") continue;
            const std::size_t to = facts.allowed.find(" to ");
            REQUIRE(to != std::string::npos);
            const auto least = std::stoull(facts.allowed.substr(0, to));
            const auto most = std::stoull(facts.allowed.substr(to + 4));
            // The first pause must not be longer than the longest one, which is 900 by default.
            const bool bound_by_other = facts.key == "backoff_first_seconds" || facts.key == "backoff_max_seconds";
            if (!bound_by_other) good(with(facts, std::to_string(least)));
            if (!bound_by_other) good(with(facts, std::to_string(most)));
            CHECK(one_bad(with(facts, std::to_string(most + 1))).what.ends_with("is too large"));
            if (least > 0) CHECK(one_bad(with(facts, std::to_string(least - 1))).what.ends_with("is too small"));
        }
    }

    TEST_CASE("every setting: the default, said, is the default, unsaid; examples load") {
        for (const Facts& facts : all_facts()) {
            REQUIRE_MESSAGE(!facts.shown().is_null(), full_name(facts));
            const Config said = good(with(facts, toml_literal(facts.shown())));
            if (!facts.by_default || facts.section == "source") continue;
            CHECK_MESSAGE(said == good(minimal()), full_name(facts));
        }
    }

    TEST_CASE("every setting: changed, it lives where the table says, and has its name among the differences") {
        const std::vector<std::string> candidates = {"\"error\"",
                                                     "\"production\"",
                                                     "11",
                                                     "\"/x/y\"",
                                                     "\"2 MiB\"",
                                                     "\"8 KiB\"",
                                                     "\"quarantine\"",
                                                     "\"try\"",
                                                     "[\"npid\"]",
                                                     "[\"old\"]",
                                                     "[2]",
                                                     "false",
                                                     "\"https://b\"",
                                                     "\"x\"",
                                                     "40",
                                                     "\"1103-00-974761076\"",
                                                     "\"pkcs11:token=x?module-path=/m\""};
        for (const Facts& facts : all_facts()) {
            if (facts.section == "source" && facts.key == "kind") continue;
            const Config before = good(with(facts, toml_literal(facts.shown())));
            bool changed = false;
            for (const std::string& candidate : candidates) {
                const auto after = parse(with(facts, candidate));
                if (!after || after.value() == before) continue;
                changed = true;
                CHECK_MESSAGE((after.value().fixed == before.fixed) == facts.reloadable, full_name(facts));
                CHECK(differences(before, after.value()) == std::vector{full_name(facts)});
                CHECK(needs_restart(before, after.value()).empty() == facts.reloadable);
                CHECK(digest(before) != digest(after.value()));
                CHECK(good(dump(after.value())) == after.value());
            }
            CHECK_MESSAGE(changed, full_name(facts));
        }
    }

    TEST_CASE("every section: an unknown setting is refused") {
        for (const Section& section : sections()) {
            const Facts unknown{.section = section.name, .key = "qqqqqqqq"};
            CHECK(one_bad(with(unknown, "1")).key == full_name(unknown));
        }
    }

    TEST_CASE("the table: each setting once, with a reason for being there") {
        std::set<std::string> names;
        for (const Facts& facts : all_facts()) {
            CHECK_MESSAGE(names.insert(full_name(facts)).second, full_name(facts));
            CHECK_MESSAGE((facts.what.size() > 20 && facts.what.ends_with('.')), full_name(facts));
            CHECK_MESSAGE(!(facts.required && facts.by_default), full_name(facts));
            CHECK_MESSAGE((!facts.key.ends_with("_bytes") || facts.unit == "bytes"), full_name(facts));
            CHECK_MESSAGE((!facts.key.ends_with("_seconds") || facts.unit == "seconds"), full_name(facts));
        }
        CHECK(names.size() == all_facts().size());
        CHECK(all_facts().size() == config_settings().size() + source_settings().size() + register_settings().size());
    }
}
