#include "conf/value.h"

#include <string>

#include "tests/conf/samples.h"

using namespace tpf;
using namespace tpf::conf;

namespace {

template <class Type>
std::string fault(const Type& type, const nlohmann::json& json) {
    Complaints complaints;
    const auto value = type.read(from_json(json), complaints);
    CHECK(value.has_value() == complaints.empty());
    return complaints.empty() ? "" : complaints.front().what;
}
template <class Type>
auto value(const Type& type, const nlohmann::json& json) {
    Complaints complaints;
    auto out = type.read(from_json(json), complaints);
    REQUIRE_MESSAGE(out, json.dump());
    return *out;
}

}  // namespace

TEST_SUITE("conf/value") {
    TEST_CASE("sizes") {
        const Size size{1, std::uint64_t{1} << 50};
        CHECK(value(size, 17) == 17);
        CHECK(value(size, "17 B") == 17);
        CHECK(value(size, "64 MiB") == 64u << 20);
        CHECK(value(size, "64MiB") == 64u << 20);
        CHECK(value(size, "3 KiB") == 3072);
        CHECK(value(size, "2 GiB") == std::uint64_t{2} << 30);
        CHECK(value(size, "1024 TiB") == std::uint64_t{1} << 50);
        for (const char* wrong :
             {"", "64", "MiB", "64 MB", "64 mib", "64  MiB", " 64 MiB", "64 MiB ", "-1 MiB", "+1 MiB", "1.5 MiB",
              "0x10 B", "99999999999999999999 B", "18446744073709551615 TiB"}) {
            CHECK_MESSAGE(fault(size, wrong) == in_quotes(wrong) + " is not a size in bytes, B, KiB, MiB, GiB or TiB",
                          wrong);
        }
        CHECK(fault(size, 0) == "0 is too small");
        CHECK(fault(size, -1) == "-1 is too small");
        CHECK(fault(size, "1025 TiB") == std::to_string(std::uint64_t{1025} << 40) + " is too large");
        CHECK(fault(size, nlohmann::json::array()) == "must be a size, but is a list");
    }

    TEST_CASE("sizes as text take the largest unit that divides them") {
        CHECK(size_text(0) == "0 B");
        CHECK(size_text(1023) == "1023 B");
        CHECK(size_text(1024) == "1 KiB");
        CHECK(size_text(std::uint64_t{100} << 30) == "100 GiB");
        CHECK(size_text(68719476704) == "68719476704 B");
    }

    TEST_CASE("paths") {
        const AbsolutePath path{107};
        CHECK(value(path, "/a") == "/a");
        CHECK(value(path, "/a/b.c/.d/..e") == "/a/b.c/.d/..e");
        CHECK(value(path, "/" + std::string(106, 'a')).native().size() == 107);
        for (const char* wrong :
             {"", "a", "./a", "/a/", "//a", "/a//b", "/a/./b", "/a/../b", "/..", "/a/.", "/a\nb", "/a\x7f"}) {
            CHECK_MESSAGE(!fault(path, wrong).empty(), wrong);
        }
        CHECK(fault(path, "/" + std::string(107, 'a')).ends_with("is longer than 107 bytes"));
    }

    TEST_CASE("urls") {
        CHECK(value(HttpsUrl{}, "https://a.example.no") == Url{"a.example.no", 443, ""});
        CHECK(value(HttpsUrl{}, "https://A.Example.NO:65535/Api/v2/") == Url{"a.example.no", 65535, "/Api/v2"});
        CHECK(value(HttpsUrl{}, "https://10.0.0.1:8443/") == Url{"10.0.0.1", 8443, ""});
        CHECK(value(HttpsUrl{}, "https://[::1]:8443/x") == Url{"::1", 8443, "/x"});
        CHECK(value(HttpsUrl{}, "https://[::1]:8443/x").str() == "https://[::1]:8443/x");
        CHECK(value(HttpsUrl{}, "https://a:443/x").str() == "https://a/x");
        CHECK(fault(HttpsUrl{}, "http://a").ends_with("is http: data would travel in clear"));
        for (const char* wrong : {"",
                                  "a",
                                  "ftp://a",
                                  "HTTPS://a",
                                  "https://",
                                  "https:///x",
                                  "https://a:",
                                  "https://a:0",
                                  "https://a:65536",
                                  "https://a:-1",
                                  "https://a:8 443",
                                  "https://u@a",
                                  "https://a?x=1",
                                  "https://a#f",
                                  "https://a//x",
                                  "https://a/../x",
                                  "https://a/x y",
                                  "https://a/%41",
                                  "https://a b",
                                  "https://-a",
                                  "https://a-",
                                  "https://a..b",
                                  "https://a.",
                                  "https://[::1",
                                  "https://[x]",
                                  "https://[::1]x",
                                  "https://a:1x",
                                  "https://å",
                                  "https://a\n"}) {
            CHECK_MESSAGE(!fault(HttpsUrl{}, wrong).empty(), wrong);
        }
    }

    TEST_CASE("names of installations, groups and users") {
        CHECK(is_installation_name("tpf-1.example"));
        CHECK(is_installation_name(std::string(64, 'a')));
        for (const std::string& wrong :
             {std::string(), std::string(65, 'a'), std::string("A"), std::string("a b"), std::string("a_b")}) {
            CHECK_MESSAGE(!is_installation_name(wrong), wrong);
        }
        CHECK(is_group_or_empty(""));
        CHECK(is_group_or_empty("tpf-operator"));
        CHECK(!is_group_or_empty("1000"));
        CHECK(is_user("1000"));
        CHECK(is_user("_tpf"));
        for (const char* wrong : {"", "-a", "1a", "Root", "a:b", "1234567890"}) CHECK_MESSAGE(!is_user(wrong), wrong);
    }

    TEST_CASE("versions of a pseudonym key") {
        CHECK(value(Versions{}, {1}) == std::vector{1u});
        CHECK(value(Versions{}, {9999, 3, 2, 1}) == std::vector{9999u, 3u, 2u, 1u});
        CHECK(fault(Versions{}, nlohmann::json::array()) == "the list is empty");
        CHECK(fault(Versions{}, {1, 2}) == "2 does not belong after 1");
        CHECK(fault(Versions{}, {2, 2}) == "2 does not belong after 2");
        CHECK(fault(Versions{}, {5, 4, 3, 2, 1}) == "5 versions are too many");
        CHECK(fault(Versions{}, {0}) == "0 is too small");
        CHECK(fault(Versions{}, {10000}) == "10000 is too large");
        CHECK(fault(Versions{}, {"1"}) == "must be a whole number, but is a text");
        CHECK(fault(Versions{}, 1) == "must be a list, but is a whole number");
    }

    TEST_CASE("lists of words") {
        const Choices<NumberKind> kinds{number_kind_words()};
        CHECK(fault(kinds, {"npid", "npid"}) == "\"npid\" stands there twice");
        CHECK(fault(kinds, nlohmann::json::array()) == "the list is empty");
        CHECK(fault(kinds, "npid") == "must be a list, but is a text");
        CHECK(kinds.write(value(kinds, {"npid", "d-nummer"})) == nlohmann::json::array({"d-nummer", "npid"}));
    }

    TEST_CASE("senders") {
        CHECK(value(Sender{}, "0301-00-974761076")->kommunenummer() == "0301");
        CHECK(fault(Sender{}, "0301-00-974761077") ==
              "\"0301-00-974761077\": Organisasjonsnummer is not nine digits with a valid check digit");
        CHECK(!fault(Sender{}, "").empty());
    }

    TEST_CASE("what may have been meant") {
        const std::vector<std::string_view> known = {"depth", "persons", "persons_per_day", "tag_bytes", "leaf_bytes"};
        CHECK(nearest("depht", known) == "depth");
        CHECK(nearest("Depth", known) == "depth");
        CHECK(nearest("person", known) == "persons");
        CHECK(nearest("persons_pr_dag", known) == "persons_per_day");
        CHECK(!nearest("xyz", known));
        CHECK(!nearest("", known));
        CHECK(!nearest(std::string(100'000, 'x'), known));
    }
}
