#include "crypto/key_ring.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/sha256.h"
#include "base/transcode.h"
#include "crypto/check_value.h"
#include "crypto/key_file.h"
#include "tests/crypto/outside.h"

namespace tpf::crypto {
namespace {

namespace stdfs = std::filesystem;

SecretBytes phrase() {
    return SecretBytes::copy_of(as_bytes("en lang og god frase"));
}
std::chrono::sys_days day(const char* text) {
    return parse_date(text).value();
}
UtcTime now() {
    return parse_utc("2027-01-04T09:30:00Z").value();
}
KeyId id(const char* text) {
    return KeyId::parse(text).value();
}
RegisterName iplos() {
    return RegisterName::parse("IPLOS").value();
}
RegisterName kpr() {
    return RegisterName::parse("KPR").value();
}

KeyRing::GenerateRequest message_request(const char* name) {
    return {KeyKind::message, id(name), {}, 0, day("2026-12-01"), day("2028-03-31"), KeyPolicy::modern(), 3072};
}
KeyRing::GenerateRequest pseudonym_request(const char* name, RegisterName reg, unsigned version) {
    return {KeyKind::pseudonym, id(name), std::move(reg), version, {}, {}, KeyPolicy::modern(), 0};
}
KeyRing::GenerateRequest signing_request(const char* name) {
    return {KeyKind::signing, id(name), {}, 0, {}, {}, KeyPolicy::modern(), 0};
}
KeyRing::ImportRequest register_request(const char* name, RegisterName reg, std::string pem) {
    return {KeyKind::register_, id(name),          std::move(reg),     std::move(pem),
            day("2026-12-01"),  day("2028-03-31"), KeyPolicy::modern()};
}

const std::string& register_pem() {
    static const std::string pem = RsaPrivateKey::generate(3072).public_key().pem();
    return pem;
}
const std::string& receipt_pem() {
    static const std::string pem = SigningKey::generate().verify_key().pem();
    return pem;
}

Result<std::unique_ptr<KeyRing>> open(const stdfs::path& folder, SecretBytes passphrase = phrase()) {
    return KeyRing::open(posix_file_system(), folder, std::move(passphrase));
}

/// A ring with a key of every kind, made once and copied for each test: RSA keys take their time.
void copy_full_ring(const stdfs::path& to) {
    static const test::TempFolder source;
    static const bool made = [] {
        const auto ring = open(source / "ring").value();
        REQUIRE(ring->generate(message_request("TPF-2026"), now()).has_value());
        REQUIRE(ring->generate(pseudonym_request("IPLOS-P1", iplos(), 1), now()).has_value());
        REQUIRE(ring->generate(pseudonym_request("KPR-P1", kpr(), 1), now()).has_value());
        REQUIRE(ring->generate(signing_request("SIGN-1"), now()).has_value());
        REQUIRE(ring->import(register_request("IPLOS-2026", iplos(), register_pem()), now()).has_value());
        REQUIRE(
            ring->import({KeyKind::receipt, id("IPLOS-R1"), iplos(), receipt_pem(), {}, {}, KeyPolicy::modern()}, now())
                .has_value());
        return true;
    }();
    REQUIRE(made);
    stdfs::copy(source / "ring", to, stdfs::copy_options::recursive);
}

/// The one file in the ring of the key `name`.
stdfs::path file_of(const stdfs::path& ring, const std::string& name) {
    for (const auto& entry : stdfs::directory_iterator(ring)) {
        if (entry.path().filename().string().starts_with(name + ".")) return entry.path();
    }
    FAIL("no file of that key");
    return {};
}

void edit_ring(const stdfs::path& ring, const std::function<void(nlohmann::json&)>& edit) {
    auto json = nlohmann::json::parse(test::read_whole(ring / "keyring.json"));
    edit(json);
    test::spill(ring / "keyring.json", json.dump());
}
nlohmann::json& key_in(nlohmann::json& json, const std::string& name) {
    for (auto& key : json["keys"]) {
        if (key["id"] == name) return key;
    }
    throw std::logic_error("no such key");
}

std::string mac_of(const KeyRing& ring, const RegisterName& reg) {
    auto mac = ring.pseudonym_mac(reg, 1).value();
    std::array<std::uint8_t, 32> out{};
    REQUIRE(mac.compute({"x"}, out).has_value());
    return hex(out);
}

/// Fails the n-th call that changes the disk, and all after it: what a full disk or a pulled plug leaves behind.
class FailingFileSystem final : public FileSystem {
  public:
    explicit FailingFileSystem(int calls) : left_(calls) {}
    [[nodiscard]] bool failed() const noexcept { return failed_; }

