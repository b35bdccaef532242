#include "crypto/key_file.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "base/transcode.h"
#include "tests/crypto/outside.h"

namespace tpf::crypto {
namespace {

const RsaPublicKey& tpf_key() {
    static const RsaPublicKey key = RsaPrivateKey::generate(3072).public_key();
    return key;
}
const RsaPublicKey& register_key() {
    static const RsaPublicKey key = RsaPrivateKey::generate(3072).public_key();
    return key;
}
const RsaPublicKey& small_key() {
    static const RsaPublicKey key = RsaPrivateKey::generate(2048).public_key();
    return key;
}

std::string value_of(const RsaPublicKey& key,
                     const std::string& attributes = " xmlns=\"http://www.w3.org/2000/09/xmldsig#\"") {
    return "<RSAKeyValue" + attributes + "><Modulus>" + base64(key.modulus()) + "</Modulus><Exponent>" +
           base64(key.exponent()) + "</Exponent></RSAKeyValue>";
}

std::string nokkel(const std::string& id, const std::string& owner, const RsaPublicKey& key,
                   const std::string& profile = "modern", const std::string& from = "2026-12-01",
                   const std::string& to = "2028-03-31") {
    return "  <Nokkel id=\"" + id + "\" eier=\"" + owner + "\" gyldigFra=\"" + from + "\" gyldigTil=\"" + to +
           "\" profil=\"" + profile + "\">" + value_of(key) + "</Nokkel>\n";
}

std::string file_of(const std::string& keys, const std::string& attributes = " versjon=\"2026\" utgave=\"3\"") {
    return "<Krypteringsnokler" + attributes + ">\n" + keys + "</Krypteringsnokler>\n";
}

/// The example of formats.md § 5, with real keys.
std::string the_example() {
    return file_of(nokkel("TPF-2026", "TPF", tpf_key()) + nokkel("IPLOS-2026", "IPLOS", register_key()));
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

std::chrono::sys_days day(const char* text) {
    return parse_date(text).value();
}

}  // namespace

TEST_SUITE("crypto/key_file") {
    TEST_CASE("the published form is read, and written to the byte") {
        const std::string text = the_example();
        const auto file = KeyFile::parse(to_utf16le(text).value()).value();
        CHECK(file.version == "2026");
        CHECK(file.edition == 3U);
        REQUIRE(file.keys.size() == 2);
        CHECK(file.keys[0].id.str() == "TPF-2026");
        CHECK(file.keys[0].owner == "TPF");
        CHECK(file.keys[0].valid_from == day("2026-12-01"));
        CHECK(file.keys[0].valid_to == day("2028-03-31"));
        CHECK(file.keys[0].policy == KeyPolicy::modern());
        CHECK(file.keys[0].key.pem() == tpf_key().pem());
        CHECK(file.keys[1].owner == "IPLOS");
        CHECK(file.write() == to_utf16le(text).value());
    }

    TEST_CASE("UTF-8 with or without BOM, UTF-16 in either order, with a declaration or none") {
        const std::string text = the_example();
        CHECK(KeyFile::parse(text).has_value());
        CHECK(KeyFile::parse("\xef\xbb\xbf" + text).has_value());
        CHECK(KeyFile::parse("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + text).has_value());
        CHECK(KeyFile::parse(to_utf16le("<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n" + text).value()).has_value());
        std::string big = to_utf16le(text).value();
        for (std::size_t at = 0; at < big.size(); at += 2) std::swap(big[at], big[at + 1]);
        CHECK(KeyFile::parse(big).has_value());
        CHECK(KeyFile::parse("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" + text).error().code() ==
              Code::encoding);
        CHECK(KeyFile::parse(to_utf16le("<?xml version=\"1.0\" encoding=\"UTF-8\"?>" + text).value()).error().code() ==
              Code::encoding);
        CHECK(KeyFile::parse(big.substr(0, big.size() - 1)).error().code() == Code::encoding);
        CHECK(KeyFile::parse(text + "\xff").error().code() == Code::encoding);
    }

    TEST_CASE("utgave and profil may be absent, prefixes and quotes are free, base64 may be broken into lines") {
        auto file = KeyFile::parse(file_of(nokkel("A", "TPF", tpf_key()), " versjon='2026'")).value();
        CHECK_FALSE(file.edition.has_value());
        CHECK(file.write() == to_utf16le(file_of(nokkel("A", "TPF", tpf_key()), " versjon=\"2026\"")).value());
        CHECK(KeyFile::parse(replaced(the_example(), " profil=\"modern\"", "")).value().keys[0].policy ==
              KeyPolicy::modern());
        std::string prefixed = the_example();
        for (const char* name : {"RSAKeyValue", "Modulus", "Exponent"}) {
            prefixed = replaced(prefixed, "<" + std::string(name), "<ds:" + std::string(name));
            prefixed = replaced(prefixed, "</" + std::string(name), "</ds:" + std::string(name));
        }
        prefixed = replaced(prefixed, "<ds:RSAKeyValue xmlns=", "<ds:RSAKeyValue xmlns:ds=");
        CHECK(KeyFile::parse(prefixed).value().keys[0].key.pem() == tpf_key().pem());
        const std::string modulus = base64(tpf_key().modulus());
        std::string broken =
            replaced(the_example(), modulus.substr(0, 76),
                     "\n " + modulus.substr(0, 40) + "&#13;\r\n\t" + modulus.substr(40, 36) + "&#xD;\n");
        CHECK(KeyFile::parse(broken).value().keys[0].key.pem() == tpf_key().pem());
    }

    TEST_CASE("legacy keys say what they are for") {
        const auto file = KeyFile::parse(file_of(nokkel("OLD", "TPF", small_key(), "legacy-net:rsa-1_5"))).value();
        CHECK(file.keys[0].policy.is_legacy());
        CHECK(file.write() == to_utf16le(file_of(nokkel("OLD", "TPF", small_key(), "legacy-net:rsa-1_5"))).value());
        CHECK(file.current("TPF", day("2027-01-01")) == nullptr);
    }

    TEST_CASE("the key of a day") {
        const auto file =
            KeyFile::parse(file_of(nokkel("A", "TPF", tpf_key(), "modern", "2025-12-01", "2027-03-31") +
                                   nokkel("B", "TPF", RsaPrivateKey::generate(3072).public_key(), "modern",
                                          "2026-12-01", "2028-03-31") +
                                   nokkel("C", "IPLOS", register_key(), "modern", "2026-12-01", "2026-12-01")))
                .value();
        const auto id = [&](const char* owner, const char* on) {
            const PublishedKey* key = file.current(owner, day(on));
            return key == nullptr ? std::string("-") : key->id.str();
        };
        CHECK(id("TPF", "2025-11-30") == "-");
        CHECK(id("TPF", "2025-12-01") == "A");
        CHECK(id("TPF", "2026-11-30") == "A");
        CHECK(id("TPF", "2026-12-01") == "B");
        CHECK(id("TPF", "2028-03-31") == "B");
        CHECK(id("TPF", "2028-04-01") == "-");
        CHECK(id("IPLOS", "2026-12-01") == "C");
        CHECK(id("IPLOS", "2026-12-02") == "-");
        CHECK(id("KPR", "2026-12-01") == "-");
    }

    TEST_CASE("anything that the format does not have is refused, and the line is named") {
        const std::string good = the_example();
        const std::string dsig = " xmlns=\"http://www.w3.org/2000/09/xmldsig#\"";
        const std::pair<std::string, std::string> changes[] = {
            {" versjon=\"2026\"", ""},
            {"versjon=\"2026\"", "versjon=\"\""},
            {"versjon=\"2026\"", "versjon=\"20 26\""},
            {"utgave=\"3\"", "utgave=\"x\""},
            {"utgave=\"3\"", "utgave=\"-1\""},
            {"utgave=\"3\"", "utgave=\"9999999999\""},
            {"utgave=\"3\"", "utgave=\"3\" mer=\"x\""},
            {"utgave=\"3\"", "utgave=\"3\" xml:lang=\"nb\""},
            {"utgave=\"3\"", "utgave=\"3\" xmlns=\"urn:x\""},
            {"<Krypteringsnokler", "<Nokler"},
            {"</Nokkel>\n", "</Nokkel>x\n"},
            {"</Nokkel>\n", "</Nokkel><Mer/>\n"},
            {"id=\"TPF-2026\"", "id=\"TPF 2026\""},
            {"id=\"TPF-2026\" ", ""},
            {"id=\"TPF-2026\"", "id=\"IPLOS-2026\""},
            {"eier=\"TPF\"", "eier=\"tpf\""},
            {"eier=\"TPF\"", "eier=\"\""},
            {"gyldigFra=\"2026-12-01\"", "gyldigFra=\"2026-12-1\""},
            {"gyldigFra=\"2026-12-01\"", "gyldigFra=\"2026-02-30\""},
            {"gyldigFra=\"2026-12-01\"", "gyldigFra=\"2028-04-01\""},
            {" gyldigTil=\"2028-03-31\"", ""},
            {"profil=\"modern\"", "profil=\"legacy-net\""},
            {"profil=\"modern\"", "profil=\"\""},
            {"profil=\"modern\"", "profil=\"modern\" bruk=\"x\""},
            {dsig, ""},
            {dsig, " xmlns=\"http://www.w3.org/2000/09/xmldsig\""},
            {dsig, dsig + " Id=\"x\""},
            {"<Modulus>", "<Modulus a=\"1\">"},
            {"<Exponent>AQAB</Exponent>", ""},
            {"<Exponent>AQAB</Exponent>", "<Exponent>AQAB</Exponent><Exponent>AQAB</Exponent>"},
            {"<Exponent>AQAB</Exponent>", "<Exponent>AQA</Exponent>"},
            {"<Exponent>AQAB</Exponent>", "<Exponent>AQAC</Exponent>"},
            {"<Exponent>AQAB</Exponent>", "<Exponent></Exponent>"},
            {"<Exponent>AQAB</Exponent>", "<Exponent>AQ<x/>AB</Exponent>"},
            {"<Exponent>AQAB</Exponent>", "x<Exponent>AQAB</Exponent>"},
            {"</RSAKeyValue>", "</RSAKeyValue>x"},
            {"<Modulus>", "<Modulus>!"},
            {"</Krypteringsnokler>\n", ""},
            {"</Krypteringsnokler>\n", "</Krypteringsnokler><x/>"},
            {"<Krypteringsnokler", "<!DOCTYPE x><Krypteringsnokler"},
            {"  <Nokkel", "  <!-- x --><Nokkel"},
            {"  <Nokkel", "  <![CDATA[]]><Nokkel"},
        };
        CHECK(KeyFile::parse(good).has_value());
        for (const auto& change : changes) {
            CAPTURE(change.first);
            CAPTURE(change.second);
            const auto result = KeyFile::parse(replaced(good, change.first, change.second));
            REQUIRE_FALSE(result.has_value());
            CHECK(result.error().code() == Code::field_form);
            CHECK(result.error().detail().starts_with("line "));
        }
        CHECK(KeyFile::parse(replaced(good, "id=\"IPLOS-2026\"", "id=\"\""))
                  .error()
                  .detail()
                  .starts_with("line 3: id: "));
        CHECK_FALSE(KeyFile::parse(file_of("")).has_value());
        CHECK_FALSE(KeyFile::parse("").has_value());
    }

    TEST_CASE("weak keys, and one key in two roles, are refused") {
        CHECK_FALSE(KeyFile::parse(file_of(nokkel("A", "TPF", small_key()))).has_value());
        CHECK_FALSE(
            KeyFile::parse(file_of(nokkel("A", "TPF", tpf_key()) + nokkel("B", "IPLOS", tpf_key()))).has_value());
        CHECK_FALSE(
            KeyFile::parse(file_of(nokkel("A", "TPF", tpf_key()) + nokkel("B", "TPF", tpf_key(), "legacy-net:rsa-1_5")))
                .has_value());
        CHECK(KeyFile::parse(
                  file_of(nokkel("A", "TPF", tpf_key()) + nokkel("B", "TPF", tpf_key(), "modern", "2027-12-01")))
                  .has_value());
    }

    TEST_CASE("size and depth are bounded before anything is built") {
        CHECK(KeyFile::parse(std::string((1U << 20) + 1, ' ')).error().code() == Code::limit);
        std::string deep;
        for (int i = 0; i < 20'000; ++i) deep += "<a>";
        CHECK(KeyFile::parse(deep).error().code() == Code::limit);
    }

    TEST_CASE("random damage never does worse than an error") {
        std::mt19937 random(1);
        const std::string good = the_example();
        for (int round = 0; round < 3000; ++round) {
            std::string text = good;
            for (auto changes = 1 + random() % 4; changes > 0; --changes) {
                const auto at = random() % text.size();
                switch (random() % 3) {
                    case 0:
                        text[at] = "<>/\"'=& \nxA0"[random() % 12];
                        break;
                    case 1:
                        text.erase(at, 1 + random() % 30);
                        break;
                    default:
                        text.insert(at, good.substr(random() % good.size(), random() % 40));
                }
                if (text.empty()) text = "x";
            }
            const auto parsed = KeyFile::parse(text);
            if (parsed) CHECK(KeyFile::parse(parsed.value().write()).has_value());
        }
    }
}

}  // namespace tpf::crypto
