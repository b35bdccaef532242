#include "crypto/signature.h"

#include <doctest/doctest.h>

#include "tests/crypto/outside.h"

namespace tpf::crypto {
namespace {

/// RFC 8410 § 7: a PKCS#8 that holds the 32-byte seed.
std::string pem_of_seed(const std::string& seed_hex) {
    const Bytes der = from_hex("302e020100300506032b657004220420" + seed_hex).value();
    return "-----BEGIN PRIVATE KEY-----\n" + base64(der) + "\n-----END PRIVATE KEY-----\n";
}

SecretBytes phrase() {
    return SecretBytes::copy_of(as_bytes("hemmelig"));
}

}  // namespace

TEST_SUITE("crypto/signature") {
    // RFC 8032 § 7.1, tests 1 to 3.
    TEST_CASE("the vectors of RFC 8032") {
        struct Vector {
            const char *seed, *raw, *message, *signature;
        };
        const Vector vectors[] = {{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                                   "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
                                   "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61"
                                   "e39701cf9b46bd25bf5f0595b"
                                   "be24655141438e7a100b"},
                                  {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                                   "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
                                   "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458"
                                   "f3613d0f11d8c387b2eaeb430"
                                   "2aeeb00d291612bb0c00"},
                                  {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                                   "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
                                   "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae6"
                                   "7f760984dc6594a7c15e9716e"
                                   "d28dc027beceea1ec40a"}};
        for (const Vector& vector : vectors) {
            const auto key = SigningKey::from_pem(pem_of_seed(vector.seed), SecretBytes()).value();
            CHECK(hex(key.verify_key().raw()) == vector.raw);
            const Bytes message = from_hex(vector.message).value();
            CHECK(hex(key.sign(as_text(message))) == vector.signature);
            const auto verify = VerifyKey::create(from_hex(vector.raw).value()).value();
            CHECK(verify.verify(as_text(message), from_hex(vector.signature).value()));
        }
    }

    TEST_CASE("signatures go both ways between us and OpenSSL") {
        if (test::OpenSsl::absent("crypto/signature: interop")) return;
        const test::OpenSsl openssl;
        openssl.write("message", "en melding");
        const auto ours = SigningKey::generate();
        openssl.write("ours.pem", ours.verify_key().pem());
        openssl.write("ours.sig", as_text(ours.sign("en melding")));
        CHECK(openssl.run("pkeyutl -verify -rawin -pubin -inkey ours.pem -in message -sigfile ours.sig"));

        REQUIRE(openssl.run("genpkey -algorithm ed25519 -out theirs.pem"));
        REQUIRE(openssl.run("pkey -in theirs.pem -pubout -out theirs.pub"));
        REQUIRE(openssl.run("pkeyutl -sign -rawin -inkey theirs.pem -in message -out theirs.sig"));
        const auto theirs = VerifyKey::from_pem(openssl.read("theirs.pub")).value();
        CHECK(theirs.verify("en melding", as_bytes(openssl.read("theirs.sig"))));

        REQUIRE(
            openssl.run("pkcs8 -topk8 -in theirs.pem -out sealed.pem -v2 aes-256-cbc -scrypt -passout pass:hemmelig"));
        const auto opened = SigningKey::from_pem(openssl.read("sealed.pem"), phrase()).value();
        CHECK(opened.verify_key().pem() == openssl.read("theirs.pub"));
        const auto sealed = ours.pem(phrase());
        openssl.write("sealed2.pem", as_text(sealed.bytes(SecretToken::access())));
        REQUIRE(openssl.run("pkey -in sealed2.pem -passin pass:hemmelig -pubout -out pub2.pem"));
        CHECK(openssl.read("pub2.pem") == ours.verify_key().pem());
    }

    TEST_CASE("anything changed is no signature") {
        const auto key = SigningKey::generate();
        const auto verify = key.verify_key();
        const Signature good = key.sign("melding");
        CHECK(verify.verify("melding", good));
        CHECK_FALSE(verify.verify("melding ", good));
        CHECK_FALSE(verify.verify("", good));
        CHECK_FALSE(SigningKey::generate().verify_key().verify("melding", good));
        for (std::size_t at = 0; at < good.size(); ++at) {
            Signature bad = good;
            bad[at] ^= 1;
            CHECK_FALSE(verify.verify("melding", bad));
        }
        CHECK_FALSE(verify.verify("melding", ByteView(good).first(63)));
        CHECK_FALSE(verify.verify("melding", {}));
        CHECK_FALSE(VerifyKey::create(Bytes(32, 0xff)).value().verify("melding", good));
    }

    TEST_CASE("keys of another kind or size are refused") {
        CHECK_FALSE(VerifyKey::create(Bytes(31)).has_value());
        CHECK_FALSE(VerifyKey::create(Bytes(33)).has_value());
        CHECK(VerifyKey::from_pem("").error().code() == Code::field_form);
        const auto key = SigningKey::generate();
        CHECK(VerifyKey::from_pem(key.verify_key().pem()).value().raw() == key.verify_key().raw());
        const auto sealed = key.pem(phrase());
        const auto text = as_text(sealed.bytes(SecretToken::access()));
        CHECK(SigningKey::from_pem(text, phrase()).value().verify_key().raw() == key.verify_key().raw());
        CHECK(SigningKey::from_pem(text, SecretBytes::copy_of(as_bytes("feil"))).error().code() == Code::wrong_key);
        CHECK(SigningKey::from_pem(key.verify_key().pem(), SecretBytes()).error().code() == Code::wrong_key);
    }

    TEST_CASE("the parts of what is signed have a zero byte between them") {
        CHECK(signed_text({"a", "", "b"}) == std::string("a\0\0b", 4));
        CHECK(signed_text({"", ""}) == std::string("\0", 1));
        CHECK(signed_text({"a"}) == "a");
        CHECK(signed_text({}).empty());
    }
}

}  // namespace tpf::crypto