    Result<std::unique_ptr<tpf::File>> open_read(const Path& path) override { return real_.open_read(path); }
    Result<std::unique_ptr<tpf::File>> create(const Path& path, mode_t mode) override {
        TPF_TRY(spend());
        TPF_TRY(auto file, real_.create(path, mode));
        return std::unique_ptr<tpf::File>(std::make_unique<FailingFile>(*this, std::move(file)));
    }
    Result<FileInfo> info(const Path& path) override { return real_.info(path); }
    Result<FileInfo> info(const tpf::File& file) override { return real_.info(file); }
    Status make_folder(const Path& path, mode_t mode) override {
        TPF_TRY(spend());
        return real_.make_folder(path, mode);
    }
    Result<std::vector<std::string>> list(const Path& folder) override { return real_.list(folder); }
    Status rename(const Path& from, const Path& to) override {
        TPF_TRY(spend());
        return real_.rename(from, to);
    }
    Status replace(const Path& from, const Path& to) override {
        TPF_TRY(spend());
        return real_.replace(from, to);
    }
    Status sync_folder(const Path& folder) override {
        TPF_TRY(spend());
        return real_.sync_folder(folder);
    }
    Status remove_file(const Path& path) override { return real_.remove_file(path); }
    Status remove_tree(const Path& path) override { return real_.remove_tree(path); }
    Result<std::uint64_t> free_bytes(const Path& path) override { return real_.free_bytes(path); }

  private:
    class FailingFile final : public tpf::File {
      public:
        FailingFile(FailingFileSystem& owner, std::unique_ptr<tpf::File> file)
            : owner_(owner), file_(std::move(file)) {}
        Result<std::size_t> read(std::span<std::uint8_t> to) override { return file_->read(to); }
        Status write(std::span<const std::uint8_t> from) override {
            TPF_TRY(owner_.spend());
            return file_->write(from);
        }
        Status sync() override {
            TPF_TRY(owner_.spend());
            return file_->sync();
        }
        void start_writeback() noexcept override {}
        Status seek(std::uint64_t offset) override { return file_->seek(offset); }

      private:
        FailingFileSystem& owner_;
        std::unique_ptr<tpf::File> file_;
    };

    Status spend() {
        if (left_-- > 0) return ok();
        failed_ = true;
        return fail(Code::disk_full, "injected");
    }

