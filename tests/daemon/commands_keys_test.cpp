#include <doctest/doctest.h>
#include <sys/socket.h>

#include "audit/event_log.h"
#include "daemon/commands.h"
#include "daemon/key_warnings.h"
#include "tests/daemon/core_fixture.h"

namespace tpf::daemon::test {
namespace {

using crypto::KeyFacts;
using crypto::KeyKind;
using crypto::KeyState;

const Operator kKari{1001, "kari"}, kOla{1002, "ola"}, kRoot{0, "root"};

/// A core with a key ring of its own, empty.
struct KeysFixture : CoreFixture {
    HookedFs ring_fs{posix_file_system()};
    std::unique_ptr<crypto::KeyRing> ring =
        must(crypto::KeyRing::open(ring_fs, folder.path() / "keyring", passphrase()));
    Core own{hooked, clock, config, *spool, *journal, *ring, lifecycle, locks, metrics, witnesses, proposals};
    Coordinator coordinator{own, wake.get(), -1};
    Commands commands{own, coordinator};

    Result<Json> ask(const char* command, Json args = Json::object(), const Operator& who = kKari) {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        const UniqueFd near(ends[0]), far(ends[1]);
        ControlStream stream(near.get());
        return commands.run({{"command", command}, {"args", std::move(args)}, {"body", 0U}}, who, stream);
    }
    void make(const char* kind, const char* id, Json more = Json::object()) {
        more["kind"] = kind;
        more["id"] = id;
        if (!more.contains("reason")) more["reason"] = "a test";
        get(ask("keys generate", std::move(more)));
    }
    Result<Json> on(const char* command, const char* id, const Operator& who = kKari, Json more = Json::object()) {
        more["id"] = id;
        more["reason"] = "a test";
        return ask(command, std::move(more), who);
    }
    Result<Json> confirm(const char* id, const Operator& who) {
        return on("keys destroy", id, who, {{"confirm", true}});
    }
    /// "actor action id outcome" of all key events, newest last.
    std::vector<std::string> audited() {
        std::vector<std::string> all;
        audit::EventFilter filter;
        filter.kind = AuditKind::key_event;
        get(journal->ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(const auto events, audit::EventLog::list(db, filter));
            for (const auto& event : events) {
                const Json fields = Json::parse(event.fields);
                std::string line = event.actor + " " + fields.value("action", "") + " " + fields.value("id", "") + " " +
                                   fields.value("reason", "-") + " " + fields.value("state", "-");
                for (const char* how : {"refused", "failed"}) {
                    if (fields.contains(how)) line += std::string(" ") + how + " " + fields.value(how, "");
                }
                all.push_back(std::move(line));
            }
            return ok();
        }));
        return all;
    }
};

KeyFacts message_key(const char* id, KeyState state, const char* from, const char* to) {
    return {must(KeyId::parse(id)),
            KeyKind::message,
            state,
            std::nullopt,
            0,
            must(parse_date(from)),
            must(parse_date(to)),
            crypto::KeyPolicy::modern(),
            3072,
            "0123456789abcdef",
            UtcTime()};
}

std::string warned(const KeyFacts& key, const std::vector<KeyFacts>& all, const char* now) {
    std::string text;
    for (const std::string& warning : key_warnings(key, all, must(parse_utc(now)))) text += warning + "\n";
    return text;
}

}  // namespace

