// Against SoftHSM (Debian's softhsm2): a token of this process's own in a folder.

#include <dlfcn.h>
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "crypto/key_ring.h"
#include "tests/support/temp_folder.h"

namespace tpf::crypto {
namespace {

constexpr const char* kModule = "/usr/lib/softhsm/libsofthsm2.so";
constexpr auto kOaep = KeyTransport::oaep_sha256_mgf1_sha256;

/// One token for all tests; nothing where SoftHSM is not installed.
struct SoftToken {
    test::TempFolder folder;
    std::filesystem::path tokens = folder.path() / "tokens";
    std::shared_ptr<Pkcs11Token> token;

    SoftToken() {
        if (!std::filesystem::exists(kModule) || !std::filesystem::exists("/usr/bin/softhsm2-util")) return;
        std::filesystem::create_directory(tokens);
        const auto config = folder.path() / "softhsm2.conf";
        std::ofstream(config) << "directories.tokendir = " << tokens.string() << "\nlog.level = ERROR\n";
        ::setenv("SOFTHSM2_CONF", config.c_str(), 1);
        REQUIRE(std::system(
                    "softhsm2-util --init-token --free --label 'tpf test' --pin 1234 --so-pin 5678 >/dev/null") == 0);
        token = Pkcs11Token::open(uri(), pin("1234")).value();
    }
    static Pkcs11Uri uri() {
        return Pkcs11Uri::parse("pkcs11:token=tpf%20test?module-path=" + std::string(kModule)).value();
    }
    static SecretBytes pin(std::string_view text) { return SecretBytes::copy_of(as_bytes(text)); }
    /// nullptr, said by name.
    static SoftToken* get() {
        static SoftToken one;
        if (!one.token) std::cout << "SKIPPED: crypto/pkcs11: no SoftHSM\n";
        return one.token ? &one : nullptr;
    }
};

Bytes raw(const ContentKey& key) {
    const ByteView bytes = key.key.bytes(SecretToken::access());
    return {bytes.begin(), bytes.end()};
}

RegisterName iplos() {
    return RegisterName::parse("IPLOS").value();
}

std::array<std::uint8_t, 32> mac_of(PseudonymMac mac, std::string_view text) {
    std::array<std::uint8_t, 32> out{};
    REQUIRE(mac.compute({text}, out).has_value());
    return out;
}

std::unique_ptr<KeyRing> open_ring(const std::filesystem::path& folder, std::shared_ptr<const Pkcs11Token> token) {
    return KeyRing::open(posix_file_system(), folder, SoftToken::pin("en lang frase"), ::geteuid(), std::move(token))
        .value();
}

KeyRing::GenerateRequest request(KeyKind kind, const char* id, KeyPlace place) {
    const std::chrono::sys_days from{std::chrono::year{2026} / 12 / 1};
    KeyRing::GenerateRequest made{kind, KeyId::parse(id).value(), std::nullopt, 0, from, from + std::chrono::days(400)};
    if (kind == KeyKind::pseudonym) made.reg = iplos();
    made.version = kind == KeyKind::pseudonym ? 1 : 0;
    made.place = place;
    return made;
}

const UtcTime kNow{std::chrono::seconds(1800000000)};

}  // namespace

TEST_SUITE("crypto/pkcs11") {
    TEST_CASE("a URI names module and token, and never a PIN") {
        const auto uri = Pkcs11Uri::parse("pkcs11:token=my%20token;serial=01ab?module-path=/usr/lib/x.so").value();
        CHECK(uri.token == "my token");
        CHECK(uri.serial == "01ab");
        CHECK(uri.module_path == "/usr/lib/x.so");
        for (const char* bad :
             {"", "pkcs11", "pkcs11:", "pkcs11:token=x", "PKCS11:token=x?module-path=/m", "pkcs11:?module-path=/m",
              "pkcs11:token=x?module-path=m", "pkcs11:token=x;token=y?module-path=/m", "pkcs11:token=?module-path=/m",
              "pkcs11:token=%2?module-path=/m", "pkcs11:token=%zz?module-path=/m", "pkcs11:token=%00?module-path=/m",
              "pkcs11:token=a b?module-path=/m", "pkcs11:object=x;token=t?module-path=/m",
              "pkcs11:token=x?module-path=/m&module-name=n"}) {
            CAPTURE(bad);
            CHECK(Pkcs11Uri::parse(bad).error().code() == Code::config);
        }
        for (const char* pin : {"pin-value=1234", "pin-source=file:/pin"}) {
            const auto refused = Pkcs11Uri::parse("pkcs11:token=x?module-path=/m&" + std::string(pin));
            CHECK(refused.error().hint().find("credential") != std::string::npos);
            CHECK(refused.error().text().find("1234") == std::string::npos);
        }
    }

    TEST_CASE("what is no module, and a wrong PIN, are the configuration's fault") {
        auto uri = Pkcs11Uri::parse("pkcs11:token=x?module-path=/nowhere.so").value();
        CHECK(Pkcs11Token::open(uri, SecretBytes()).error().code() == Code::config);
        uri.module_path = "/usr/lib/x86_64-linux-gnu/libexpat.so.1";
        CHECK(Pkcs11Token::open(uri, SecretBytes()).error().code() == Code::config);
    }

    TEST_CASE("a key in the token opens what was sealed for it, with every padding") {
        SoftToken* const soft = SoftToken::get();
        if (soft == nullptr) return;
        const RsaPublicKey key = soft->token->generate_rsa("RSA-1", 3072).value();
        CHECK(soft->token->generate_rsa("RSA-1", 3072).error().code() == Code::usage);
        CHECK(soft->token->find_rsa("RSA-1").value().modulus() == key.modulus());
        CHECK(soft->token->find_rsa("NONE").error().code() == Code::no_key);
        const TokenUnwrapper unwrapper(soft->token, "RSA-1", key);
        for (const auto transport :
             {kOaep, KeyTransport::oaep_mgf1p_sha1, KeyTransport::oaep_mgf1p_sha256, KeyTransport::rsa_1_5}) {
            for (const auto cipher : {ContentCipher::aes256_gcm, ContentCipher::aes128_gcm}) {
                const ContentKey content = ContentKey::random(cipher);
                const Bytes wrapped = KeyWrapper(key, transport).wrap(content).value();
                CHECK(raw(unwrapper.unwrap(transport, cipher, wrapped).value()) == raw(content));
                // Another length than the cipher's, another padding, no ciphertext at all: a random key, each time.
                const auto other =
                    cipher == ContentCipher::aes256_gcm ? ContentCipher::aes128_gcm : ContentCipher::aes256_gcm;
                CHECK(raw(unwrapper.unwrap(transport, other, wrapped).value()).size() == key_size(other));
                const auto another = transport == kOaep ? KeyTransport::rsa_1_5 : kOaep;
                const Bytes one = raw(unwrapper.unwrap(another, cipher, wrapped).value());
                CHECK(one != raw(content));
                CHECK(one != raw(unwrapper.unwrap(another, cipher, wrapped).value()));
                for (const std::size_t size : {std::size_t{0}, std::size_t{100}, wrapped.size() + 1}) {
                    CHECK(raw(unwrapper.unwrap(transport, cipher, Bytes(size, 1)).value()).size() == key_size(cipher));
                }
                CHECK(raw(unwrapper.unwrap(transport, cipher, Bytes(wrapped.size(), 0xff)).value()).size() ==
                      key_size(cipher));
            }
        }
        // A label is a name that anybody can give: only the key of this modulus is used.
        const RsaPublicKey foreign = RsaPrivateKey::generate(3072).public_key();
        const TokenUnwrapper swapped(soft->token, "RSA-1", foreign);
        // Another key of that name is not this one, and stays.
        REQUIRE(soft->token->destroy_rsa("RSA-1", foreign).has_value());
        CHECK(soft->token->has_rsa("RSA-1", key).value());
        REQUIRE(soft->token->destroy_rsa("RSA-1", key).has_value());
        CHECK_FALSE(soft->token->has_rsa("RSA-1", key).value());
        REQUIRE(soft->token->generate_rsa("RSA-1", 3072).has_value());
        CHECK(swapped.unwrap(kOaep, ContentCipher::aes256_gcm, Bytes(384, 1)).error().code() == Code::no_key);
        CHECK(unwrapper.unwrap(kOaep, ContentCipher::aes256_gcm, Bytes(384, 1)).error().code() == Code::no_key);
    }

    TEST_CASE("a token that only unpads itself: a bad message is the message's fault, a broken token is not") {
        SoftToken* const soft = SoftToken::get();
        if (soft == nullptr) return;
        const auto uri = Pkcs11Uri::parse("pkcs11:token=tpf%20test?module-path=" TPF_NO_RAW_MODULE).value();
        const auto token = Pkcs11Token::open(uri, SoftToken::pin("1234")).value();
        const RsaPublicKey key = token->generate_rsa("OWN-1", 3072).value();
        const TokenUnwrapper unwrapper(token, "OWN-1", key);
        constexpr auto kCipher = ContentCipher::aes256_gcm;
        const auto break_token = reinterpret_cast<void (*)(bool)>(
            ::dlsym(::dlopen(TPF_NO_RAW_MODULE, RTLD_NOW | RTLD_NOLOAD), "tpf_test_break_token"));
        REQUIRE((break_token != nullptr));
        for (const auto transport : {KeyTransport::oaep_mgf1p_sha1, KeyTransport::rsa_1_5}) {
            CAPTURE(static_cast<int>(transport));
            const ContentKey content = ContentKey::random(kCipher);
            const Bytes wrapped = KeyWrapper(key, transport).wrap(content).value();
            CHECK(raw(unwrapper.unwrap(transport, kCipher, wrapped).value()) == raw(content));
            const std::vector<Bytes> bad{
                Bytes(wrapped.size(), 1),
                Bytes(wrapped.size(), 0xff),
                Bytes(10, 1),
                Bytes(),
                KeyWrapper(key, kOaep).wrap(content).value(),
                KeyWrapper(key, transport).wrap(ContentKey::random(ContentCipher::aes128_gcm)).value()};
            for (const Bytes& one : bad) {
                const Bytes opened = raw(unwrapper.unwrap(transport, kCipher, one).value());
                CHECK(opened.size() == key_size(kCipher));
                CHECK(opened != raw(unwrapper.unwrap(transport, kCipher, one).value()));
            }
            CHECK(token->state().present);
            break_token(true);
            CHECK(unwrapper.unwrap(transport, kCipher, wrapped).error().code() == Code::no_key);
            break_token(false);
            // A token that was away is looked for once a second.
            std::this_thread::sleep_for(std::chrono::milliseconds(1100));
            CHECK(raw(unwrapper.unwrap(transport, kCipher, wrapped).value()) == raw(content));
        }
        // SoftHSM's own OAEP knows SHA-1 only: the message waits for a token that can, and is not called bad.
        const Bytes wrapped = KeyWrapper(key, kOaep).wrap(ContentKey::random(kCipher)).value();
        CHECK(unwrapper.unwrap(kOaep, kCipher, wrapped).error().code() == Code::no_key);
        CHECK(unwrapper.unwrap(kOaep, kCipher, Bytes(384, 1)).error().code() == Code::no_key);
    }

    TEST_CASE("many threads at once, each in a session") {
        SoftToken* const soft = SoftToken::get();
        if (soft == nullptr) return;
        const RsaPublicKey key = soft->token->generate_rsa("RSA-many", 2048).value();
        const TokenUnwrapper unwrapper(soft->token, "RSA-many", key);
        std::atomic<unsigned> good = 0;
        std::vector<std::jthread> threads;
        for (int t = 0; t < 8; ++t) {
            threads.emplace_back([&] {
                for (int i = 0; i < 20; ++i) {
                    const ContentKey content = ContentKey::random(ContentCipher::aes256_gcm);
                    const Bytes wrapped = KeyWrapper(key, kOaep).wrap(content).value();
                    const auto opened = unwrapper.unwrap(kOaep, ContentCipher::aes256_gcm, wrapped);
                    if (opened && raw(opened.value()) == raw(content)) ++good;
                }
            });
        }
        threads.clear();
        CHECK(good == 160);
    }

    TEST_CASE("a ring with keys in the token, and wrapped by it") {
        SoftToken* const soft = SoftToken::get();
        if (soft == nullptr) return;
        const test::TempFolder folder;
        const auto at = folder.path() / "ring";
        std::array<std::uint8_t, 32> in_token{}, wrapped{};
        ContentKey content = ContentKey::random(ContentCipher::aes256_gcm);
        Bytes sealed;
        {
            const auto ring = open_ring(at, soft->token);
            REQUIRE(ring->generate(request(KeyKind::message, "M-1", KeyPlace::token), kNow).has_value());
            REQUIRE(ring->generate(request(KeyKind::pseudonym, "P-1", KeyPlace::token), kNow).has_value());
            auto second = request(KeyKind::pseudonym, "P-2", KeyPlace::wrapped);
            second.version = 2;
            REQUIRE(ring->generate(second, kNow).has_value());
            CHECK(ring->generate(request(KeyKind::signing, "S-1", KeyPlace::token), kNow).error().code() ==
                  Code::usage);
            CHECK(ring->generate(request(KeyKind::message, "M-2", KeyPlace::wrapped), kNow).error().code() ==
                  Code::usage);
            in_token = mac_of(ring->pseudonym_mac(iplos(), 1).value(), "x");
            wrapped = mac_of(ring->pseudonym_mac(iplos(), 2).value(), "x");
            const auto key = RsaPublicKey::from_pem(ring->list()[0].public_pem).value();
            sealed = KeyWrapper(key, kOaep).wrap(content).value();
        }
        // No file has a private key; the wrapped one is another form.
        unsigned files = 0;
        for (const auto& entry : std::filesystem::directory_iterator(at)) {
            ++files;
            const auto name = entry.path().filename().string();
            CHECK((name == "keyring.json" || name.ends_with(".wrapped")));
        }
        CHECK(files == 2);
        const auto ring = open_ring(at, soft->token);
        CHECK(mac_of(ring->pseudonym_mac(iplos(), 1).value(), "x") == in_token);
        CHECK(mac_of(ring->pseudonym_mac(iplos(), 2).value(), "x") == wrapped);
        CHECK(in_token != wrapped);
        const auto message = ring->message_key(KeyId::parse("M-1").value()).value();
        CHECK(raw(message.unwrapper->unwrap(kOaep, ContentCipher::aes256_gcm, sealed).value()) == raw(content));
        const auto checked = ring->check().value();
        for (const auto& key : checked.keys) CHECK_MESSAGE(!key.fault, key.id.str());
        // A backup holds what lies outside of the token; the wrapped key as the token opens it.
        const auto bundle = ring->bundle().value();
        CHECK(KeyRing::prove(bundle).value().size() == 3);
        const auto back = folder.path() / "back";
        REQUIRE(KeyRing::restore(posix_file_system(), back, SoftToken::pin("ny"), bundle, {kNow, "a", "b", "c"})
                    .has_value());
        const auto restored =
            KeyRing::open(posix_file_system(), back, SoftToken::pin("ny"), ::geteuid(), soft->token).value();
        CHECK(mac_of(restored->pseudonym_mac(iplos(), 2).value(), "x") == wrapped);
        // Without the token the ring opens, its keys do not.
        const auto without = open_ring(at, nullptr);
        CHECK(without->message_key(KeyId::parse("M-1").value()).error().code() == Code::no_key);
        for (const unsigned version : {1U, 2U})
            CHECK(without->pseudonym_mac(iplos(), version).error().code() == Code::no_key);
        // Destroyed: in the token too.
        const KeyActor first{"kari", "x", 1001}, other{"ola", "x", 1002};
        const auto nothing = [](const KeyFacts&) { return Result<std::string>(std::string()); };
        for (const char* id : {"M-1", "P-1", "P-2"}) {
            const auto key = KeyId::parse(id).value();
            REQUIRE(ring->change(key, KeyState::retired, first, kNow).has_value());
            REQUIRE(ring->request_destroy(key, first, nothing, kNow).has_value());
            REQUIRE(ring->confirm_destroy(key, other, nothing, kNow).has_value());
        }
        CHECK(soft->token->find_rsa("M-1").error().code() == Code::no_key);
        CHECK(soft->token->hmac_check_value("P-1").error().code() == Code::no_key);
    }

    TEST_CASE(
        "a key that is destroyed while its token is away is told of until it is gone; its namesake is not touched") {
        SoftToken* const soft = SoftToken::get();
        if (soft == nullptr) return;
        const test::TempFolder folder;
        const auto at = folder.path() / "ring", another = folder.path() / "another";
        const KeyActor first{"kari", "x", 1001}, other{"ola", "x", 1002};
        const auto nothing = [](const KeyFacts&) { return Result<std::string>(std::string()); };
        const std::vector<std::string> names{"M-gone", "P-gone"};
        {
            const auto ring = open_ring(at, soft->token);
            REQUIRE(ring->generate(request(KeyKind::message, "M-gone", KeyPlace::token), kNow).has_value());
            REQUIRE(ring->generate(request(KeyKind::pseudonym, "P-gone", KeyPlace::token), kNow).has_value());
            CHECK(ring->generate(request(KeyKind::message, "tpf-wrapping", KeyPlace::token), kNow).error().code() ==
                  Code::usage);
        }
        const auto faults = [](const KeyRing& ring) {
            std::size_t count = 0;
            const auto report = ring.check().value();
            for (const auto& key : report.keys) count += key.fault.has_value() ? 1U : 0U;
            return count;
        };
        {
            const auto away = open_ring(at, nullptr);
            for (const auto& name : names) {
                const auto id = KeyId::parse(name).value();
                REQUIRE(away->change(id, KeyState::retired, first, kNow).has_value());
                REQUIRE(away->request_destroy(id, first, nothing, kNow).has_value());
                CHECK(away->confirm_destroy(id, other, nothing, kNow).error().code() == Code::no_key);
                CHECK(away->list()[id.str() == "M-gone" ? 0 : 1].state == KeyState::destroyed);
            }
            CHECK(faults(*away) == 2);
        }
        CHECK(soft->token->find_rsa("M-gone").has_value());
        CHECK(faults(*open_ring(at, soft->token)) == 0);
        CHECK(soft->token->find_rsa("M-gone").error().code() == Code::no_key);
        CHECK(soft->token->hmac_check_value("P-gone").error().code() == Code::no_key);
        // The names are free for another ring on the same token.
        const auto second = open_ring(another, soft->token);
        REQUIRE(second->generate(request(KeyKind::message, "M-gone", KeyPlace::token), kNow).has_value());
        REQUIRE(second->generate(request(KeyKind::pseudonym, "P-gone", KeyPlace::token), kNow).has_value());
        CHECK(faults(*open_ring(at, soft->token)) == 0);
        CHECK(faults(*second) == 0);
    }

    TEST_CASE("another key of the same name in the token is not taken") {
        SoftToken* const soft = SoftToken::get();
        if (soft == nullptr) return;
        const test::TempFolder folder;
        const auto at = folder.path() / "ring";
        {
            const auto ring = open_ring(at, soft->token);
            REQUIRE(ring->generate(request(KeyKind::pseudonym, "P-swap", KeyPlace::token), kNow).has_value());
            REQUIRE(soft->token->destroy_hmac("P-swap", ring->list().front().check_value).has_value());
            REQUIRE(soft->token->generate_hmac("P-swap").has_value());
            std::array<std::uint8_t, 32> mac{};
            auto swapped = ring->pseudonym_mac(iplos(), 1).value();
            CHECK(swapped.compute({"x"}, mac).error().code() == Code::wrong_key);
        }
        CHECK(KeyRing::open(posix_file_system(), at, SoftToken::pin("en lang frase"), ::geteuid(), soft->token)
                  .error()
                  .code() == Code::wrong_key);
    }

    TEST_CASE("a token that goes away is said to be, and is found again") {
        SoftToken* const soft = SoftToken::get();
        if (soft == nullptr) return;
        const RsaPublicKey key = soft->token->generate_rsa("RSA-away", 2048).value();
        const TokenUnwrapper unwrapper(soft->token, "RSA-away", key);
        const Bytes sealed = KeyWrapper(key, kOaep).wrap(ContentKey::random(ContentCipher::aes256_gcm)).value();
        REQUIRE(unwrapper.unwrap(kOaep, ContentCipher::aes256_gcm, sealed).has_value());
        CHECK(soft->token->state().present);
        std::filesystem::rename(soft->tokens, soft->folder.path() / "elsewhere");
        const auto tried = unwrapper.unwrap(kOaep, ContentCipher::aes256_gcm, sealed);
        CHECK_FALSE(tried.has_value());
        CHECK(tried.error().code() == Code::no_key);
        CHECK_FALSE(soft->token->state().present);
        CHECK_FALSE(soft->token->state().trouble.empty());
        std::filesystem::rename(soft->folder.path() / "elsewhere", soft->tokens);
        for (int i = 0; i < 50 && !soft->token->state().present; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        CHECK(soft->token->state().present);
        CHECK(unwrapper.unwrap(kOaep, ContentCipher::aes256_gcm, sealed).has_value());
    }
}

}  // namespace tpf::crypto