    FileSystem& real_ = posix_file_system();
    int left_;
    bool failed_ = false;
};

}  // namespace

TEST_SUITE("crypto/key_ring") {
    TEST_CASE("a missing folder and an empty keyring.json are an empty ring") {
        const test::TempFolder folder;
        const auto ring = open(folder / "ring").value();
        CHECK(ring->list().empty());
        CHECK_FALSE(ring->has_message_key());
        CHECK(ring->message_key(id("TPF-2026")).error().code() == Code::unknown_key);
        CHECK(ring->pseudonym_mac(iplos(), 1).error().code() == Code::no_key);
        CHECK(ring->signing_key().error().code() == Code::no_key);
        CHECK(ring->publish(1, now()).error().code() == Code::no_key);
        stdfs::create_directory(folder / "ring2");
        stdfs::permissions(folder / "ring2", stdfs::perms::owner_all);
        REQUIRE(write_new(posix_file_system(), folder / "ring2/keyring.json", "", 0600).has_value());
        CHECK(open(folder / "ring2").value()->list().empty());
    }

    TEST_CASE("keys survive a restart: every kind is there and works") {
        const test::TempFolder folder;
        copy_full_ring(folder / "ring");
        const auto ring = open(folder / "ring").value();
        const auto again = open(folder / "ring").value();
        const auto facts = again->list();
        REQUIRE(facts.size() == 6);
        CHECK(facts[0].id == id("TPF-2026"));
        CHECK(facts[0].kind == KeyKind::message);
        CHECK(facts[0].state == KeyState::active);
        CHECK(facts[0].bits == 3072);
        CHECK(facts[0].valid_from == day("2026-12-01"));
        CHECK(facts[0].valid_to == day("2028-03-31"));
        CHECK(facts[0].created == now());
        CHECK(facts[1].reg == iplos());
        CHECK(facts[1].version == 1);
        CHECK(facts[1].check_value.size() == 16);
        CHECK(facts[1].check_value != facts[2].check_value);

        CHECK(again->has_message_key());
        const auto message = again->message_key(id("TPF-2026")).value();
        CHECK(message.modulus_bytes == 384);
        const auto published = KeyFile::parse(ring->publish(7, now()).value().content).value();
        KeyWrapper wrapper(published.keys[0].key, KeyTransport::oaep_sha256_mgf1_sha256);
        const auto content = ContentKey::random(ContentCipher::aes256_gcm);
        const auto opened =
            message.unwrapper
                ->unwrap(KeyTransport::oaep_sha256_mgf1_sha256, content.cipher, wrapper.wrap(content).value())
                .value();
        CHECK(hex(opened.key.bytes(SecretToken::access())) == hex(content.key.bytes(SecretToken::access())));

        CHECK(mac_of(*ring, iplos()) == mac_of(*again, iplos()));
        CHECK(mac_of(*ring, iplos()) != mac_of(*ring, kpr()));
        const auto signature = ring->signing_key().value().sign("melding");
        CHECK(again->signing_key().value().verify_key().verify("melding", signature));
        REQUIRE(again->register_keys(iplos()).size() == 1);
        CHECK(again->register_keys(iplos())[0].id == id("IPLOS-2026"));
        CHECK(again->register_keys(iplos())[0].modulus_bytes == 384);
        CHECK(again->register_keys(kpr()).empty());
        REQUIRE(again->receipt_keys(iplos()).size() == 1);
        CHECK(again->receipt_keys(iplos())[0].pem() == receipt_pem());
    }

    TEST_CASE("what is on disk is closed to others and holds no secret in clear") {
        const test::TempFolder folder;
        copy_full_ring(folder / "ring");
        CHECK(posix_file_system().info(folder / "ring").value().mode == 0700);
        for (const auto& entry : stdfs::directory_iterator(folder / "ring")) {
            CHECK(posix_file_system().info(entry.path()).value().mode == 0600);
            CHECK(test::read_whole(entry.path()).find("BEGIN PRIVATE KEY") == std::string::npos);
        }
        CHECK(test::read_whole(file_of(folder / "ring", "TPF-2026"))
                  .starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
        CHECK(test::read_whole(file_of(folder / "ring", "IPLOS-P1")).starts_with("tpf-pseudonym-key-1 "));
        if (test::OpenSsl::absent("crypto/key_ring: openssl reads the ring")) return;
        const test::OpenSsl openssl;
        CHECK(openssl.run("pkey -in " + file_of(folder / "ring", "TPF-2026").string() +
                          " -passin 'pass:en lang og god frase' -noout"));
        // The check value is what docs/keyring-format.md says that OpenSSL shows.
        REQUIRE(openssl.run("pkey -in " + file_of(folder / "ring", "TPF-2026").string() +
                            " -passin 'pass:en lang og god frase' -pubout -outform DER -out spki"));
        REQUIRE(openssl.run("dgst -sha256 -r spki"));
        CHECK(openssl.read("out.txt").substr(0, 16) == open(folder / "ring").value()->list()[0].check_value);
    }

    TEST_CASE("a wrong passphrase opens nothing, an empty one is told apart") {
        const test::TempFolder folder;
        copy_full_ring(folder / "ring");
        CHECK(open(folder / "ring", SecretBytes::copy_of(as_bytes("feil"))).error().code() == Code::wrong_key);
        const auto empty = open(folder / "ring", SecretBytes());
        CHECK(empty.error().code() == Code::config);
        CHECK_FALSE(empty.error().hint().empty());
        const auto fresh = open(folder / "fresh", SecretBytes()).value();
        CHECK(fresh->generate(signing_request("S"), now()).error().code() == Code::config);
        CHECK(fresh->import(register_request("R", iplos(), register_pem()), now()).has_value());
        CHECK(open(folder / "fresh", SecretBytes()).value()->list().size() == 1);
    }

    TEST_CASE("what others may read is refused, with the command that mends it") {
        const test::TempFolder folder;
        copy_full_ring(folder / "ring");
        for (const auto& entry : stdfs::directory_iterator(folder / "ring")) {
            for (const auto more : {stdfs::perms::group_read, stdfs::perms::others_read, stdfs::perms::group_write}) {
                stdfs::permissions(entry.path(), more, stdfs::perm_options::add);
                const auto result = open(folder / "ring");
                if (entry.path().filename() == "keyring.json" || !entry.path().extension().empty()) {
                    REQUIRE_FALSE(result.has_value());
                    CHECK(result.error().code() == Code::config);
                    CHECK(result.error().hint() == "chmod 600 " + entry.path().string());
                }
                stdfs::permissions(entry.path(), stdfs::perms::owner_read | stdfs::perms::owner_write);
            }
        }
        stdfs::permissions(folder / "ring", stdfs::perms::group_exec, stdfs::perm_options::add);
        CHECK(open(folder / "ring").error().hint() == "chmod 700 " + (folder / "ring").string());
    }

    TEST_CASE("files exchanged, missing, damaged or linked are not the keys that the ring names") {
        const auto refused = [](const std::function<void(const stdfs::path&)>& damage) {
            const test::TempFolder folder;
            copy_full_ring(folder / "ring");
            damage(folder / "ring");
            const auto result = open(folder / "ring");
            return !result && result.error().disposition() == Disposition::stop;
        };
        const auto swap = [](const stdfs::path& a, const stdfs::path& b) {
            const std::string of_a = test::read_whole(a);
            test::spill(a, test::read_whole(b));
            test::spill(b, of_a);
        };
        CHECK(refused([&](const stdfs::path& ring) { swap(file_of(ring, "IPLOS-P1"), file_of(ring, "KPR-P1")); }));
        CHECK(refused([&](const stdfs::path& ring) { swap(file_of(ring, "TPF-2026"), file_of(ring, "SIGN-1")); }));
        for (const char* name : {"TPF-2026", "SIGN-1", "IPLOS-P1"}) {
            CHECK(refused([&](const stdfs::path& ring) { stdfs::remove(file_of(ring, name)); }));
            CHECK(refused([&](const stdfs::path& ring) { test::spill(file_of(ring, name), ""); }));
            CHECK(refused([&](const stdfs::path& ring) {
                std::string text = test::read_whole(file_of(ring, name));
                char& c = text[text.size() / 2];
                c = c == 'A' ? 'B' : 'A';
                test::spill(file_of(ring, name), text);
            }));
        }
        // The same key material under other facts.
        CHECK(refused([](const stdfs::path& ring) {
            edit_ring(ring, [](auto& json) { key_in(json, "IPLOS-P1")["keyVersion"] = 2; });
        }));
        CHECK(refused([](const stdfs::path& ring) {
            edit_ring(ring, [](auto& json) { key_in(json, "IPLOS-P1")["register"] = "KUHR"; });
        }));
        CHECK(refused([](const stdfs::path& ring) {
            edit_ring(ring, [](auto& json) { json["kdf"]["salt"] = base64(Bytes(16, 1)); });
        }));
        CHECK(refused([](const stdfs::path& ring) {
            edit_ring(ring, [](auto& json) {
                key_in(json, "IPLOS-2026")["public"] = RsaPrivateKey::generate(3072).public_key().pem();
            });
        }));
        CHECK(refused([](const stdfs::path& ring) {
            edit_ring(ring, [](auto& json) {
                key_in(json, "IPLOS-R1")["public"] = SigningKey::generate().verify_key().pem();
            });
        }));
    }

    TEST_CASE("another key, rightly sealed under the ring's passphrase, is told by its check value") {
        // A second ring with the first one's salt makes keys of the same id, register and version.
        const test::TempFolder folder;
        copy_full_ring(folder / "other");
        edit_ring(folder / "other", [](auto& json) { json["keys"] = nlohmann::json::array(); });
        for (const char* name : {"TPF-2026", "IPLOS-P1", "SIGN-1"}) stdfs::remove(file_of(folder / "other", name));
        const auto other = open(folder / "other").value();
        REQUIRE(other->generate(message_request("TPF-2026"), now()).has_value());
        REQUIRE(other->generate(pseudonym_request("IPLOS-P1", iplos(), 1), now()).has_value());
        REQUIRE(other->generate(signing_request("SIGN-1"), now()).has_value());
        for (const char* name : {"TPF-2026", "IPLOS-P1", "SIGN-1"}) {
            CAPTURE(name);
            const test::TempFolder victim;
            copy_full_ring(victim / "ring");
            test::spill(file_of(victim / "ring", name), test::read_whole(file_of(folder / "other", name)));
            CHECK(open(victim / "ring").error().code() == Code::wrong_key);
        }
    }

    TEST_CASE("a keyring.json that is not understood stops, and says what") {
        const auto code = [](const std::function<void(nlohmann::json&)>& edit) {
            const test::TempFolder folder;
            copy_full_ring(folder / "ring");
            edit_ring(folder / "ring", edit);
            const auto result = open(folder / "ring");
            return result ? std::string("opened") : std::string(result.error().name());
        };
        const std::string config = "KONFIGURASJON";
        CHECK(code([](auto&) {}) == "opened");
        CHECK(code([](auto& json) { json["version"] = 2; }) == config);
        CHECK(code([](auto& json) { json["format"] = "x"; }) == config);
        CHECK(code([](auto& json) { json["more"] = 1; }) == config);
        CHECK(code([](auto& json) { json.erase("keys"); }) == config);
        CHECK(code([](auto& json) { json["keys"][0]["more"] = 1; }) == config);
        CHECK(code([](auto& json) { json["keys"][0]["state"] = "lost"; }) == config);
        CHECK(code([](auto& json) { json["keys"][0]["kind"] = "x"; }) == config);
        CHECK(code([](auto& json) { json["keys"][0]["check"] = "../../../../etc/x"; }) == config);
        CHECK(code([](auto& json) { json["keys"][0]["validTo"] = "never"; }) == config);
        CHECK(code([](auto& json) { json["keys"][0]["bits"] = -1; }) == config);
        CHECK(code([](auto& json) { json["keys"][0].erase("created"); }) == config);
        CHECK(code([](auto& json) { json["keys"].push_back(json["keys"][0]); }) == config);
        CHECK(code([](auto& json) { json["kdf"]["n"] = std::uint64_t{1} << 40; }) == config);
        CHECK(code([](auto& json) { json["kdf"]["n"] = 1024; }) == config);
        CHECK(code([](auto& json) { json.erase("kdf"); }) == config);
        const test::TempFolder folder;
        copy_full_ring(folder / "ring");
        test::spill(folder / "ring/keyring.json", "{\"format\":");
        CHECK(open(folder / "ring").error().code() == Code::config);
    }

    TEST_CASE("states decide what a key is for") {
        struct Expected {
            const char* state;
            bool opens, published;
            Code refusal;
        };
        for (const Expected& expected :
             {Expected{"prepared", false, false, Code::unknown_key}, Expected{"active", true, true, Code::internal},
              Expected{"accepting", true, false, Code::internal}, Expected{"retired", false, false, Code::key_expired},
              Expected{"destroyed", false, false, Code::key_expired}}) {
            CAPTURE(expected.state);
            const test::TempFolder folder;
            copy_full_ring(folder / "ring");
            edit_ring(folder / "ring", [&](auto& json) {
                for (auto& key : json["keys"]) key["state"] = expected.state;
            });
            if (std::string(expected.state) == "destroyed") stdfs::remove(file_of(folder / "ring", "TPF-2026"));
            const auto ring = open(folder / "ring").value();
            const auto key = ring->message_key(id("TPF-2026"));
            CHECK(key.has_value() == expected.opens);
            if (!key) CHECK(key.error().code() == expected.refusal);
            CHECK(ring->has_message_key() == expected.opens);
            CHECK(ring->pseudonym_mac(iplos(), 1).has_value() == expected.opens);
            CHECK(ring->receipt_keys(iplos()).empty() != expected.opens);
            CHECK(ring->register_keys(iplos()).empty() != expected.opens);
            CHECK(ring->publish({}, now()).has_value() == expected.published);
            CHECK(ring->signing_key().has_value() == expected.published);
        }
    }

    TEST_CASE("what cannot be made or taken in") {
        const test::TempFolder folder;
        copy_full_ring(folder / "ring");
        const auto ring = open(folder / "ring").value();
        const auto refused = [&](const KeyRing::GenerateRequest& request) {
            const auto result = ring->generate(request, now());
            return !result && result.error().code() == Code::usage;
        };
        CHECK(refused(message_request("TPF-2026")));
        CHECK(refused(pseudonym_request("IPLOS-P1x", iplos(), 1)));
        CHECK(refused(pseudonym_request("IPLOS-2026", iplos(), 2)));
        CHECK(refused(pseudonym_request("IPLOS-P0", iplos(), 0)));
        auto request = message_request("X");
        request.bits = 2048;
        CHECK(refused(request));
        request = message_request("X");
        request.valid_to = day("2026-11-30");
        CHECK(refused(request));
        request = message_request("X");
        request.reg = iplos();
        CHECK(refused(request));
        request = pseudonym_request("X", iplos(), 2);
        request.reg.reset();
        CHECK(refused(request));
        request = signing_request("X");
        request.kind = KeyKind::receipt;
        CHECK(refused(request));

        const auto code = [&](const KeyRing::ImportRequest& wanted) {
            const auto result = ring->import(wanted, now());
            return result ? std::string("taken") : std::string(result.error().name());
        };
        CHECK(code(register_request("IPLOS-2026", iplos(), register_pem())) == "BRUK");
        CHECK(code(register_request("TPF-X", RegisterName::parse("TPF").value(), register_pem())) == "BRUK");
        CHECK(code(register_request("X", iplos(), "x")) == "FELTFORM");
        CHECK(code(register_request("X", iplos(), receipt_pem())) == "FELTFORM");
        CHECK(code(register_request("X", iplos(), RsaPrivateKey::generate(2048).public_key().pem())) == "BRUK");
        // The TPF's own key as a register's: the TPF could open what senders seal for the register.
        const auto own = KeyFile::parse(ring->publish(1, now()).value().content).value().keys[0].key.pem();
        CHECK(code(register_request("X", iplos(), own)) == "BRUK");
        auto legacy = register_request("X", iplos(), register_pem());
        legacy.policy = KeyPolicy::legacy_net(KeyTransport::rsa_1_5).value();
        CHECK(code(legacy) == "BRUK");
        auto wrong = register_request("X", iplos(), register_pem());
        wrong.kind = KeyKind::message;
        CHECK(code(wrong) == "BRUK");
        CHECK(ring->list().size() == 6);
        CHECK(open(folder / "ring").value()->list().size() == 6);
    }

    TEST_CASE("what is published: active keys that have not ended, the TPF's first") {
        const test::TempFolder folder;
        copy_full_ring(folder / "ring");
        const auto ring = open(folder / "ring").value();
        auto next = message_request("TPF-2027");
        next.valid_from = day("2027-12-01");
        next.valid_to = day("2029-03-31");
        REQUIRE(ring->generate(next, now()).has_value());
        const std::string bytes = ring->publish(12, now()).value().content;
        CHECK(bytes.starts_with("\xff\xfe"));
        const auto file = KeyFile::parse(bytes).value();
        CHECK(file.version == "2027");
        CHECK(file.edition == 12U);
        REQUIRE(file.keys.size() == 3);
        CHECK(file.keys[0].id == id("TPF-2026"));
        CHECK(file.keys[1].id == id("TPF-2027"));
        CHECK(file.keys[2].id == id("IPLOS-2026"));
        CHECK(file.keys[2].key.pem() == register_pem());
        // 31 March 2028 ends at 22:00 UTC: Norwegian summer time.
        const auto keys_at = [&](const char* time) {
            return KeyFile::parse(ring->publish({}, parse_utc(time).value()).value().content).value().keys.size();
        };
        CHECK(keys_at("2028-03-31T21:59:59Z") == 3);
        CHECK(keys_at("2028-03-31T22:00:00Z") == 1);
    }

    TEST_CASE("editions rise, over a restart and a backup too") {
        const test::TempFolder folder;
        copy_full_ring(folder / "ring");
        SecretBytes bundle(0);
        {
            const auto ring = open(folder / "ring").value();
            const auto first = ring->publish({}, now()).value();
            CHECK(first.edition.edition == 1);
            CHECK(first.edition.sha256 == hex(sha256(first.content)));
            CHECK(ring->publish(1, now()).value().content == first.content);
            CHECK(ring->publish(7, now()).value().edition.edition == 7);
            CHECK(ring->publish(6, now()).error().code() == Code::usage);
            CHECK(ring->publish(0, now()).error().code() == Code::usage);
            CHECK(ring->publish(kMaxEdition + 1, now()).error().code() == Code::usage);
            CHECK(ring->publish(8 + kMaxEditionStep + 1, now()).error().code() == Code::usage);
            bundle = ring->bundle().value();
        }
        const auto ring = open(folder / "ring").value();
        CHECK(ring->publish(7, now()).has_value());
        REQUIRE(ring->generate(message_request("TPF-2027"), now()).has_value());
        CHECK(ring->publish(7, now()).error().code() == Code::usage);  // another file under the same number
        CHECK(ring->publish({}, now()).value().edition.edition == 8);
        const auto restored = KeyRing::restore(posix_file_system(), folder / "restored", phrase(), bundle,
                                               {now(), "kari", "a test", "0"});
        REQUIRE(restored.has_value());
        CHECK(restored.value()->publish({}, now()).value().edition.edition == 8);
    }

    TEST_CASE("a pseudonym key that exists is taken in, once") {
        const test::TempFolder folder;
        const auto ring = open(folder / "ring").value();
        const auto request = [](const char* key_id, const RegisterName& reg, std::size_t size) {
            auto made = pseudonym_request(key_id, reg, 1);
            made.existing = std::make_shared<const SecretBytes>(SecretBytes::copy_of(Bytes(size, 0x5a)));
            return made;
        };
        const auto taken = ring->generate(request("P-1", iplos(), 32), now());
        REQUIRE(taken.has_value());
        CHECK(taken.value().check_value == check_value(*request("P-1", iplos(), 32).existing));
        const auto mac = open(folder / "ring").value()->pseudonym_mac(iplos(), 1);
        CHECK(mac.has_value());
        // Under one key two registers would be linked.
        CHECK(ring->generate(request("P-2", kpr(), 32), now()).error().code() == Code::usage);
        CHECK(ring->generate(request("P-2", kpr(), 31), now()).error().code() == Code::usage);
        auto of_another_kind = message_request("M-1");
        of_another_kind.existing = request("P-1", iplos(), 32).existing;
        CHECK(ring->generate(of_another_kind, now()).error().code() == Code::usage);
    }

    TEST_CASE("a change that fails at any step leaves the old ring or the new one, and can be made again") {
        int steps = 0;
        for (int calls = 0;; ++calls) {
            const test::TempFolder folder;
            {
                FailingFileSystem failing(calls);
                const auto ring = KeyRing::open(failing, folder / "ring", phrase()).value();
                const auto made = ring->generate(pseudonym_request("IPLOS-P1", iplos(), 1), now());
                CHECK(made.has_value() == !failing.failed());
                if (!failing.failed()) break;
                CHECK(ring->list().empty());
            }
            ++steps;
            const auto ring = open(folder / "ring").value();
            if (ring->list().empty())
                REQUIRE(ring->generate(pseudonym_request("IPLOS-P1", iplos(), 1), now()).has_value());
            CHECK(open(folder / "ring").value()->pseudonym_mac(iplos(), 1).has_value());
        }
        CHECK(steps >= 10);
    }

    TEST_CASE("readers go on while a key is made") {
        const test::TempFolder folder;
        copy_full_ring(folder / "ring");
        const auto ring = open(folder / "ring").value();
        std::atomic<bool> done = false;
        std::atomic<int> wrong = 0;
        std::thread reader([&] {
            while (!done) {
                if (!ring->message_key(id("TPF-2026")) || !ring->pseudonym_mac(iplos(), 1)) ++wrong;
            }
        });
        for (unsigned version = 2; version < 12; ++version) {
            const std::string name = "IPLOS-P" + std::to_string(version);
            REQUIRE(ring->generate(pseudonym_request(name.c_str(), iplos(), version), now()).has_value());
        }
        done = true;
        reader.join();
        CHECK(wrong == 0);
        CHECK(ring->list().size() == 16);
    }
}

}  // namespace tpf::crypto
