#include "crypto/rsa.h"

#include <botan/auto_rng.h>
#include <botan/pkcs8.h>
#include <botan/rsa.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <set>
#include <thread>
#include <vector>

#include "tests/crypto/outside.h"

namespace tpf::crypto {
namespace {

constexpr std::array kTransports = {KeyTransport::oaep_sha256_mgf1_sha256, KeyTransport::oaep_mgf1p_sha1,
                                    KeyTransport::oaep_mgf1p_sha256, KeyTransport::rsa_1_5};

const RsaPrivateKey& a_key() {
    static const RsaPrivateKey key = RsaPrivateKey::generate(2048);
    return key;
}

Bytes bytes_of(const SecretBytes& secret) {
    const auto view = secret.bytes(SecretToken::access());
    return Bytes(view.begin(), view.end());
}

SecretBytes phrase() {
    return SecretBytes::copy_of(as_bytes("en lang og god frase"));
}

/// What pkeyutl must be told for each transport.
std::string openssl_padding(KeyTransport transport) {
    const std::string oaep = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:";
    switch (transport) {
        case KeyTransport::oaep_sha256_mgf1_sha256:
            return oaep + "sha256 -pkeyopt rsa_mgf1_md:sha256";
        case KeyTransport::oaep_mgf1p_sha1:
            return oaep + "sha1 -pkeyopt rsa_mgf1_md:sha1";
        case KeyTransport::oaep_mgf1p_sha256:
            return oaep + "sha256 -pkeyopt rsa_mgf1_md:sha1";
        case KeyTransport::rsa_1_5:
            return "-pkeyopt rsa_padding_mode:pkcs1";
    }
    return {};
}

/// Not the key that it should be, and another one each time.
bool answers_random(const RsaPrivateKey& key, KeyTransport transport, const Bytes& wrapped,
                    const Bytes& not_this = {}) {
    std::set<Bytes> seen;
    for (int i = 0; i < 3; ++i) {
        const auto opened = key.unwrap(transport, ContentCipher::aes256_gcm, wrapped);
        if (!opened || opened.value().key.size() != 32 || opened.value().cipher != ContentCipher::aes256_gcm)
            return false;
        seen.insert(bytes_of(opened.value().key));
    }
    return seen.size() == 3 && !seen.contains(not_this);
}

void check_wycheproof(const char* file, KeyTransport transport) {
    const auto data = test::wycheproof(file);
    if (!data) return;
    int opened = 0;
    int refused = 0;
    for (const auto& group : (*data)["testGroups"]) {
        const auto key = RsaPrivateKey::from_pem(group["privateKeyPem"].get<std::string>(), SecretBytes()).value();
        for (const auto& item : group["tests"]) {
            CAPTURE(item["tcId"].get<int>());
            const Bytes message = test::unhex(item["msg"]);
            const Bytes wrapped = test::unhex(item["ct"]);
            // We take no label (OAEPparams) and only content keys of 16 or 32 bytes: everything else is a random key.
            const bool ours = item["result"] == "valid" && item["label"] == "" && message.size() == 32;
            if (ours) {
                const auto content = key.unwrap(transport, ContentCipher::aes256_gcm, wrapped).value();
                CHECK(bytes_of(content.key) == message);
                ++opened;
            } else {
                CHECK(answers_random(key, transport, wrapped, message));
                ++refused;
            }
        }
    }
    CHECK(opened >= 1);
    CHECK(refused > 25);
}

}  // namespace

TEST_SUITE("crypto/rsa") {
    TEST_CASE("Wycheproof, SHA-1 with MGF1-SHA-1") {
        check_wycheproof("rsa_oaep_2048_sha1_mgf1sha1_test.json", KeyTransport::oaep_mgf1p_sha1);
    }
    TEST_CASE("Wycheproof, SHA-256 with MGF1-SHA-1") {
        check_wycheproof("rsa_oaep_2048_sha256_mgf1sha1_test.json", KeyTransport::oaep_mgf1p_sha256);
    }
    TEST_CASE("Wycheproof, SHA-256 with MGF1-SHA-256, 2048 bits") {
        check_wycheproof("rsa_oaep_2048_sha256_mgf1sha256_test.json", KeyTransport::oaep_sha256_mgf1_sha256);
    }
    TEST_CASE("Wycheproof, SHA-256 with MGF1-SHA-256, 3072 bits") {
        check_wycheproof("rsa_oaep_3072_sha256_mgf1sha256_test.json", KeyTransport::oaep_sha256_mgf1_sha256);
    }
    TEST_CASE("Wycheproof, SHA-256 with MGF1-SHA-256, 4096 bits") {
        check_wycheproof("rsa_oaep_4096_sha256_mgf1sha256_test.json", KeyTransport::oaep_sha256_mgf1_sha256);
    }

    TEST_CASE("keys go both ways between us and OpenSSL, in every form") {
        if (test::OpenSsl::absent("crypto/rsa: interop")) return;
        const test::OpenSsl openssl;
        const auto pem = a_key().pem(SecretBytes());
        openssl.write("key.pem", as_text(pem.bytes(SecretToken::access())));
        openssl.write("pub.pem", a_key().public_key().pem());
        for (const auto transport : kTransports) {
            CAPTURE(uris(transport).algorithm);
            const auto content = ContentKey::random(ContentCipher::aes256_gcm);
            KeyWrapper wrapper(a_key().public_key(), transport);
            openssl.write("wrapped", as_text(wrapper.wrap(content).value()));
            REQUIRE(
                openssl.run("pkeyutl -decrypt -inkey key.pem -in wrapped -out clear " + openssl_padding(transport)));
            CHECK(as_bytes(openssl.read("clear")).size() == 32);
            CHECK(openssl.read("clear") == as_text(bytes_of(content.key)));
            REQUIRE(openssl.run("pkeyutl -encrypt -pubin -inkey pub.pem -in clear -out theirs " +
                                openssl_padding(transport)));
            const auto opened = a_key().unwrap(transport, content.cipher, as_bytes(openssl.read("theirs"))).value();
            CHECK(bytes_of(opened.key) == bytes_of(content.key));
        }
    }

    TEST_CASE("private keys go both ways between us and `openssl pkcs8` (PBES2, AES-256, scrypt)") {
        if (test::OpenSsl::absent("crypto/rsa: pkcs8")) return;
        const test::OpenSsl openssl;
        REQUIRE(openssl.run("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out clear.pem"));
        REQUIRE(
            openssl.run("pkcs8 -topk8 -in clear.pem -out sealed.pem -v2 aes-256-cbc -scrypt -passout pass:hemmelig"));
        REQUIRE(openssl.run("pkey -in clear.pem -pubout -out pub.pem"));
        const auto pass = SecretBytes::copy_of(as_bytes("hemmelig"));
        const auto theirs = RsaPrivateKey::from_pem(openssl.read("sealed.pem"), pass).value();
        CHECK(theirs.public_key().pem() == openssl.read("pub.pem"));
        CHECK(RsaPrivateKey::from_pem(openssl.read("clear.pem"), SecretBytes()).has_value());

        const auto ours = a_key().pem(phrase());
        openssl.write("ours.pem", as_text(ours.bytes(SecretToken::access())));
        REQUIRE(openssl.run("pkey -in ours.pem -passin 'pass:en lang og god frase' -pubout -out pub2.pem"));
        CHECK(openssl.read("pub2.pem") == a_key().public_key().pem());
        REQUIRE(openssl.run("asn1parse -in ours.pem"));
        CHECK(openssl.read("out.txt").find(":scrypt") != std::string::npos);
        CHECK(openssl.read("out.txt").find(":aes-256-cbc") != std::string::npos);
    }

    TEST_CASE("a private key opens with its passphrase and no other way") {
        const auto sealed = a_key().pem(phrase());
        const auto clear = a_key().pem(SecretBytes());
        const auto text = as_text(sealed.bytes(SecretToken::access()));
        CHECK(RsaPrivateKey::from_pem(text, phrase()).value().public_key().pem() == a_key().public_key().pem());
        const auto wrong = SecretBytes::copy_of(as_bytes("feil"));
        CHECK(RsaPrivateKey::from_pem(text, wrong).error().code() == Code::wrong_key);
        CHECK(RsaPrivateKey::from_pem(text, SecretBytes()).error().code() == Code::wrong_key);
        CHECK(RsaPrivateKey::from_pem(as_text(clear.bytes(SecretToken::access())), phrase()).error().code() ==
              Code::wrong_key);
        CHECK(RsaPrivateKey::from_pem("", phrase()).error().code() == Code::wrong_key);
        CHECK(RsaPrivateKey::from_pem("-----BEGIN ENCRYPTED PRIVATE KEY-----\n", phrase()).error().code() ==
              Code::wrong_key);
        std::string damaged(text);
        damaged[damaged.size() / 2] = damaged[damaged.size() / 2] == 'A' ? 'B' : 'A';
        CHECK(RsaPrivateKey::from_pem(damaged, phrase()).error().code() == Code::wrong_key);
    }

    TEST_CASE("a private key whose halves do not belong together is not taken") {
        Botan::AutoSeeded_RNG random;
        const Botan::RSA_PrivateKey good(random, 2048);
        const auto& p = good.get_p();
        const auto& q = good.get_q();
        const auto opens = [&](const Botan::BigInt& second, const Botan::BigInt& d, const Botan::BigInt& n) {
            const Botan::RSA_PrivateKey made(p, second, good.get_e(), d, n);
            return RsaPrivateKey::from_pem(Botan::PKCS8::PEM_encode(made), SecretBytes());
        };
        CHECK(opens(q, good.get_d(), good.get_n()).has_value());
        CHECK(opens(q, good.get_d() + 2, good.get_n()).error().code() == Code::wrong_key);
        CHECK(opens(q, good.get_d(), good.get_n() + 2).error().code() == Code::wrong_key);
        // All of its parts fit but for one: a factor that is no prime.
        const Botan::BigInt none = q + 2;
        CHECK(opens(none, good.get_d(), p * none).error().code() == Code::wrong_key);
    }

    TEST_CASE("what cannot be unwrapped is a random key of the right length, whatever is wrong with it") {
        const std::size_t size = a_key().public_key().modulus_bytes();
        const auto content = ContentKey::random(ContentCipher::aes256_gcm);
        for (const auto transport : kTransports) {
            KeyWrapper wrapper(a_key().public_key(), transport);
            const Bytes good = wrapper.wrap(content).value();
            CHECK(good.size() == size);
            const Bytes not_this = bytes_of(content.key);
            CHECK(bytes_of(a_key().unwrap(transport, content.cipher, good).value().key) == not_this);
            for (const std::size_t at : {std::size_t{1}, size / 2, size - 1}) {
                Bytes bad = good;
                bad[at] ^= 1;
                CHECK(answers_random(a_key(), transport, bad, not_this));
            }
            CHECK(answers_random(a_key(), transport, {}));
            CHECK(answers_random(a_key(), transport, Bytes(size, 0xff)));  // not smaller than the modulus
            CHECK(answers_random(a_key(), transport, a_key().public_key().modulus()));
            CHECK(answers_random(a_key(), transport, Bytes(size, 0)));
            Bytes shorter = good;
            shorter.pop_back();
            CHECK(answers_random(a_key(), transport, shorter, not_this));
            Bytes longer = good;
            longer.insert(longer.begin(), 0);
            CHECK(answers_random(a_key(), transport, longer, not_this));
            KeyWrapper other(a_key().public_key(), transport);
            CHECK(
                answers_random(a_key(), transport, other.wrap(ContentKey::random(ContentCipher::aes128_gcm)).value()));
        }
        // Another padding than the one that was said.
        KeyWrapper wrapper(a_key().public_key(), KeyTransport::oaep_mgf1p_sha1);
        const Bytes sha1 = wrapper.wrap(content).value();
        CHECK(answers_random(a_key(), KeyTransport::oaep_sha256_mgf1_sha256, sha1, bytes_of(content.key)));
        CHECK(answers_random(a_key(), KeyTransport::rsa_1_5, sha1, bytes_of(content.key)));
    }

    TEST_CASE("one key serves many threads") {
        KeyWrapper wrapper(a_key().public_key(), KeyTransport::oaep_mgf1p_sha256);
        const auto content = ContentKey::random(ContentCipher::aes128_gcm);
        const Bytes wrapped = wrapper.wrap(content).value();
        std::array<int, 4> good{};
        std::vector<std::thread> threads;
        for (auto& count : good) {
            threads.emplace_back([&wrapped, &content, &count] {
                for (int i = 0; i < 25; ++i) {
                    const auto opened = a_key().unwrap(KeyTransport::oaep_mgf1p_sha256, content.cipher, wrapped);
                    if (opened && bytes_of(opened.value().key) == bytes_of(content.key)) ++count;
                }
            });
        }
        for (auto& thread : threads) thread.join();
        CHECK(good == std::array<int, 4>{25, 25, 25, 25});
    }

    TEST_CASE("public keys: numbers and PEM, and what is none") {
        const auto key = a_key().public_key();
        CHECK(key.bits() == 2048);
        CHECK(key.modulus_bytes() == 256);
        CHECK(key.exponent() == Bytes{1, 0, 1});
        const auto again = RsaPublicKey::create(key.modulus(), key.exponent()).value();
        CHECK(again.pem() == key.pem());
        CHECK(RsaPublicKey::from_pem(key.pem()).value().modulus() == key.modulus());
        Bytes padded = key.modulus();
        padded.insert(padded.begin(), 0);
        CHECK(RsaPublicKey::create(padded, key.exponent()).value().pem() == key.pem());
        const auto refused = [&](const Bytes& modulus, const Bytes& exponent) {
            const auto result = RsaPublicKey::create(modulus, exponent);
            return !result && result.error().code() == Code::field_form;
        };
        Bytes even = key.modulus();
        even.back() &= 0xfe;
        CHECK(refused(even, {1, 0, 1}));
        CHECK(refused({}, {1, 0, 1}));
        CHECK(refused(Bytes(255, 0xff), {1, 0, 1}));
        CHECK(refused(Bytes(2049, 0xff), {1, 0, 1}));
        for (const Bytes& exponent : {Bytes{}, Bytes{0}, Bytes{1}, Bytes{2}, Bytes{1, 0, 0}, Bytes(9, 0xff)}) {
            CHECK(refused(key.modulus(), exponent));
        }
        for (const char* bad : {"", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"}) {
            CHECK(RsaPublicKey::from_pem(bad).error().code() == Code::field_form);
        }
        const auto pem = a_key().pem(SecretBytes());
        CHECK_FALSE(RsaPublicKey::from_pem(as_text(pem.bytes(SecretToken::access()))).has_value());
    }
}

}  // namespace tpf::crypto
