#include "crypto/content_cipher.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <regex>
#include <set>

#include "tests/crypto/outside.h"
#include "tests/support/cbc.h"

namespace tpf::crypto {
namespace {

ContentKey key_of(ContentCipher cipher, const Bytes& bytes) {
    return {cipher, SecretBytes::copy_of(bytes)};
}

Bytes random_bytes(std::mt19937& random, std::size_t size) {
    Bytes bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    return bytes;
}

/// Decrypts `octets` handed over in pieces of `step` bytes (0: of random sizes).
Result<Bytes> decrypt(const ContentKey& key, const Bytes& octets, std::size_t step, std::mt19937& random,
                      std::uint64_t limit = kGcmMaxPlaintext) {
    ContentDecryptor decryptor(key, 300, limit);
    Bytes plain;
    for (std::size_t at = 0; at < octets.size();) {
        const std::size_t size = std::min(octets.size() - at, step == 0 ? random() % 300 : step);
        std::uint8_t* const to = decryptor.prepare(300);
        std::copy_n(octets.begin() + static_cast<std::ptrdiff_t>(at), size, to);
        at += size;
        TPF_TRY(const auto out, decryptor.advance(size));
        plain.insert(plain.end(), out.begin(), out.end());
    }
    TPF_TRY(const auto last, decryptor.finish());
    plain.insert(plain.end(), last.begin(), last.end());
    return plain;
}

using test::cbc;

bool is_the_one_failure(const Error& error) {
    return error.code() == Code::decryption && error.detail().empty();
}

}  // namespace

TEST_SUITE("crypto/content_cipher") {
    TEST_CASE("Wycheproof AES-GCM: 96-bit IV, 128-bit tag, no additional data") {
        const auto data = test::wycheproof("aes_gcm_test.json");
        if (!data) return;
        std::mt19937 random(1);
        std::map<std::string, int> seen;
        for (const auto& group : (*data)["testGroups"]) {
            const int bits = group["keySize"].get<int>();
            if (group["ivSize"] != 96 || group["tagSize"] != 128 || bits == 192) continue;
            const auto cipher = bits == 128 ? ContentCipher::aes128_gcm : ContentCipher::aes256_gcm;
            for (const auto& item : group["tests"]) {
                if (item["aad"] != "") continue;
                Bytes octets = test::unhex(item["iv"]);
                for (const char* part : {"ct", "tag"}) {
                    const Bytes more = test::unhex(item[part]);
                    octets.insert(octets.end(), more.begin(), more.end());
                }
                const bool valid = item["result"] == "valid";
                ++seen[item["result"].get<std::string>()];
                const auto key = key_of(cipher, test::unhex(item["key"]));
                for (const std::size_t step : {std::size_t{300}, std::size_t{1}, std::size_t{0}}) {
                    CAPTURE(item["tcId"].get<int>());
                    const auto plain = decrypt(key, octets, step, random);
                    REQUIRE(plain.has_value() == valid);
                    if (valid) CHECK(plain.value() == test::unhex(item["msg"]));
                    if (!valid) CHECK(is_the_one_failure(plain.error()));
                }
                CHECK(open(key, octets).has_value() == valid);
            }
        }
        CHECK(seen["valid"] > 30);
        CHECK(seen["invalid"] > 20);
    }

    TEST_CASE("NIST's 180 XML-Enc documents: 128 and 256 open or fail as NIST says, 192 is refused by its algorithm") {
        if (!test::outside_file("xmlenc/nist-aesgcm/README.txt")) return;
        const std::filesystem::path root = test::vectors() / "xmlenc/nist-aesgcm";
        std::mt19937 random(2);
        int opened = 0;
        int failed = 0;
        int refused = 0;
        for (const std::string folder : {"aes128", "aes192", "aes256"}) {
            const std::string keys = test::read_whole(root / ("keys-" + folder + "-gcm.xml"));
            for (const auto& entry : std::filesystem::directory_iterator(root / folder)) {
                if (entry.path().extension() != ".xml") continue;
                const std::string text = test::read_whole(entry.path());
                const auto value_of = [](const std::string& in, const std::string& pattern) {
                    std::smatch found;
                    REQUIRE(std::regex_search(in, found, std::regex(pattern)));
                    return found[1].str();
                };
                const auto cipher = parse_content_cipher(value_of(text, "EncryptionMethod Algorithm=\"([^\"]*)\""));
                if (!cipher) {
                    CHECK(folder == "aes192");
                    CHECK(cipher.error().code() == Code::algorithm);
                    ++refused;
                    continue;
                }
                const std::string name = value_of(text, "<KeyName>([^<]*)<");
                const std::string key =
                    value_of(keys, "<KeyName>" + name + "</KeyName>[^K]*KeyValue>[^A]*AESKeyValue[^>]*>([^<]*)<");
                std::string sealed = value_of(text, "<CipherValue>([^<]*)<");
                std::erase_if(sealed, [](char c) { return c == ' ' || c == '\n' || c == '\r'; });
                const Bytes octets = from_base64(sealed).value();
                const auto plain = decrypt(key_of(cipher.value(), from_base64(key).value()), octets, 0, random);
                auto expected = entry.path();
                expected.replace_extension(".data");
                CAPTURE(entry.path().filename().string());
                REQUIRE(plain.has_value() == std::filesystem::exists(expected));
                if (plain) {
                    std::string good = test::read_whole(expected);
                    good.erase(good.find_last_not_of("\r\n ") + 1);
                    CHECK(base64(plain.value()) == good);
                    ++opened;
                } else {
                    ++failed;
                }
            }
        }
        CHECK(refused == 60);
        CHECK(opened + failed == 120);
        CHECK(opened > 60);
        CHECK(failed > 10);
    }

    TEST_CASE("sealed and opened again, every size and every split") {
        std::mt19937 random(3);
        for (const auto cipher : {ContentCipher::aes128_gcm, ContentCipher::aes256_gcm}) {
            const auto key = ContentKey::random(cipher);
            for (std::size_t size = 0; size <= 290; ++size) {
                const Bytes plain = random_bytes(random, size);
                Bytes octets;
                ContentEncryptor encryptor(key);
                for (std::size_t at = 0; at < size;) {
                    const std::size_t piece = std::min<std::size_t>(size - at, random() % 80);
                    REQUIRE(encryptor.update(ByteView(plain).subspan(at, piece), octets).has_value());
                    at += piece;
                }
                REQUIRE(encryptor.finish(octets).has_value());
                CHECK(octets.size() == 12 + size + 16);
                for (const std::size_t step : {size % 97 + 1, std::size_t{0}, std::size_t{300}}) {
                    CHECK(decrypt(key, octets, step, random).value() == plain);
                }
            }
        }
    }

    TEST_CASE("one message, all steps from 1 to 300") {
        std::mt19937 random(4);
        const auto key = ContentKey::random(ContentCipher::aes256_gcm);
        const Bytes plain = random_bytes(random, 1000);
        const Bytes octets = seal(key, plain).value();
        const auto legacy = ContentKey::random(ContentCipher::aes256_cbc);
        const Bytes old = cbc(legacy, plain);
        for (std::size_t step = 1; step <= 300; ++step) {
            CHECK(decrypt(key, octets, step, random).value() == plain);
            CHECK(decrypt(legacy, old, step, random).value() == plain);
        }
    }

    TEST_CASE("large pieces go through in slices") {
        std::mt19937 random(5);
        const auto key = ContentKey::random(ContentCipher::aes256_gcm);
        const Bytes plain = random_bytes(random, 1'000'003);
        const auto opened = open(key, seal(key, plain).value()).value();
        const auto bytes = opened.bytes(SecretToken::access());
        CHECK(std::equal(bytes.begin(), bytes.end(), plain.begin(), plain.end()));
    }

    TEST_CASE("a changed bit anywhere, a cut anywhere, a byte too many: one failure, one text") {
        std::mt19937 random(6);
        const auto key = ContentKey::random(ContentCipher::aes256_gcm);
        const Bytes good = seal(key, random_bytes(random, 100)).value();
        for (std::size_t at = 0; at < good.size(); ++at) {
            Bytes bad = good;
            bad[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
            CHECK(is_the_one_failure(decrypt(key, bad, 0, random).error()));
            bad = good;
            bad.resize(at);
            CHECK(is_the_one_failure(decrypt(key, bad, 0, random).error()));
        }
        Bytes longer = good;
        longer.push_back(0);
        CHECK(is_the_one_failure(decrypt(key, longer, 0, random).error()));
        CHECK(is_the_one_failure(decrypt(ContentKey::random(ContentCipher::aes256_gcm), good, 0, random).error()));
        CHECK(is_the_one_failure(open(key, {}).error()));
    }

    TEST_CASE("CBC: only the last byte of the padding counts, and its failures look like GCM's") {
        std::mt19937 random(7);
        const auto key = ContentKey::random(ContentCipher::aes256_cbc);
        for (std::size_t size = 0; size <= 600; ++size) {
            const Bytes plain = random_bytes(random, size);
            CHECK(decrypt(key, cbc(key, plain), 0, random).value() == plain);
        }
        const Bytes plain = random_bytes(random, 40);
        for (const int last : {0, 17, 255}) {
            CHECK(is_the_one_failure(
                decrypt(key, cbc(key, plain, static_cast<std::uint8_t>(last), 8), 0, random).error()));
        }
        CHECK(decrypt(key, cbc(key, plain, 16, 8), 0, random).value().size() == 32);
        const Bytes whole = cbc(key, plain);
        for (std::size_t size = 0; size < whole.size(); ++size) {
            if (size >= 32 && size % 16 == 0) continue;  // whole blocks: whether it opens is up to the last byte
            Bytes cut = whole;
            cut.resize(size);
            CHECK(is_the_one_failure(decrypt(key, cut, 0, random).error()));
        }
    }

    TEST_CASE("the limit holds to the byte on both sides") {
        std::mt19937 random(8);
        const auto key = ContentKey::random(ContentCipher::aes256_gcm);
        for (const std::size_t size : {999U, 1000U, 1001U}) {
            const Bytes plain = random_bytes(random, size);
            const auto opened = decrypt(key, seal(key, plain).value(), 0, random, 1000);
            CHECK(opened.has_value() == (size <= 1000));
            if (!opened) CHECK(opened.error().code() == Code::gcm_limit);
            Bytes out;
            ContentEncryptor encryptor(key, 1000);
            REQUIRE(encryptor.update(ByteView(plain).first(500), out).has_value());
            const auto rest = encryptor.update(ByteView(plain).subspan(500), out);
            CHECK(rest.has_value() == (size <= 1000));
            if (!rest) CHECK(rest.error().code() == Code::gcm_limit);
        }
        CHECK(kGcmMaxPlaintext == 68719476704U);
        const auto legacy = ContentKey::random(ContentCipher::aes256_cbc);
        CHECK(decrypt(legacy, cbc(legacy, Bytes(1000)), 0, random, 1000).has_value());
        CHECK(decrypt(legacy, cbc(legacy, Bytes(1001)), 0, random, 1000).error().code() == Code::gcm_limit);
    }

    TEST_CASE("each sealing draws its IV, and CBC never seals") {
        const auto key = ContentKey::random(ContentCipher::aes128_gcm);
        std::set<Bytes> ivs;
        for (int i = 0; i < 1000; ++i) {
            Bytes octets = seal(key, as_bytes("x")).value();
            octets.resize(12);
            ivs.insert(octets);
        }
        CHECK(ivs.size() == 1000);
        CHECK(seal(ContentKey::random(ContentCipher::aes256_cbc), {}).error().code() == Code::algorithm);
    }

    TEST_CASE("more than was agreed on is a fault of the program") {
        ContentDecryptor decryptor(ContentKey::random(ContentCipher::aes256_gcm), 100);
        CHECK_THROWS(static_cast<void>(decryptor.prepare(10'000)));
    }
}

}  // namespace tpf::crypto
