#include <doctest/doctest.h>

#include <filesystem>

#include "crypto/key_ring.h"
#include "tests/crypto/outside.h"

namespace tpf::crypto {
namespace {

namespace stdfs = std::filesystem;
using std::chrono::hours;

UtcTime now() {
    return parse_utc("2027-01-04T09:30:00Z").value();
}
KeyId id(const char* text) {
    return KeyId::parse(text).value();
}
RegisterName iplos() {
    return RegisterName::parse("IPLOS").value();
}
Result<std::unique_ptr<KeyRing>> open(const stdfs::path& folder) {
    return KeyRing::open(posix_file_system(), folder, SecretBytes::copy_of(as_bytes("en lang og god frase")));
}

const KeyActor kKari{"kari", "yearly change", 1001}, kOla{"ola", "seen and agreed", 1002};
Result<std::string> nothing_needs_it(const KeyFacts&) {
    return std::string();
}

/// One key of each kind that is made quickly, prepared.
struct Stage {
    test::TempFolder folder;
    stdfs::path path = folder / "ring";
    std::unique_ptr<KeyRing> ring = open(path).value();

    explicit Stage(KeyState state = KeyState::prepared) {
        make({KeyKind::signing, id("SIGN-1"), {}, 0, {}, {}, KeyPolicy::modern(), 0, state, kKari});
        make({KeyKind::pseudonym, id("IPLOS-P1"), iplos(), 1, {}, {}, KeyPolicy::modern(), 0, state, kKari});
        const std::string pem = SigningKey::generate().verify_key().pem();
        REQUIRE(
            ring->import({KeyKind::receipt, id("R-1"), iplos(), pem, {}, {}, KeyPolicy::modern(), state, kKari}, now())
                .has_value());
    }
    void make(const KeyRing::GenerateRequest& request) { REQUIRE(ring->generate(request, now()).has_value()); }
    void reopen() {
        ring.reset();
        ring = open(path).value();
    }
    KeyFacts facts(const char* name) const {
        for (const KeyFacts& key : ring->list()) {
            if (key.id.str() == name) return key;
        }
        throw std::logic_error("no such key");
    }
    Result<KeyFacts> to(const char* name, KeyState state, hours later = hours(0)) const {
        return ring->change(id(name), state, kKari, now() + later);
    }
    Result<KeyFacts> ask(const char* name, const KeyActor& who = kKari) const {
        return ring->request_destroy(id(name), who, nothing_needs_it, now());
    }
    Result<KeyFacts> confirm(const char* name, const KeyActor& who, hours later = hours(1)) const {
        return ring->confirm_destroy(id(name), who, nothing_needs_it, now() + later);
    }
    [[nodiscard]] bool has_file(const std::string& name) const {
        for (const auto& entry : stdfs::directory_iterator(path)) {
            if (entry.path().filename().string().starts_with(name + ".")) return true;
        }
        return false;
    }
};

template <class T>
std::optional<Code> code_of(const Result<T>& result) {
    if (result) return std::nullopt;
    return result.error().code();
}

}  // namespace

TEST_SUITE("crypto/key_life") {
    TEST_CASE("a prepared key is used for nothing until it is activated, and each change is remembered with its name") {
        Stage stage;
        CHECK_FALSE(stage.ring->signing_key().has_value());
        CHECK_FALSE(stage.ring->pseudonym_mac(iplos(), 1).has_value());
        CHECK(stage.ring->receipt_keys(iplos()).empty());
        for (const char* name : {"SIGN-1", "IPLOS-P1", "R-1"}) {
            REQUIRE(stage.to(name, KeyState::active, hours(2)).has_value());
        }
        for (int restarts = 0; restarts < 2; ++restarts, stage.reopen()) {
            CHECK(stage.ring->signing_key().has_value());
            CHECK(stage.ring->pseudonym_mac(iplos(), 1).has_value());
            CHECK(stage.ring->receipt_keys(iplos()).size() == 1);
            const KeyFacts facts = stage.facts("SIGN-1");
            REQUIRE(facts.history.size() == 2);
            CHECK(facts.history[0].state == KeyState::prepared);
            CHECK(facts.history[1].state == KeyState::active);
            CHECK(facts.history[1].by == "kari");
            CHECK(facts.history[1].reason == "yearly change");
            CHECK(facts.history[1].at == now() + hours(2));
            CHECK(in_state_since(facts) == now() + hours(2));
        }
    }

    TEST_CASE("which state follows on which") {
        using enum KeyState;
        const struct {
            KeyState from, to;
            bool takes;
        } all[] = {{prepared, active, true},   {prepared, accepting, false}, {prepared, retired, true},
                   {active, accepting, true},  {active, retired, true},      {active, prepared, false},
                   {accepting, active, true},  {accepting, retired, true},   {accepting, prepared, false},
                   {retired, active, true},    {retired, accepting, true},   {retired, prepared, false},
                   {active, active, false},    {retired, retired, false},    {retired, destroyed, false},
                   {prepared, prepared, false}};
        for (const auto& each : all) {
            CAPTURE(to_string(each.from));
            CAPTURE(to_string(each.to));
            const Stage stage;
            if (each.from != prepared) REQUIRE(stage.to("R-1", active).has_value());
            if (each.from != prepared && each.from != active) REQUIRE(stage.to("R-1", each.from).has_value());
            const auto result = stage.to("R-1", each.to);
            CHECK(code_of(result) == (each.takes ? std::nullopt : std::optional(Code::usage)));
            CHECK(stage.facts("R-1").state == (each.takes ? each.to : each.from));
        }
        const Stage stage(active);
        CHECK(code_of(stage.to("SIGN-1", accepting)) == Code::usage);
        CHECK(code_of(stage.to("IPLOS-P1", accepting)) == Code::usage);
        CHECK(code_of(stage.to("NONE", retired)) == Code::not_found);
        KeyRing::GenerateRequest odd{KeyKind::signing, id("S-2"), {}, 0, {}, {}, KeyPolicy::modern(), 0, retired};
        CHECK(code_of(stage.ring->generate(odd, now())) == Code::usage);
    }

    TEST_CASE("of two active signing keys the one that became so last signs") {
        const Stage stage(KeyState::active);
        const auto signs = [&] { return stage.ring->signing_key().value().verify_key().pem(); };
        const std::string first = signs();
        REQUIRE(
            stage.ring
                ->generate(
                    {KeyKind::signing, id("SIGN-2"), {}, 0, {}, {}, KeyPolicy::modern(), 0, KeyState::prepared, kKari},
                    now())
                .has_value());
        CHECK(signs() == first);
        REQUIRE(stage.to("SIGN-2", KeyState::active, hours(1)).has_value());
        CHECK(signs() == stage.facts("SIGN-2").public_pem);
        REQUIRE(stage.to("SIGN-1", KeyState::retired, hours(2)).has_value());
        REQUIRE(stage.to("SIGN-1", KeyState::active, hours(3)).has_value());
        CHECK(signs() == first);
    }

    TEST_CASE("destroying takes two, and leaves the facts") {
        Stage stage(KeyState::active);
        CHECK(code_of(stage.ask("SIGN-1")) == Code::usage);  // in use
        for (const char* name : {"SIGN-1", "IPLOS-P1", "R-1"}) {
            CAPTURE(name);
            REQUIRE(stage.to(name, KeyState::retired).has_value());
            CHECK(code_of(stage.confirm(name, kOla)) == Code::usage);  // nobody asked
            REQUIRE(stage.ask(name).has_value());
            stage.reopen();  // the request survives
            CHECK(stage.facts(name).destroy_request->by.name == "kari");
            CHECK(code_of(stage.confirm(name, kKari)) == Code::denied);
            CHECK(code_of(stage.confirm(name, {"kari2", "same person", 1001})) == Code::denied);
            CHECK(code_of(stage.confirm(name, {"kari", "same name", 1003})) == Code::denied);
            CHECK(code_of(stage.confirm(name, {"root", "who is it?", 0})) == Code::denied);
            CHECK(code_of(stage.confirm(name, {"uid 1004", "nobody knows", 1004})) == Code::denied);
            CHECK(code_of(stage.confirm(name, kOla, kConfirmWithin + hours(1))) == Code::usage);
            CHECK(code_of(stage.confirm(name, kOla, hours(-1))) == Code::usage);
            CHECK(stage.facts(name).state == KeyState::retired);
            CHECK(stage.has_file(name) == (std::string(name) != "R-1"));
            const auto done = stage.confirm(name, kOla, kConfirmWithin);
            REQUIRE(done.has_value());
            CHECK(done.value().state == KeyState::destroyed);
            CHECK_FALSE(done.value().destroy_request.has_value());
            CHECK(done.value().history.back().by == "ola");
            CHECK_FALSE(stage.has_file(name));
            CHECK(code_of(stage.to(name, KeyState::active)) == Code::usage);
            CHECK(code_of(stage.ask(name)) == Code::usage);
        }
        stage.reopen();
        CHECK(stage.facts("IPLOS-P1").state == KeyState::destroyed);
        CHECK(stage.facts("IPLOS-P1").check_value.size() == 16);
        CHECK_FALSE(stage.ring->pseudonym_mac(iplos(), 1).has_value());
    }

    TEST_CASE("a change of state drops the request to destroy") {
        const Stage stage;
        REQUIRE(stage.ask("SIGN-1").has_value());
        REQUIRE(stage.to("SIGN-1", KeyState::active).has_value());
        REQUIRE(stage.to("SIGN-1", KeyState::retired).has_value());
        CHECK(code_of(stage.confirm("SIGN-1", kOla)) == Code::usage);
    }

    TEST_CASE("what is still needed is not destroyed: asked at the request and at the confirmation") {
        const Stage stage;
        std::string asked;
        const auto list_is_kept = [&](const KeyFacts& facts) -> Result<std::string> {
            asked = facts.id.str();
            return std::string("a pseudonym list under it is kept");
        };
        const auto refused = stage.ring->request_destroy(id("IPLOS-P1"), kKari, list_is_kept, now());
        REQUIRE(code_of(refused) == Code::usage);
        CHECK(asked == "IPLOS-P1");
        CHECK(refused.error().detail().find("a pseudonym list under it is kept") != std::string::npos);
        REQUIRE(stage.ask("IPLOS-P1").has_value());
        CHECK(code_of(stage.ring->confirm_destroy(id("IPLOS-P1"), kOla, list_is_kept, now())) == Code::usage);
        const auto unknown = [](const KeyFacts&) -> Result<std::string> { return fail(Code::io, "cannot tell"); };
        CHECK(code_of(stage.ring->confirm_destroy(id("IPLOS-P1"), kOla, unknown, now())) == Code::io);
        CHECK(stage.has_file("IPLOS-P1"));
        CHECK(stage.confirm("IPLOS-P1", kOla).has_value());
    }

    TEST_CASE("a crash between ring and file: the next start removes what is left of a destroyed key") {
        Stage stage;
        std::string name;
        for (const auto& entry : stdfs::directory_iterator(stage.path)) {
            if (entry.path().filename().string().starts_with("IPLOS-P1.")) name = entry.path().filename();
        }
        stdfs::copy(stage.path / name, stage.folder / "kept");
        REQUIRE(stage.ask("IPLOS-P1").has_value());
        REQUIRE(stage.confirm("IPLOS-P1", kOla).has_value());
        stdfs::copy(stage.folder / "kept", stage.path / name);
        const auto report = stage.ring->check().value();
        CHECK(report.keys[1].fault.has_value());
        stage.reopen();
        CHECK_FALSE(stdfs::exists(stage.path / name));
        CHECK_FALSE(stage.ring->check().value().keys[1].fault.has_value());
    }

    TEST_CASE("a check opens every file and tells each key's fault apart") {
        const Stage stage;
        const auto faults = [&] {
            std::string told;
            const auto report = stage.ring->check().value();
            for (const auto& key : report.keys) {
                if (key.fault) told += key.id.str() + ":" + std::string(key.fault->name()) + " ";
            }
            return told;
        };
        CHECK(faults().empty());
        CHECK(stage.ring->check().value().as_loaded);
        const auto file = [&](const std::string& name) {
            for (const auto& entry : stdfs::directory_iterator(stage.path)) {
                if (entry.path().filename().string().starts_with(name + ".")) return entry.path();
            }
            throw std::logic_error("no file");
        };
        stdfs::permissions(file("SIGN-1"), stdfs::perms::group_read, stdfs::perm_options::add);
        CHECK(faults() == "SIGN-1:KONFIGURASJON ");
        stdfs::permissions(file("SIGN-1"), stdfs::perms::owner_read | stdfs::perms::owner_write);
        const std::string whole = test::read_whole(file("IPLOS-P1"));
        test::spill(file("IPLOS-P1"), "tpf-pseudonym-key-1 AAAA\n");
        CHECK(faults() == "IPLOS-P1:FEIL_NOKKEL ");
        test::spill(file("IPLOS-P1"), whole);
        test::spill(stage.path / "stray.pem", "x");
        CHECK(stage.ring->check().value().strangers == std::vector<std::string>{"stray.pem"});
        std::string ring = test::read_whole(stage.path / "keyring.json");
        ring.replace(ring.find("prepared"), 8, "active");
        test::spill(stage.path / "keyring.json", ring);
        CHECK_FALSE(stage.ring->check().value().as_loaded);
        stdfs::remove(file("SIGN-1"));
        CHECK(faults() == "SIGN-1:FEIL_NOKKEL ");
        stdfs::permissions(stage.path, stdfs::perms::group_exec, stdfs::perm_options::add);
        CHECK(code_of(stage.ring->check()) == Code::config);
    }

    TEST_CASE("what the ring does not understand of a key's life stops it") {
        const Stage stage;
        REQUIRE(stage.ask("SIGN-1").has_value());
        const std::string good = test::read_whole(stage.path / "keyring.json");
        const auto opens = [&](std::string_view from, std::string_view to) {
            std::string text = good;
            REQUIRE(text.find(from) != std::string::npos);
            test::spill(stage.path / "keyring.json", text.replace(text.find(from), from.size(), to));
            return code_of(open(stage.path));
        };
        CHECK(opens("\"by\"", "\"by\"") == std::nullopt);
        CHECK(opens("\"by\"", "\"who\"") == Code::config);
        CHECK(opens("\"uid\": 1001", "\"uid\": -1") == Code::config);
        CHECK(opens("\"uid\": 1001", "\"uid\": 5000000000") == Code::config);
        CHECK(opens("\"history\": [", "\"history\": [1,") == Code::config);
        CHECK(opens("2027-01-04T09:30:00Z\",\n          \"by\"", "2027\",\n          \"by\"") == Code::config);
    }

    TEST_CASE("twenty failures suspend a legacy key, and no other, until it is resumed") {
        unsigned times_told = 0;
        const auto told = [&](const KeyFacts& facts) -> Status {
            CHECK(facts.id.str() == "NETT");
            ++times_told;
            return ok();
        };
        const test::TempFolder folder;
        {
            const auto ring =
                KeyRing::open(posix_file_system(), folder / "r", SecretBytes::copy_of(as_bytes("en frase"))).value();
            const std::chrono::sys_days from{std::chrono::year{2026} / 12 / 1};
            KeyRing::GenerateRequest request{
                KeyKind::message, KeyId::parse("NETT").value(), std::nullopt, 0, from, from + std::chrono::days(400)};
            request.policy = KeyPolicy::legacy_net(KeyTransport::rsa_1_5).value();
            request.bits = 2048;
            REQUIRE(ring->generate(request, UtcTime()).has_value());
            request.id = KeyId::parse("NY").value();
            request.policy = KeyPolicy::modern();
            request.bits = 3072;
            REQUIRE(ring->generate(request, UtcTime()).has_value());
            for (unsigned i = 0; i + 1 < kMostFailures; ++i) {
                CHECK_FALSE(ring->note_failure(KeyId::parse("NETT").value(), told).value());
                CHECK_FALSE(ring->note_failure(KeyId::parse("NY").value(), told).value());
                CHECK_FALSE(ring->note_failure(KeyId::parse("NONE").value(), told).value());
            }
            CHECK(ring->message_key(KeyId::parse("NETT").value()).has_value());
        }
        const auto ring =
            KeyRing::open(posix_file_system(), folder / "r", SecretBytes::copy_of(as_bytes("en frase"))).value();
        CHECK(times_told == 0);
        // Not logged, not suspended; and it counts again.
        const auto cannot = [](const KeyFacts&) -> Status { return fail(Code::io, "full"); };
        CHECK(ring->note_failure(KeyId::parse("NETT").value(), cannot).error().code() == Code::io);
        CHECK(ring->message_key(KeyId::parse("NETT").value()).has_value());
        CHECK(ring->note_failure(KeyId::parse("NETT").value(), told).value());
        CHECK(times_told == 1);
        CHECK(ring->message_key(KeyId::parse("NETT").value()).error().code() == Code::no_key);
        CHECK(ring->message_key(KeyId::parse("NY").value()).has_value());
        CHECK_FALSE(ring->note_failure(KeyId::parse("NETT").value(), told).value());
        CHECK(ring->resume(KeyId::parse("NY").value()).error().code() == Code::usage);
        CHECK(ring->resume(KeyId::parse("NETT").value()).value().failures == 0);
        CHECK(ring->message_key(KeyId::parse("NETT").value()).has_value());
        CHECK(ring->resume(KeyId::parse("NETT").value()).error().code() == Code::usage);
    }
}

}  // namespace tpf::crypto