TEST_SUITE("daemon/commands_keys") {
    TEST_CASE_FIXTURE(KeysFixture, "each change stands in the audit log before and after, with name and reason") {
        make("signing", "SIGN-1", {{"prepared", true}, {"reason", "yearly change"}});
        CHECK_FALSE(ring->signing_key().has_value());
        CHECK(get(on("keys activate", "SIGN-1")).value("state", "") == "active");
        CHECK(ring->signing_key().has_value());
        CHECK(get(on("keys retire", "SIGN-1", kOla)).value("state", "") == "retired");
        CHECK(code_of(on("keys accept", "SIGN-1")) == Code::usage);
        CHECK(audited() == std::vector<std::string>{"kari generate SIGN-1 yearly change -",
                                                    "kari generated SIGN-1 - prepared", "kari activate SIGN-1 a test -",
                                                    "kari activate SIGN-1 - active", "ola retire SIGN-1 a test -",
                                                    "ola retire SIGN-1 - retired", "kari accept SIGN-1 a test -",
                                                    "kari accept SIGN-1 - retired refused BRUK"});
        const Json shown = get(ask("keys show", {{"id", "SIGN-1"}}));
        REQUIRE(shown["history"].size() == 3);
        CHECK(shown["history"][0].value("reason", "") == "yearly change");
        CHECK(shown["history"][2].value("by", "") == "ola");
        CHECK(shown.value("public", "").starts_with("-----BEGIN PUBLIC KEY-----"));
        CHECK(shown.value("algorithm", "") == "Ed25519");
        CHECK(code_of(ask("keys show", {{"id", "NONE"}})) == Code::not_found);
    }

    TEST_CASE_FIXTURE(KeysFixture, "what cannot be logged is not done") {
        make("signing", "SIGN-1");
        sink.fail_with = Code::disk_full;
        CHECK_FALSE(on("keys retire", "SIGN-1").has_value());
        CHECK(ring->signing_key().has_value());
    }

    TEST_CASE_FIXTURE(KeysFixture, "a change takes a reason, and none that holds an identity number") {
        make("signing", "SIGN-1");
        CHECK(code_of(ask("keys retire", {{"id", "SIGN-1"}})) == Code::usage);
        CHECK(code_of(ask("keys retire", {{"id", "SIGN-1"}, {"reason", "because of 13097248022"}})) == Code::usage);
        CHECK(code_of(ask("keys generate", {{"kind", "signing"}, {"id", "S-2"}, {"reason", ""}})) == Code::usage);
        CHECK(code_of(ask("keys generate", {{"kind", "signing"}, {"id", "S-2"}})) == Code::usage);
        const std::string pem = TestRing::get().register_signs.verify_key().pem();
        CHECK(code_of(ask("keys import", {{"kind", "receipt"}, {"id", "R-2"}, {"register", "IPLOS"}, {"pem", pem}})) ==
              Code::usage);
        CHECK(ring->list().size() == 1);
    }

    TEST_CASE_FIXTURE(KeysFixture, "a key is destroyed by two, in time") {
        make("signing", "SIGN-1", {{"prepared", true}});
        CHECK(code_of(confirm("SIGN-1", kOla)) == Code::usage);
        const Json asked = get(on("keys destroy", "SIGN-1"));
        CHECK(asked.value("state", "") == "prepared");
        CHECK(asked["destroy_request"].value("by", "") == "kari");
        CHECK(asked["destroy_request"].value("until", "") == "2027-01-16T08:00:00Z");
        CHECK(get(ask("keys list"))["keys"][0]["warnings"].dump().find("kari wants it destroyed") != std::string::npos);
        CHECK(code_of(confirm("SIGN-1", kKari)) == Code::denied);
        CHECK(code_of(confirm("SIGN-1", kRoot)) == Code::denied);
        clock.advance_utc(std::chrono::hours(25));
        CHECK(code_of(confirm("SIGN-1", kOla)) == Code::usage);
        CHECK_FALSE(get(ask("keys list"))["keys"][0].contains("warnings"));
        get(on("keys destroy", "SIGN-1"));
        CHECK(get(confirm("SIGN-1", kOla)).value("state", "") == "destroyed");
        CHECK(audited().back() == "ola destroy, confirmed SIGN-1 - destroyed");
        CHECK(get(ask("keys check")).value("good", false));
    }

    TEST_CASE_FIXTURE(KeysFixture, "a failure that is no refusal is logged with the state that the key has then") {
        make("signing", "SIGN-1", {{"prepared", true}});
        get(on("keys destroy", "SIGN-1"));
        const auto no = [](Call failing) {
            return [failing](Call call, const Path& path) -> Status {
                const bool other = failing == Call::remove_file && path.extension() != ".pem";
                return call == failing && !other ? Status(fail(Code::io, "injected")) : ok();
            };
        };
        ring_fs.hook(no(Call::create));
        CHECK(code_of(confirm("SIGN-1", kOla)) == Code::io);
        CHECK(audited().back() == "ola destroy, confirmed SIGN-1 - prepared failed LESEFEIL");
        // The ring has it destroyed before its file goes.
        ring_fs.hook(no(Call::remove_file));
        CHECK(code_of(confirm("SIGN-1", kOla)) == Code::io);
        CHECK(audited().back() == "ola destroy, confirmed SIGN-1 - destroyed failed LESEFEIL");
        ring_fs.hook({});
        CHECK_FALSE(get(ask("keys check")).value("good", true));
        CHECK(code_of(confirm("SIGN-1", kOla)) == Code::usage);
        CHECK(audited().back() == "ola destroy, confirmed SIGN-1 - destroyed refused BRUK");
    }

    TEST_CASE_FIXTURE(KeysFixture, "a pseudonym key that the configuration names is neither retired nor destroyed") {
        make("pseudonym", "IPLOS-P1", {{"register", "IPLOS"}, {"version", 1U}});
        make("pseudonym", "IPLOS-P2", {{"register", "IPLOS"}, {"version", 2U}, {"prepared", true}});
        make("pseudonym", "KPR-P1", {{"register", "KPR"}, {"version", 1U}, {"prepared", true}});
        CHECK(code_of(on("keys retire", "IPLOS-P1")) == Code::usage);
        CHECK(ring->pseudonym_mac(iplos(), 1).has_value());
        for (const char* free : {"IPLOS-P2", "KPR-P1"}) {
            get(on("keys retire", free));
            get(on("keys destroy", free));
            get(confirm(free, kOla));
        }
        // Prepared, and named by the configuration already.
        get(ring->change(must(KeyId::parse("IPLOS-P1")), KeyState::retired, {"kari", "x", 1}, clock.utc()));
        CHECK(code_of(on("keys destroy", "IPLOS-P1")) == Code::usage);
    }

    TEST_CASE_FIXTURE(KeysFixture, "the public half of a prepared signing key is there for the registers") {
        make("signing", "SIGN-1");
        make("signing", "SIGN-2", {{"prepared", true}});
        const std::string first = get(ask("keys signing")).value("pem", "");
        const std::string second = get(ask("keys signing", {{"id", "SIGN-2"}})).value("pem", "");
        CHECK(first != second);
        get(on("keys activate", "SIGN-2"));
        CHECK(get(ask("keys signing")).value("pem", "") == second);
        CHECK(code_of(ask("keys signing", {{"id", "SIGN-9"}})) == Code::not_found);
    }

    TEST_CASE_FIXTURE(KeysFixture, "a check names the key that is not good") {
        make("signing", "SIGN-1");
        make("signing", "SIGN-2");
        CHECK(get(ask("keys check")).value("good", false));
        for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "keyring")) {
            if (entry.path().filename().string().starts_with("SIGN-2."))
                std::filesystem::permissions(entry.path(), std::filesystem::perms(0644));
        }
        const Json report = get(ask("keys check"));
        CHECK_FALSE(report.value("good", true));
        CHECK(report["keys"][0].value("good", false));
        CHECK(report["keys"][1]["error"].value("hint", "").starts_with("chmod 600 "));
    }

    TEST_CASE("60 days ahead of its end a key warns, and says what is missing") {
        const auto old = message_key("OLD", KeyState::active, "2026-12-01", "2027-12-31");
        CHECK(warned(old, {old}, "2027-10-31T22:00:00Z").empty());  // 61 days before, in Norway
        CHECK(warned(old, {old}, "2027-10-31T23:00:00Z").starts_with("ends on 2027-12-31, in 60 days; no successor"));
        CHECK(warned(old, {old}, "2027-12-30T12:00:00Z").starts_with("ends on 2027-12-31, in 1 day; "));
        CHECK(warned(old, {old}, "2027-12-31T22:00:00Z").starts_with("ends on 2027-12-31, in 0 days; "));
        CHECK(warned(old, {old}, "2027-12-31T23:00:00Z").starts_with("ended on 2027-12-31; no successor"));
        auto next = message_key("NEW", KeyState::prepared, "2027-12-01", "2029-03-31");
        CHECK(warned(old, {old, next}, "2027-11-15T12:00:00Z").find("NEW is prepared: `tpfctl keys activate`") !=
              std::string::npos);
        next.state = KeyState::active;
        CHECK(warned(old, {old, next}, "2027-11-15T12:00:00Z").find("NEW is active, for senders from 2027-12-01") !=
              std::string::npos);
        // None of these takes its place.
        next.state = KeyState::retired;
        CHECK(warned(old, {old, next}, "2027-11-15T12:00:00Z").find("no successor") != std::string::npos);
        auto other = message_key("REG", KeyState::active, "2027-12-01", "2029-03-31");
        other.kind = KeyKind::register_;
        other.reg = iplos();
        CHECK(warned(old, {old, other}, "2027-11-15T12:00:00Z").find("no successor") != std::string::npos);
        // And these do not end for anybody.
        for (const KeyState state : {KeyState::prepared, KeyState::accepting, KeyState::retired, KeyState::destroyed}) {
            const auto key = message_key("OLD", state, "2026-12-01", "2027-12-31");
            CHECK(warned(key, {key}, "2028-06-01T12:00:00Z").empty());
        }
    }
}

}  // namespace tpf::daemon::test
