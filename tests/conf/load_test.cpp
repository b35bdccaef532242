#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/conf/samples.h"

using namespace tpf;
using namespace tpf::conf;
using namespace tpf::conf::test;
using namespace std::chrono_literals;

TEST_SUITE("conf/load") {
    TEST_CASE("the least file gives every default") {
        const Config config = good(minimal());
        const Fixed& fixed = config.fixed;
        CHECK(fixed.installation.name == "tpf-test");
        CHECK(fixed.installation.kind == Installation::test);
        CHECK(fixed.paths.spool == "/var/lib/tpf/spool");
        CHECK(fixed.paths.journal == "/var/lib/tpf/journal/journal.db");
        CHECK(fixed.paths.keyring == "/var/lib/tpf/keyring");
        CHECK(fixed.paths.socket == "/run/tpf/core.sock");
        CHECK(fixed.control.operators_group == "tpf-operator");
        CHECK(fixed.control.max_connections == 32);
        CHECK(fixed.control.timeout_seconds == 30s);
        CHECK(fixed.workers.threads == 0);
        CHECK(fixed.forward.connections == 8);
        CHECK(fixed.sources.empty());
        const Reloadable& now = config.reloadable;
        CHECK(now.log.level == log::Level::info);
        CHECK(now.workers.large_message_bytes == 64u << 20);
        CHECK(now.workers.poll_seconds == 2s);
        CHECK(now.disk.reserve_bytes == 1u << 30);
        CHECK(now.retention.delivered_days == std::chrono::days(30));
    }

    TEST_CASE("default limits") {
        const Limits limits = good(minimal()).reloadable.limits;
        CHECK(limits.message_bytes == std::uint64_t{100} << 30);
        CHECK(limits.persons == 10'000'000);
        CHECK(limits.persons_per_day == 0);
        CHECK(limits.depth == 32);
        CHECK(limits.name_bytes == 256);
        CHECK(limits.attributes == 16);
        CHECK(limits.tag_bytes == 16384);
        CHECK(limits.leaf_bytes == 4096);
        CHECK(limits.gcm_bytes == 68719476704);
        CHECK(limits.inbox_messages_per_sender == 10'000);
        CHECK(limits.quarantine_bytes_per_sender == std::uint64_t{10} << 30);
    }

    TEST_CASE("default times of forward") {
        const Reloadable::Forward forward = good(minimal()).reloadable.forward;
        CHECK(forward.connect_seconds == 10s);
        CHECK(forward.handshake_seconds == 10s);
        CHECK(forward.send_stall_seconds == 30s);
        CHECK(forward.answer_seconds == 120s);
        CHECK(forward.backoff_first_seconds == 5s);
        CHECK(forward.backoff_max_seconds == 900s);
        CHECK(forward.alarm_after_seconds == 3600s);
        CHECK(forward.poll_seconds == 2s);
    }

    TEST_CASE("a register") {
        const Config config =
            good(minimal("kinds = [\"npid\", \"h-nummer\"]\nrules = [\"2032\"]\non_invalid = "
                         "\"quarantine\"\npseudonym_versions = [12, 3]\nconnections = 9\n"));
        const Register& reg = config.reloadable.registers.at(RegisterName::parse("IPLOS").value());
        CHECK(reg.kinds == std::set{NumberKind::h_nummer, NumberKind::npid});
        CHECK(reg.rules == std::set{ControlRule::relaxed_2032});
        CHECK(reg.on_invalid == OnInvalid::quarantine);
        CHECK(reg.pseudonym_versions == std::vector{12u, 3u});
        CHECK(reg.url == Url{"register.example.no", 8443, "/api"});
        CHECK(reg.ca_file == "/etc/tpf/ca.pem");
        CHECK(reg.client_certificate == "/etc/tpf/client.pem");
        CHECK(reg.client_key == "/etc/tpf/client.key");
        CHECK(reg.connections == 9);
    }

    TEST_CASE("a register's defaults") {
        const Config config = good(minimal());
        const Register& reg = config.reloadable.registers.begin()->second;
        CHECK(reg.kinds ==
              std::set{NumberKind::fodselsnummer, NumberKind::d_nummer, NumberKind::fh_nummer, NumberKind::duf_nummer});
        CHECK(reg.rules == std::set{ControlRule::old, ControlRule::relaxed_2032});
        CHECK(reg.on_invalid == OnInvalid::mark);
        CHECK(reg.pseudonym_versions == std::vector{1u});
        CHECK(reg.connections == 4);
    }

    TEST_CASE("sources of both kinds") {
        const Config config =
            good(minimal("[source.oslo]\nkind = \"drop\"\npath = \"/srv/drop/oslo\"\n"
                         "sender = \"0301-00-974761076\"\nsettle_seconds = 0\n"
                         "[source.amqp]\nkind = \"folder\"\nuser = \"tpf-intake\"\n"));
        const Source& oslo = config.fixed.sources.at("oslo");
        CHECK(oslo.kind == SourceKind::drop);
        CHECK(oslo.path == "/srv/drop/oslo");
        CHECK(oslo.sender->str() == "0301-00-974761076");
        CHECK(oslo.settle_seconds == 0s);
        const Source& amqp = config.fixed.sources.at("amqp");
        CHECK(amqp.kind == SourceKind::folder);
        CHECK(amqp.user == "tpf-intake");
        CHECK(amqp.settle_seconds == 2s);
        CHECK(!amqp.sender);
    }

    TEST_CASE("from a file, and through a link to it") {
        const Path folder = std::filesystem::temp_directory_path() / ("tpf-conf-" + std::to_string(::getpid()));
        std::filesystem::create_directories(folder);
        std::ofstream(folder / "tpf.toml") << minimal();
        std::filesystem::create_symlink(folder / "tpf.toml", folder / "link");
        CHECK(load(folder / "tpf.toml").value() == good(minimal()));
        CHECK(load(folder / "link").value() == good(minimal()));
        std::ofstream(folder / "tpf.toml") << "[limits]\ndepht = 1\n";
        const auto wrong = load(folder / "tpf.toml");
        REQUIRE(!wrong);
        CHECK(wrong.error().back().file == (folder / "tpf.toml").native());
        std::filesystem::remove_all(folder);
        const auto missing = load(folder / "tpf.toml");
        REQUIRE(!missing);
        CHECK(missing.error().front().what == "No such file or directory");
        CHECK(as_error(missing.error()).code() == Code::config);
        CHECK(!load(Path("/")));
    }

    TEST_CASE("the environment is not looked at") {
        ::setenv("TPF_LIMITS_DEPTH", "9", 1);
        ::setenv("TPF_LOG_LEVEL", "debug", 1);
        CHECK(good(minimal()).reloadable.limits.depth == 32);
        CHECK(good(minimal()).reloadable.log.level == log::Level::info);
    }

    TEST_CASE("what is dumped loads to the same") {
        const Config config =
            good(minimal("connections = 7\n[source.oslo]\nkind = \"drop\"\npath = \"/srv/drøp \\\\ \\\"x\\\"\"\n"
                         "sender = \"0301-00-974761076\"\n[limits]\ndepth = 77\n"));
        CHECK(good(dump(config)) == config);
        CHECK(dump(good(dump(config))) == dump(config));
    }

    TEST_CASE("the digest says whether two configurations are the same") {
        const Config config = good(minimal());
        CHECK(digest(config).size() == 64);
        CHECK(digest(config) ==
              digest(good(minimal("kinds = [\"duf-nummer\", \"fh-nummer\", \"d-nummer\", \"fodselsnummer\"]\n"
                                  "[limits]\ndepth = 32\ntag_bytes = 16384\n"))));
        CHECK(digest(config) != digest(good(minimal("[limits]\ndepth = 33\n"))));
    }

    TEST_CASE("differences have names, and those that need a restart are told apart") {
        const std::string kpr =
            "[register.KPR]\nurl = \"https://k\"\nca_file = \"/a\"\nclient_certificate = \"/b\"\nclient_key = \"/c\"\n";
        const std::string oslo =
            "[source.oslo]\nkind = \"drop\"\npath = \"/srv/oslo\"\nsender = \"0301-00-974761076\"\n";
        const Config before = good(minimal(oslo));
        const Config after = good(minimal("on_invalid = \"quarantine\"\n" + kpr + oslo +
                                          "settle_seconds = 9\n[limits]\ndepth = 9\n[workers]\nthreads = 3\n"));
        CHECK(differences(before, before).empty());
        CHECK(differences(before, after) == std::vector<std::string>{"limits.depth", "register.IPLOS.on_invalid",
                                                                     "register.KPR", "source.oslo.settle_seconds",
                                                                     "workers.threads"});
        CHECK(needs_restart(before, after) ==
              std::vector<std::string>{"source.oslo.settle_seconds", "workers.threads"});
        CHECK(differences(before, good(minimal())) == std::vector<std::string>{"source.oslo"});
        CHECK(needs_restart(good(minimal()), before) == std::vector<std::string>{"source.oslo"});
    }
}
