#include "crypto/algorithms.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

namespace tpf::crypto {
namespace {

constexpr std::array kTransports = {KeyTransport::oaep_sha256_mgf1_sha256, KeyTransport::oaep_mgf1p_sha1,
                                    KeyTransport::oaep_mgf1p_sha256, KeyTransport::rsa_1_5};
constexpr std::array kCiphers = {ContentCipher::aes128_gcm, ContentCipher::aes256_gcm, ContentCipher::aes256_cbc};

}  // namespace

TEST_SUITE("crypto/algorithms") {
    TEST_CASE("what we write we read") {
        for (const auto transport : kTransports) {
            const auto as = uris(transport);
            CHECK(parse_key_transport(as.algorithm, as.digest, as.mgf).value() == transport);
        }
        for (const auto cipher : kCiphers) CHECK(parse_content_cipher(uri(cipher)).value() == cipher);
    }

    // The URIs of XML Encryption 1.1, typed from the recommendation.
    TEST_CASE("the combinations that exist, and nothing beside them") {
        const std::string xenc = "http://www.w3.org/2001/04/xmlenc#";
        const std::string xenc11 = "http://www.w3.org/2009/xmlenc11#";
        const std::string sha1 = "http://www.w3.org/2000/09/xmldsig#sha1";
        const std::string sha256 = xenc + "sha256";
        const std::optional<std::string_view> none;
        CHECK(parse_key_transport(xenc11 + "rsa-oaep", sha256, xenc11 + "mgf1sha256").value() ==
              KeyTransport::oaep_sha256_mgf1_sha256);
        CHECK(parse_key_transport(xenc + "rsa-oaep-mgf1p", none, none).value() == KeyTransport::oaep_mgf1p_sha1);
        CHECK(parse_key_transport(xenc + "rsa-oaep-mgf1p", sha1, none).value() == KeyTransport::oaep_mgf1p_sha1);
        CHECK(parse_key_transport(xenc + "rsa-oaep-mgf1p", sha256, none).value() == KeyTransport::oaep_mgf1p_sha256);
        CHECK(parse_key_transport(xenc + "rsa-1_5", none, none).value() == KeyTransport::rsa_1_5);
        const auto refused = [](std::string_view algorithm, std::optional<std::string_view> digest,
                                std::optional<std::string_view> mgf) {
            const auto result = parse_key_transport(algorithm, digest, mgf);
            return !result && result.error().code() == Code::algorithm;
        };
        CHECK(refused(xenc11 + "rsa-oaep", none, none));
        CHECK(refused(xenc11 + "rsa-oaep", sha256, none));
        CHECK(refused(xenc11 + "rsa-oaep", none, xenc11 + "mgf1sha256"));
        CHECK(refused(xenc11 + "rsa-oaep", sha1, xenc11 + "mgf1sha1"));
        CHECK(refused(xenc11 + "rsa-oaep", sha256, xenc11 + "mgf1sha1"));
        CHECK(refused(xenc + "rsa-oaep-mgf1p", sha256, xenc11 + "mgf1sha256"));
        CHECK(refused(xenc + "rsa-oaep-mgf1p", xenc + "sha512", none));
        CHECK(refused(xenc + "rsa-1_5", sha1, none));
        CHECK(refused(xenc + "kw-aes256", none, none));
        CHECK(refused(xenc + "dh", none, none));
        CHECK(refused("", none, none));
        for (const auto& bad : {xenc + "tripledes-cbc", xenc + "aes128-cbc", xenc + "aes192-cbc", xenc11 + "aes192-gcm",
                                xenc + "aes256-gcm", xenc11 + "aes256-cbc", xenc11 + "AES256-GCM", std::string()}) {
            CAPTURE(bad);
            CHECK(parse_content_cipher(bad).error().code() == Code::algorithm);
        }
    }

    TEST_CASE("the policy of each profile, all combinations") {
        const auto modern = KeyPolicy::modern();
        const auto rsa15 = KeyPolicy::legacy_net(KeyTransport::rsa_1_5).value();
        const auto oaep = KeyPolicy::legacy_net(KeyTransport::oaep_mgf1p_sha1).value();
        for (const auto transport : kTransports) {
            for (const auto cipher : kCiphers) {
                const bool gcm = cipher != ContentCipher::aes256_cbc;
                CHECK(modern.check(transport, cipher).has_value() == (gcm && transport != KeyTransport::rsa_1_5));
                CHECK(rsa15.check(transport, cipher).has_value() == (!gcm && transport == KeyTransport::rsa_1_5));
                CHECK(oaep.check(transport, cipher).has_value() ==
                      (!gcm && transport == KeyTransport::oaep_mgf1p_sha1));
            }
        }
        CHECK(modern.check(KeyTransport::rsa_1_5, ContentCipher::aes256_gcm).error().code() == Code::algorithm);
        CHECK_FALSE(modern.is_legacy());
        CHECK(rsa15.is_legacy());
        CHECK_FALSE(KeyPolicy::legacy_net(KeyTransport::oaep_sha256_mgf1_sha256).has_value());
        CHECK_FALSE(KeyPolicy::legacy_net(KeyTransport::oaep_mgf1p_sha256).has_value());
    }

    TEST_CASE("profiles have names") {
        for (const char* name : {"modern", "legacy-net:rsa-1_5", "legacy-net:rsa-oaep-mgf1p"}) {
            CHECK(KeyPolicy::parse_profile(name).value().profile() == name);
        }
        for (const char* bad : {"", "legacy-net", "Modern", "legacy-net:rsa-oaep"}) {
            CHECK_FALSE(KeyPolicy::parse_profile(bad).has_value());
        }
    }
}

}  // namespace tpf::crypto
