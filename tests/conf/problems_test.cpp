#include "tests/conf/samples.h"

using namespace tpf;
using namespace tpf::conf;
using namespace tpf::conf::test;

namespace {
// The lines of minimal() come first: what is appended begins on line 9.
Position at(unsigned line, unsigned column) {
    return {line, column};
}
}  // namespace

TEST_SUITE("conf/problems") {
    TEST_CASE("a wrong value: place, setting, what is wrong, what would be right") {
        const Problem problem = one_bad(minimal("[limits]\n\ndepth =   \"deep\"\n"));
        CHECK(problem.at == at(11, 11));
        CHECK(problem.key == "limits.depth");
        CHECK(problem.what == "must be a whole number, but is a text");
        CHECK(problem.right == "right is: 8 to 1024; for example: depth = 32");
        CHECK(problem.text() ==
              "tpf.toml:11:11: limits.depth: must be a whole number, but is a text; right is: 8 to "
              "1024; for example: depth = 32");
    }

    TEST_CASE("columns count characters") {
        CHECK(one_bad(minimal("[limits]\n\"blåbær\" = 1\n")).at == at(10, 1));
        CHECK(one_bad("[installation]\nname = \"tpf-test\"\nkind = \"test\"\n[register.IPLOS]\nurl = \"https://a\"\n"
                      "ca_file = \"/æøå\"\nclient_certificate = \"/b\"\nclient_key = \"/c\"\n"
                      "kinds = [ \"npid\",  \"åæø\" ]\n")
                  .at == at(9, 20));
    }

    TEST_CASE("an element of a list has its own place") {
        const Problem problem = one_bad(minimal("kinds = [\"fodselsnummer\", \"dnummer\"]\n"));
        CHECK(problem.at == at(9, 27));
        CHECK(problem.key == "register.IPLOS.kinds");
        CHECK(problem.what == "\"dnummer\" is not one of the values, did you mean \"d-nummer\"?");
    }

    TEST_CASE("unknown settings and sections, with what may have been meant") {
        const Problem depth = one_bad(minimal("[limits]\n  depht = 3\n"));
        CHECK(depth.at == at(10, 3));
        CHECK(depth.key == "limits.depht");
        CHECK(depth.right == "did you mean depth?");
        const Problem elsewhere = one_bad(minimal("[workers]\nreserve_bytes = 3\n"));
        CHECK(elsewhere.right == "reserve_bytes belongs in [disk]");
        const Problem none = one_bad(minimal("[retention]\ncolour = 3\n"));
        CHECK(none.right == "the settings here are: delivered_days");
        const Problem section = one_bad(minimal("[limit]\ndepth = 3\n"));
        CHECK(section.at == at(9, 2));
        CHECK(section.right == "did you mean [limits]?");
        CHECK(one_bad(minimal("[zebra]\n")).right.starts_with("the sections are: \"installation\", \"paths\""));
        CHECK(one_bad("depth = 3\n" + minimal()).right == "it belongs in [limits]");
        CHECK(one_bad("zebra = 3\n" + minimal()).right == "there is no setting of this name");
        CHECK(one_bad("limits = 3\n" + minimal()).right == "write [limits]");
    }

    TEST_CASE("names are shown without their control characters, and cut") {
        CHECK(one_bad(minimal("[limits]\n\"a\\nb\\u001b\" = 3\n")).key == "limits.\"a\\nb\\u001b\"");
        CHECK(one_bad(minimal("[limits]\n" + std::string(5000, 'x') + " = 3\n")).key.size() < 120);
        const std::string what = one_bad(minimal("[log]\nlevel = \"a\\u001b[31m\"\n")).what;
        CHECK(what.find('\x1b') == what.npos);
    }

    TEST_CASE("all problems at once, ordered by place") {
        const Problems problems =
            bad("[installation]\nnam = \"x\"\nkind = \"tets\"\n[limits]\ndepth = 1\n[register.IPLOS]\n"
                "url = \"http://a\"\nca_file = \"a\"\nclient_key = \"/k\"\nkinds = [1, \"x\"]\n");
        std::string keys;
        for (const Problem& problem : problems) keys += problem.key + " ";
        CHECK(keys ==
              "installation installation.nam installation.kind limits.depth register.IPLOS register.IPLOS.url "
              "register.IPLOS.ca_file register.IPLOS.kinds register.IPLOS.kinds ");
        CHECK(problems[0].what == "name is missing");
        CHECK(problems[0].at == at(1, 1));
        CHECK(problems[4].what == "client_certificate is missing");
        CHECK(problems[4].at == at(6, 1));
    }

    TEST_CASE("nothing at all") {
        const Problems problems = bad("");
        REQUIRE(problems.size() == 2);
        CHECK(problems[0].text() ==
              "tpf.toml: installation: name is missing; right is: 1 to 64 of a-z, 0-9, `.` and "
              "`-`; for example: name = \"tpf-test\"");
        CHECK(problems[1].what == "kind is missing");
    }

    TEST_CASE("the kind of installation is chosen, never assumed") {
        CHECK(one_bad("[installation]\nname = \"x\"\n" + std::string(kRegister)).what == "kind is missing");
    }

    TEST_CASE("not TOML: one problem, where the parser gave up") {
        const Problem problem = one_bad("[installation]\nname = \n");
        CHECK(problem.at.line == 2);
        CHECK(problem.what.starts_with("not TOML: "));
        CHECK(one_bad(minimal() + "url = \"https://b\"\n").what.starts_with("not TOML: "));
        CHECK(one_bad("\xff\xfe").what.starts_with("not TOML: "));
        CHECK(one_bad(std::string(5000, '[')).what.starts_with("not TOML: "));
    }

    TEST_CASE("at least one register") {
        const Problem problem = one_bad(std::string(kInstallation));
        CHECK(problem.key == "register");
        CHECK(problem.what == "there is no register");
        CHECK(one_bad(std::string(kInstallation) + "[register]\n").what == "there is no register");
    }

    TEST_CASE("names of registers and sources") {
        CHECK(one_bad(minimal("[register.iplos]\nurl = \"https://a\"\nca_file = \"/a\"\nclient_certificate = \"/b\"\n"
                              "client_key = \"/c\"\n"))
                  .key == "register.iplos");
        CHECK(one_bad(minimal("[register]\nurl = \"https://a\"\n")).right ==
              "give each register a section of its own, [register.NAME]");
        CHECK(!parse(minimal("[[register]]\nurl = \"https://a\"\n")));
        const std::string drop = "kind = \"drop\"\npath = \"/d\"\nsender = \"0301-00-974761076\"\n";
        CHECK(one_bad(minimal("[source.operator]\n" + drop)).what == "this name is taken");
        CHECK(one_bad(minimal("[source.Oslo]\n" + drop)).what == "the name is not of the right form");
        CHECK(one_bad(minimal("[source." + std::string(33, 'a') + "]\n" + drop)).what ==
              "the name is not of the right form");
        good(minimal("[source." + std::string(32, 'a') + "]\n" + drop));
    }

    TEST_CASE("a source has what its kind needs, and nothing else") {
        CHECK(bad(minimal("[source.oslo]\nkind = \"drop\"\n")).size() == 2);
        CHECK(one_bad(minimal("[source.oslo]\nkind = \"drop\"\npath = \"/d\"\n")).what == "sender is missing");
        CHECK(one_bad(minimal("[source.oslo]\npath = \"/d\"\n")).what == "kind is missing");
        const Problem user = one_bad(
            minimal("[source.oslo]\nkind = \"drop\"\npath = \"/d\"\nsender = \"0301-00-974761076\"\nuser = \"u\"\n"));
        CHECK(user.key == "source.oslo.user");
        CHECK(user.at == at(13, 8));
        CHECK(one_bad(minimal("[source.x]\nkind = \"folder\"\n")).what == "user is missing");
        CHECK(one_bad(minimal("[source.x]\nkind = \"folder\"\nuser = \"u\"\npath = \"/d\"\n")).key == "source.x.path");
        CHECK(one_bad(minimal("[source.x]\nkind = \"folder\"\nuser = \"u\"\nsender = \"0301-00-974761076\"\n")).key ==
              "source.x.sender");
    }

    TEST_CASE("sources are told apart") {
        const auto drop = [](std::string name, std::string path) {
            return "[source." + name + "]\nkind = \"drop\"\npath = \"" + path + "\"\nsender = \"0301-00-974761076\"\n";
        };
        good(minimal(drop("a", "/d/a") + drop("b", "/d/ab")));
        CHECK(one_bad(minimal(drop("a", "/d/a") + drop("b", "/d/a"))).key == "source.b.path");
        CHECK(one_bad(minimal(drop("a", "/d") + drop("b", "/d/b"))).key == "source.b.path");
        CHECK(one_bad(minimal(drop("a", "/d/a/x") + drop("b", "/d/a"))).key == "source.b.path");
        CHECK(one_bad(minimal(drop("a", "/var/lib/tpf/spool/inbox"))).key == "source.a.path");
        CHECK(bad(minimal(drop("a", "/var/lib"))).front().key == "source.a.path");
        CHECK(one_bad(
                  minimal("[source.a]\nkind = \"folder\"\nuser = \"u\"\n[source.b]\nkind = \"folder\"\nuser = \"u\"\n"))
                  .key == "source.b.user");
    }

    TEST_CASE("paths do not lie in one another") {
        CHECK(one_bad(minimal("[paths]\nkeyring = \"/var/lib/tpf/spool/keys\"\n")).key == "paths.keyring");
        CHECK(bad(minimal("[paths]\nspool = \"/var/lib/tpf\"\n")).size() == 2);
        CHECK(one_bad(minimal("[paths]\njournal = \"/var/lib/tpf/spool/journal.db\"\n")).key == "paths.journal");
        CHECK(one_bad(minimal("[paths]\nsocket = \"/var/lib/tpf/keyring/s\"\n")).key == "paths.socket");
    }

    TEST_CASE("the longest pause is not less than the first") {
        CHECK(one_bad(minimal("[forward]\nbackoff_first_seconds = 10\nbackoff_max_seconds = 9\n")).at == at(11, 23));
        CHECK(one_bad(minimal("[forward]\nbackoff_first_seconds = 901\n")).text() ==
              "tpf.toml: forward.backoff_max_seconds: is less than backoff_first_seconds; make it at least as long");
        good(minimal("[forward]\nbackoff_first_seconds = 10\nbackoff_max_seconds = 10\n"));
    }
}
