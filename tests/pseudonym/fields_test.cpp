#include "pseudonym/fields.h"

#include <doctest/doctest.h>

#include <string>

#include "pseudonym/formats_schema.h"

using namespace tpf;
using namespace tpf::pseudonym;

namespace {

template <class T>
std::string outcome(const Result<T>& result) {
    return result ? "OK" : std::string(result.error().name());
}

TEST_SUITE("pseudonym/fields") {
    TEST_CASE("Meldingstype") {
        CHECK(parse_meldingstype("IPLOS").value() == Meldingstype::iplos);
        CHECK(parse_meldingstype("KPR").value() == Meldingstype::kpr);
        for (const char* bad : {"", "iplos", "IPLOS ", "XPR"}) CHECK(outcome(parse_meldingstype(bad)) == "FELTFORM");
        CHECK(to_string(Meldingstype::kpr) == "KPR");
    }

    TEST_CASE("Epost") {
        for (const std::string& good :
             {std::string("a@b"), std::string("kari.nordmann+x@kommune.no"), std::string("b\xc3\xb8@x"),
              std::string("1234567890@x"), std::string(252, 'a') + "@b"}) {
            CHECK_MESSAGE(outcome(check_epost(good)) == "OK", good);
        }
        for (const std::string& bad :
             {std::string(), std::string("a"), std::string("@b"), std::string("a@"), std::string("a@b@c"),
              std::string("a\t@b"), std::string("a\x7f@b"), std::string("a\xc2\x85@b"), std::string(253, 'a') + "@b",
              std::string("13097248023@b"), std::string("00000000000@b")}) {
            CHECK_MESSAGE(outcome(check_epost(bad)) == "FELTFORM", bad);
        }
        for (const char* leak :
             {"13097248022@b", "130972-48022@b", "a@130972.48022", "202012345678@b", "0000000000000@b"}) {
            CHECK_MESSAGE(outcome(check_epost(leak)) == "IDENTITET", leak);
        }
    }

    TEST_CASE("Navn: counted in characters") {
        std::string longest;
        for (int i = 0; i < 200; ++i) longest += "\xc3\xb8";
        CHECK(outcome(check_navn(longest)) == "OK");
        CHECK(outcome(check_navn(longest + "x")) == "FELTFORM");
        CHECK(outcome(check_navn("Kari <Nordmann> & \"sønn\"")) == "OK");
        CHECK(outcome(check_navn("")) == "FELTFORM");
        CHECK(outcome(check_navn("Kari\nNordmann")) == "FELTFORM");
        CHECK(outcome(check_navn("Kari 13097248023")) == "FELTFORM");
        CHECK(outcome(check_navn("Kari 130972 48022")) == "IDENTITET");
    }

    TEST_CASE("Mobiltelefon: white space between digits is dropped, the prefix stays") {
        CHECK(parse_mobiltelefon("99999999").value() == "99999999");
        CHECK(parse_mobiltelefon("+47 99 99 99 99").value() == "+4799999999");
        CHECK(parse_mobiltelefon("0047 999 99 999").value() == "004799999999");
        CHECK(parse_mobiltelefon("47999999").value() == "47999999");
        for (const char* bad :
             {"", "9999999", "999999999", "+4899999999", "4799999999", "+47", "0047", "+47+4799999999", "99-99-99-99",
              "(99)999999", "99999999x", "00479999999", "0047999999999", "13097248022", "202012345678",
              "9999\xc2\xa0"
              "9999"}) {
            CHECK_MESSAGE(outcome(parse_mobiltelefon(bad)) == "FELTFORM", bad);
        }
    }

    TEST_CASE("AntallPersoner") {
        CHECK(parse_antall("0").value() == 0);
        CHECK(parse_antall("10000000").value() == 10000000);
        for (const char* bad : {"", "00", "01", "-1", "+1", "1.0", "1e3", "10000001", "99999999", "100000000", "x"}) {
            CHECK_MESSAGE(outcome(parse_antall(bad)) == "FELTFORM", bad);
        }
    }

    TEST_CASE("namespace declarations: a URI and no identity number") {
        CHECK(outcome(check_binding("", "")) == "OK");
        CHECK(outcome(check_binding("x", "http://www.npr.no/xmlstds/56_0_0_ipl?a=%20&b='c'#d")) == "OK");
        CHECK(outcome(check_binding("x", std::string(1024, 'u'))) == "OK");
        CHECK(outcome(check_binding("x", std::string(1025, 'u'))) == "GRENSE");
        for (const char* bad : {"a b", "a\"b", "a<b", "a>b", "a\xc3\xb8", "a{b}", "a\\b", "a\nb"}) {
            CHECK_MESSAGE(outcome(check_binding("x", bad)) == "IKKE_TILLATT", bad);
        }
        for (const char* leak : {"urn:13097248022", "urn:130972-48022", "urn:130972.48022", "urn:202012345678"}) {
            CHECK_MESSAGE(outcome(check_binding("x", leak)) == "IDENTITET", leak);
        }
        CHECK(outcome(check_binding("_13097248022", "urn:x")) == "IDENTITET");
        CHECK(outcome(check_binding("a130972-48022", "urn:x")) == "IDENTITET");
    }

    TEST_CASE("the clear header is gathered field by field") {
        const auto gather = [](std::string_view kommune, std::string_view reg) {
            HeaderFields fields;
            const std::pair<int, std::string_view> leaves[] = {
                {Field::meldings_id, "7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11"},
                {Field::meldingstype, "IPLOS"},
                {Field::kommunenummer, kommune},
                {Field::bydelsnummer, "00"},
                {Field::organisasjonsnummer, "974761076"},
                {Field::reg, reg}};
            for (const auto& [id, value] : leaves) {
                const auto taken = fields.take(id, value);
                if (!taken) return std::string(taken.error().name());
                CHECK(taken.value());
            }
            CHECK_FALSE(fields.take(Field::epost, "x").value());
            return fields.header().value().avsender.str() + "/" + fields.header().value().reg.str();
        };
        CHECK(gather("0301", "IPLOS") == "0301-00-974761076/IPLOS");
        CHECK(gather("301", "IPLOS") == "KOMMUNENUMMER");
        CHECK(gather("03O1", "IPLOS") == "KOMMUNENUMMER");
        CHECK(gather("0301", "iplos") == "FELTFORM");
        CHECK(outcome(HeaderFields().header()) == "HODEFELT");
    }
}

}  // namespace
