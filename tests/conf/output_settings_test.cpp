#include "conf/output_settings.h"

#include <nlohmann/json.hpp>

#include "tests/conf/samples.h"

using namespace tpf;
using namespace tpf::conf;
using namespace tpf::conf::test;

namespace {
constexpr std::string_view kPinned =
    R"({"installation":{"kind":"test"},"limits":{"attributes":16,"depth":32,"gcm_bytes":68719476704,"leaf_bytes":4096,)"
    R"("message_bytes":107374182400,"name_bytes":256,"persons":10000000,"tag_bytes":16384},"register":{"IPLOS":{)"
    R"("kinds":["fodselsnummer","d-nummer","fh-nummer","duf-nummer"],"on_invalid":"mark","pseudonym_versions":[1],)"
    R"("rules":["old","2032"]}},"version":1})";
}  // namespace

TEST_SUITE("conf/output_settings") {
    TEST_CASE("the worked example of the header") {
        CHECK(pinned_json(good(minimal())) == kPinned);
    }

    TEST_CASE("what was pinned is read back") {
        const Config config = good(
            minimal("pseudonym_versions = [3, 2]\nkinds = [\"npid\"]\nrules = [\"old\"]\non_invalid = \"quarantine\"\n"
                    "[limits]\npersons = 5\nleaf_bytes = 8192\n"));
        const OutputSettings settings = output_settings(config);
        const auto read = parse_pinned(pinned_json(config));
        REQUIRE(read);
        CHECK(read.value() == settings);
        CHECK(pinned_json(read.value()) == pinned_json(config));
        const RegisterOutput& reg = read.value().registers.at(RegisterName::parse("IPLOS").value());
        CHECK(reg.pseudonym_versions == std::vector{3u, 2u});
        CHECK(reg.kinds == std::set{NumberKind::npid});
        CHECK(reg.rules == std::set{ControlRule::old});
        CHECK(reg.on_invalid == OnInvalid::quarantine);
        CHECK(read.value().limits.persons == 5);
        CHECK(read.value().limits.leaf_bytes == 8192);
        CHECK(read.value().installation == Installation::test);
    }

    TEST_CASE("settings that do not touch the output leave it alone; those that do, do not") {
        CHECK(pinned_json(good(
                  minimal("connections = 9\n[limits]\npersons_per_day = 7\n[log]\nlevel = \"debug\"\n"))) == kPinned);
        CHECK(pinned_json(good(minimal("[limits]\ndepth = 33\n"))) != kPinned);
    }

    TEST_CASE("anything else is our own journal damaged") {
        const auto root = nlohmann::json::parse(kPinned);
        const auto refused = [](const nlohmann::json& json) {
            const auto read = parse_pinned(json.dump());
            REQUIRE_MESSAGE(!read, json.dump());
            CHECK(read.error().code() == Code::journal);
        };
        for (const auto& [section, settings] : root.items()) {
            auto without = root;
            without.erase(section);
            refused(without);
        }
        for (const char* section : {"installation", "limits"}) {
            for (const auto& [key, value] : root[section].items()) {
                auto changed = root;
                changed[section].erase(key);
                refused(changed);
                changed[section][key] = nullptr;
                refused(changed);
                changed[section][key] = -1;
                refused(changed);
            }
        }
        const auto patched = [&](const char* patch) { return root.patch(nlohmann::json::parse(patch)); };
        refused(patched(R"([{"op":"add","path":"/limits/x","value":1}])"));
        refused(patched(R"([{"op":"add","path":"/x","value":1}])"));
        refused(patched(R"([{"op":"replace","path":"/version","value":2}])"));
        refused(patched(R"([{"op":"replace","path":"/register","value":{}}])"));
        refused(patched(R"([{"op":"add","path":"/register/iplos","value":{}}])"));
        refused(patched(R"([{"op":"replace","path":"/register/IPLOS/pseudonym_versions","value":[1,2]}])"));
        refused(patched(R"([{"op":"replace","path":"/limits/persons","value":18446744073709551615}])"));
        for (const char* text : {"", "[]", "null", "{", "1"}) CHECK(!parse_pinned(text));
        CHECK(!parse_pinned(std::string(kPinned) + "x"));
        CHECK(!parse_pinned(std::string(100'000, '[')));
    }
}
