// Every way to get a submission wrong, and the code that it has: nothing of it is ever a success.
#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "pseudonym/pass.h"
#include "tests/support/pass_harness.h"

using namespace tpf;
using namespace tpf::pseudonym;
using test::replaced;
using test::SubmissionBuilder;
using Stage = SubmissionBuilder::Stage;

namespace {

std::string outcome(const SubmissionBuilder& builder, const test::TestKeys& keys = {}) {
    const test::PassAnswer answer = test::run_pass(keys, builder.build());
    // No text of an error holds anything of the message.
    for (const std::string& value :
         {builder.persons.empty() ? "?" : builder.persons[0].number, builder.navn, builder.epost}) {
        if (answer.error && value.size() > 5) CHECK(answer.error->text().find(value) == std::string::npos);
    }
    return answer.name();
}

std::string edited(Stage stage, const std::string& from, const std::string& to) {
    SubmissionBuilder builder;
    builder.edit(stage, from, to);
    return outcome(builder);
}
std::string outer(const std::string& from, const std::string& to) {
    return edited(Stage::document, from, to);
}
std::string inner(const std::string& from, const std::string& to) {
    return edited(Stage::tpf_layer, from, to);
}
std::string sealed(const std::string& from, const std::string& to) {
    return edited(Stage::sealed_person, from, to);
}

std::string raw(std::string_view document) {
    return test::run_pass(test::TestKeys(), document).name();
}

constexpr const char* kXenc = "http://www.w3.org/2001/04/xmlenc#";

TEST_SUITE("pseudonym/bad_input") {
    TEST_CASE("the builder's own submission is good") {
        CHECK(outcome(SubmissionBuilder()) == "OK");
    }

    TEST_CASE("not XML, wrong encoding, wrong root or version") {
        CHECK(raw("") == "AVKUTTET");
        CHECK(raw("IPLOS") == "IKKE_XML");
        CHECK(raw(std::string(100, '\0')) == "IKKE_XML");
        CHECK(raw("PK\x03\x04") == "IKKE_XML");
        CHECK(raw("\xff\xfe<") == "TEGNSETT");
        CHECK(raw("<IPLOS versjon='3.7'></IPLOS>") == "ROT");
        CHECK(raw("<Innsending versjon='1'></Innsending>") == "ROT");
        CHECK(outer("versjon=\"1\"", "versjon=\"2\"") == "ROT");
        CHECK(outer(" versjon=\"1\"", "") == "ROT");
        CHECK(outer("urn:tpf:innsending:1", "urn:tpf:innsending:2") == "ROT");
        CHECK(outer("urn:tpf:innsending:1", "urn:tpf:pseudonymisert:1") == "ROT");
        CHECK(outer("<i:Innsending", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><i:Innsending") == "TEGNSETT");
        CHECK(outer("IPLOS</i:Meldingstype>", "IPLOS\xff</i:Meldingstype>") == "TEGNSETT");
        CHECK(outer("</i:Meldingstype>", "</i:Meldingstyp>") == "IKKE_XML");
    }

    TEST_CASE("header fields missing, in wrong order, of wrong form") {
        CHECK(outer("<i:Meldingstype>IPLOS</i:Meldingstype>", "") == "HODEFELT");
        CHECK(outer("<i:Meldingstype>IPLOS</i:Meldingstype>",
                    "<i:Meldingstype>IPLOS</i:Meldingstype><i:Meldingstype>IPLOS</i:Meldingstype>") == "HODEFELT");
        CHECK(outer("<i:Bydelsnummer>00</i:Bydelsnummer>", "") == "HODEFELT");
        CHECK(outer("<i:Kommunenummer>0301</i:Kommunenummer><i:Bydelsnummer>00</i:Bydelsnummer>",
                    "<i:Bydelsnummer>00</i:Bydelsnummer><i:Kommunenummer>0301</i:Kommunenummer>") == "HODEFELT");
        CHECK(outer("<i:Mottaker><i:Register>IPLOS</i:Register></i:Mottaker>", "") == "HODEFELT");
        CHECK(outer("<i:Mottaker><i:Register>IPLOS</i:Register></i:Mottaker>", "<i:Mottaker></i:Mottaker>") ==
              "HODEFELT");
        CHECK(inner("<i:Opprettet>2027-01-04T09:30:00Z</i:Opprettet>", "") == "HODEFELT");
        CHECK(inner("<i:Til>2026-12-31</i:Til>", "") == "HODEFELT");
        CHECK(inner("<i:AntallPersoner>2</i:AntallPersoner>", "") == "HODEFELT");
        CHECK(inner("<i:Epost>kari@kommune.example</i:Epost>", "") == "HODEFELT");
        for (const char* bad : {"0301 0", "301", "03O1", "", "\xd9\xa0\xd9\xa3\xd9\xa0\xd9\xa1"}) {
            SubmissionBuilder builder;
            builder.kommunenummer = bad;
            CHECK_MESSAGE(outcome(builder) == "KOMMUNENUMMER", bad);
        }
        const auto with = [](std::string SubmissionBuilder::*member, const char* value) {
            SubmissionBuilder builder;
            builder.*member = value;
            return outcome(builder);
        };
        CHECK(with(&SubmissionBuilder::meldings_id, "7F1C0C2E-6C3B-4F0E-9A35-0C6A3F4D2B11") == "FELTFORM");
        CHECK(with(&SubmissionBuilder::meldings_id, "7f1c0c2e-6c3b-1f0e-9a35-0c6a3f4d2b11") == "FELTFORM");
        CHECK(with(&SubmissionBuilder::meldingstype, "XPR") == "FELTFORM");
        CHECK(with(&SubmissionBuilder::bydelsnummer, "0") == "FELTFORM");
        CHECK(with(&SubmissionBuilder::organisasjonsnummer, "974761077") == "FELTFORM");
        CHECK(with(&SubmissionBuilder::reg, "iplos") == "FELTFORM");
        CHECK(with(&SubmissionBuilder::opprettet, "2027-01-04T09:30:00+01:00") == "FELTFORM");
        CHECK(with(&SubmissionBuilder::opprettet, "2027-02-30T09:30:00Z") == "FELTFORM");
        CHECK(with(&SubmissionBuilder::fra, "01.01.2026") == "FELTFORM");
        CHECK(with(&SubmissionBuilder::til, "2026-13-01") == "FELTFORM");
        CHECK(with(&SubmissionBuilder::epost, "kari") == "FELTFORM");
        CHECK(with(&SubmissionBuilder::mobiltelefon, "123") == "FELTFORM");
        CHECK(with(&SubmissionBuilder::navn, "") == "FELTFORM");
        CHECK(with(&SubmissionBuilder::reg, "NPR") == "UKJENT_REGISTER");
    }

    TEST_CASE("header and Hode different, whatever the field") {
        CHECK(outer("7f1c0c2e", "7f1c0c2f") == "HODE_ULIK");
        CHECK(outer("<i:Meldingstype>IPLOS", "<i:Meldingstype>KPR") == "HODE_ULIK");
        CHECK(outer("0301", "0302") == "HODE_ULIK");
        CHECK(outer("<i:Bydelsnummer>00", "<i:Bydelsnummer>01") == "HODE_ULIK");
        CHECK(outer("974761076", "971032081") == "HODE_ULIK");
        CHECK(outer("<i:Register>IPLOS", "<i:Register>KPR") == "HODE_ULIK");
    }

    TEST_CASE("keys and algorithms, refused before a key is used") {
        test::TestKeys untouchable;
        untouchable.message_keys.at("TPF-2026").unwrapper = std::make_shared<test::UntouchableKey>();
        const auto refused = [&](const std::string& from, const std::string& to) {
            SubmissionBuilder builder;
            builder.edit(Stage::document, from, to);
            return outcome(builder, untouchable);
        };
        CHECK_THROWS(outcome(SubmissionBuilder(), untouchable));
        CHECK(refused("<ds:KeyName>TPF-2026", "<ds:KeyName>TPF-2025") == "UKJENT_NOKKEL");
        CHECK(refused("<ds:KeyName>TPF-2026", "<ds:KeyName>TPF 2026") == "FELTFORM");
        CHECK(refused("<ds:KeyName>TPF-2026", "<ds:KeyName>") == "FELTFORM");
        for (const char* content :
             {"http://www.w3.org/2001/04/xmlenc#tripledes-cbc", "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
              "http://www.w3.org/2001/04/xmlenc#aes128-cbc", "http://www.w3.org/2009/xmlenc11#aes192-gcm",
              "http://www.w3.org/2009/xmlenc11#AES256-GCM", "", " http://www.w3.org/2009/xmlenc11#aes256-gcm"}) {
            CHECK_MESSAGE(refused("http://www.w3.org/2009/xmlenc11#aes256-gcm", content) == "ALGORITME", content);
        }
        for (const char* transport :
             {"http://www.w3.org/2001/04/xmlenc#rsa-1_5", "http://www.w3.org/2001/04/xmlenc#kw-aes256", ""}) {
            CHECK_MESSAGE(refused("http://www.w3.org/2009/xmlenc11#rsa-oaep", transport) == "ALGORITME", transport);
        }
        CHECK(refused("http://www.w3.org/2009/xmlenc11#mgf1sha256", "http://www.w3.org/2009/xmlenc11#mgf1sha1") ==
              "ALGORITME");
        CHECK(refused("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmldsig-more#md5") ==
              "ALGORITME");
        CHECK(refused("</xenc:EncryptionMethod><ds:KeyInfo>",
                      "<xenc:OAEPparams>AAAA</xenc:OAEPparams></xenc:EncryptionMethod><ds:KeyInfo>") == "IKKE_TILLATT");
        CHECK(refused("<xenc11:MGF",
                      "<ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><xenc11:MGF") ==
              "IKKE_TILLATT");
    }

    TEST_CASE("another structure than the one named: EncryptedKey elsewhere") {
        CHECK(outer("<xenc:EncryptedKey>", "<ds:RetrievalMethod URI=\"#k\"/><xenc:EncryptedKey>") == "IKKE_TILLATT");
        CHECK(outer("<ds:KeyInfo><xenc:EncryptedKey>", "<ds:KeyInfo><ds:KeyName>x</ds:KeyName><xenc:EncryptedKey>") ==
              "IKKE_TILLATT");
        CHECK(outer("</xenc:EncryptedKey>", "<xenc:CarriedKeyName>x</xenc:CarriedKeyName></xenc:EncryptedKey>") ==
              "IKKE_TILLATT");
        CHECK(outer("</xenc:EncryptedData>", "<xenc:EncryptionProperties/></xenc:EncryptedData>") == "IKKE_TILLATT");
        CHECK(outer("xmlenc#Content", "xmlenc#Element") == "IKKE_TILLATT");
        CHECK(outer(" Type=\"", " Foo=\"1\" Type=\"") == "IKKE_TILLATT");
        CHECK(outer("</i:Mottaker>", "</i:Mottaker><i:Ekstra/>") == "IKKE_TILLATT");
        CHECK(outer("<i:Mottaker>", "<i:Mottaker xml:lang=\"no\">") == "IKKE_TILLATT");
        CHECK(outer("<i:Mottaker>", "<i:Mottaker i:a=\"no\">") == "IKKE_TILLATT");
        CHECK(outer("<i:Mottaker>", "<i:Mottaker>x") == "IKKE_TILLATT");
        CHECK(outer("<i:Mottaker>", "<i:Mottaker><!-- -->") == "IKKE_TILLATT");
        CHECK(outer("<i:Mottaker>", "<i:Mottaker><?x?>") == "IKKE_TILLATT");
        CHECK(outer("<i:Register>IPLOS", "<i:Register><![CDATA[IPLOS]]>") == "IKKE_TILLATT");
        CHECK(outer("<i:Register>IPLOS", "<i:Register><b/>IPLOS") == "IKKE_TILLATT");
        CHECK(outer("<i:Innsending ", "<!DOCTYPE x><i:Innsending ") == "IKKE_TILLATT");
        CHECK(outer("<i:Innsending ", "<?x?><i:Innsending ") == "IKKE_TILLATT");
        CHECK(outer("<i:Innsending ", "<i:Innsending versjom=\"1\" ") == "IKKE_TILLATT");
        CHECK(outer(" versjon=\"1\"", " xmlns:x=\"a b\" versjon=\"1\"") == "IKKE_TILLATT");
        CHECK(outer(" versjon=\"1\"", " xmlns:x=\"urn:13097248022\" versjon=\"1\"") == "IDENTITET");
    }

    TEST_CASE("base64 with foreign characters, unpadded, with spare bits, cut") {
        CHECK(outer("</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>",
                    "*</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>") == "BASE64");
        CHECK(outer("</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>",
                    "A</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>") == "BASE64");
        CHECK(outer("</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>",
                    "-</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>") == "BASE64");
        CHECK(outer("<xenc:CipherValue>", "<xenc:CipherValue>\xc2\xa0") == "BASE64");
        CHECK(sealed("</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>",
                     "_</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>") == "BASE64");
        CHECK(sealed("</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>",
                     "=AAA</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>") == "BASE64");
    }

    TEST_CASE("one answer for all that an attacker could measure") {
        std::string text;
        const auto refused = [&](const std::function<void(SubmissionBuilder&)>& change) {
            SubmissionBuilder builder;
            change(builder);
            const test::PassAnswer answer = test::run_pass(test::TestKeys(), builder.build());
            REQUIRE(answer.error);
            CHECK_FALSE(answer.authentic);
            if (text.empty()) text = answer.error->text();
            CHECK(answer.error->text() == text);
            CHECK(answer.error->hint() == info(Code::decryption).remedy);
            return answer.name();
        };
        using Builder = SubmissionBuilder;
        CHECK(refused([](Builder& b) { b.tpf.edit_octets = [](Bytes& o) { o.back() ^= 1; }; }) == "DEKRYPTERING");
        CHECK(refused([](Builder& b) { b.tpf.edit_octets = [](Bytes& o) { o[0] ^= 1; }; }) == "DEKRYPTERING");
        CHECK(refused([](Builder& b) { b.tpf.edit_octets = [](Bytes& o) { o[20] ^= 1; }; }) == "DEKRYPTERING");
        CHECK(refused([](Builder& b) { b.tpf.edit_octets = [](Bytes& o) { o.pop_back(); }; }) == "DEKRYPTERING");
        CHECK(refused([](Builder& b) { b.tpf.edit_octets = [](Bytes& o) { o.resize(28); }; }) == "DEKRYPTERING");
        CHECK(refused([](Builder& b) { b.tpf.edit_octets = [](Bytes& o) { o.resize(27); }; }) == "DEKRYPTERING");
        CHECK(refused([](Builder& b) { b.tpf.edit_octets = [](Bytes& o) { o.clear(); }; }) == "DEKRYPTERING");
        CHECK(refused([](Builder& b) { b.tpf.recipient.wrap = [](const auto&) { return Bytes(384, 7); }; }) ==
              "DEKRYPTERING");
        CHECK(refused([](Builder& b) { b.tpf.recipient.wrap = [](const auto&) { return Bytes(5, 7); }; }) ==
              "DEKRYPTERING");
        CHECK(refused([](Builder& b) { b.tpf.recipient.wrap = [](const auto&) { return Bytes(); }; }) ==
              "DEKRYPTERING");
        // A wrong tag overrides whatever is wrong inside.
        CHECK(refused([](Builder& b) {
                  b.persons[0].sealed = "";
                  b.epost = "x";
                  b.tpf.edit_octets = [](Bytes& o) { o.back() ^= 1; };
              }) == "DEKRYPTERING");
        CHECK(refused([](Builder& b) {
                  b.edit(Stage::tpf_layer, [](std::string& layer) { layer = "<<<"; });
                  b.tpf.edit_octets = [](Bytes& o) { o.back() ^= 1; };
              }) == "DEKRYPTERING");
    }

    TEST_CASE("a fault inside is told after the tag: the message is authentic then") {
        SubmissionBuilder builder;
        builder.epost = "x";
        const test::PassAnswer answer = test::run_pass(test::TestKeys(), builder.build());
        CHECK(answer.name() == "FELTFORM");
        CHECK(answer.authentic);
    }

    TEST_CASE("the TPF layer holds what the format names and nothing else") {
        CHECK(inner("</i:Hode>", "</i:Hode><i:Ekstra/>") == "IKKE_TILLATT");
        CHECK(inner("</i:Opprettet>", "</i:Opprettet><i:Opprettet>2027-01-04T09:30:00Z</i:Opprettet>") == "HODEFELT");
        CHECK(inner("<i:Hode>", "x<i:Hode>") == "IKKE_TILLATT");
        CHECK(inner("<i:Hode>", "<i:Hode>x") == "IKKE_TILLATT");
        CHECK(inner("</i:Fodselsnummer>", "</i:Fodselsnummer>x") == "IKKE_TILLATT");
        CHECK(inner("<i:Hode>", "<i:Hode a=\"1\">") == "IKKE_TILLATT");
        CHECK(inner("<i:Fodselsnummer>", "<i:Fodselsnummer xml:space=\"preserve\">") == "IKKE_TILLATT");
        CHECK(inner("<i:Person>", "<i:Person id=\"1\">") == "IKKE_TILLATT");
        CHECK(inner("<i:Person>", "<i:Person i:id=\"1\">") == "IKKE_TILLATT");
        CHECK(inner("<i:Hode>", "<!-- --><i:Hode>") == "IKKE_TILLATT");
        CHECK(inner("<i:Hode>", "<?x?><i:Hode>") == "IKKE_TILLATT");
        CHECK(inner("<i:Hode>", "<!DOCTYPE i:Hode><i:Hode>") == "IKKE_TILLATT");
        CHECK(inner("<i:Hode>", "<?xml version=\"1.0\"?><i:Hode>") == "IKKE_TILLATT");
        CHECK(inner("<i:Fodselsnummer>13097248022", "<i:Fodselsnummer><![CDATA[13097248022]]>") == "IKKE_TILLATT");
        CHECK(inner("<i:Fodselsnummer>13097248022", "<i:Fodselsnummer>1309<!-- -->7248022") == "IKKE_TILLATT");
        CHECK(inner("<i:Fodselsnummer>13097248022", "<i:Fodselsnummer>1309<b/>7248022") == "IKKE_TILLATT");
        CHECK(inner("<i:Fodselsnummer>13097248022</i:Fodselsnummer>",
                    "<i:Fodselsnummer>13097248022</i:Fodselsnummer><i:Fodselsnummer>13097248022</i:Fodselsnummer>") ==
              "HODEFELT");
        CHECK(inner("<i:Fodselsnummer>13097248022</i:Fodselsnummer>", "") == "HODEFELT");
        CHECK(inner("<i:Fodselsnummer>13097248022", "<i:Fodselsnummer>" + std::string(33, '1')) == "FELTFORM");
        CHECK(inner("<i:Fodselsnummer>13097248022</i:Fodselsnummer>", "<Fodselsnummer>13097248022</Fodselsnummer>") ==
              "IKKE_TILLATT");
        CHECK(inner("<i:Person><i:Fodselsnummer>13097248022",
                    "<i:Person xmlns:i=\"urn:x\"><i:Fodselsnummer>13097248022") == "IKKE_TILLATT");
        CHECK(inner("</i:Kontaktperson>", "<i:Fodselsnummer>13097248022</i:Fodselsnummer></i:Kontaktperson>") ==
              "IKKE_TILLATT");
        CHECK(inner("</i:AntallPersoner>", "</i:AntallPersoner><i:Pseudonym>1-x</i:Pseudonym>") == "IKKE_TILLATT");
        CHECK(inner("</i:Person>", "<i:Person/></i:Person>") == "IKKE_TILLATT");
        CHECK(inner("<i:Navn>Kari", "<i:Navn>\xff") == "TEGNSETT");
        CHECK(inner("<i:Navn>Kari", "<i:Navn>\xc3") == "TEGNSETT");
        CHECK(inner("</i:Periode>", "</i:Period>") == "IKKE_XML");
        CHECK(inner("<i:Navn>", "<j:Navn>") == "IKKE_XML");
        SubmissionBuilder cut;
        cut.edit(Stage::tpf_layer, [](std::string& text) { text.pop_back(); });
        CHECK(outcome(cut) == "AVKUTTET");
        SubmissionBuilder more;
        more.edit(Stage::tpf_layer, [](std::string& text) { text += "</i:Innsending>"; });
        CHECK(outcome(more) == "IKKE_XML");
        SubmissionBuilder late;
        late.edit(Stage::tpf_layer, [](std::string& text) { text += "x"; });
        CHECK(outcome(late) == "IKKE_TILLATT");
        SubmissionBuilder nothing;
        nothing.edit(Stage::tpf_layer, [](std::string& text) { text.clear(); });
        CHECK(outcome(nothing) == "HODEFELT");
    }

    TEST_CASE("AntallPersoner wrong either way, persons without or with too much sealed data") {
        SubmissionBuilder builder;
        builder.antall = "1";
        CHECK(outcome(builder) == "ANTALL");
        builder.antall = "3";
        CHECK(outcome(builder) == "ANTALL");
        builder.antall = "02";
        CHECK(outcome(builder) == "FELTFORM");
        SubmissionBuilder bare;
        bare.persons[1].sealed = "";
        CHECK(outcome(bare) == "UTEN_DATA");
        SubmissionBuilder twice;
        twice.edit(Stage::sealed_person, [](std::string& text) { text += text; });
        CHECK(outcome(twice) == "IKKE_TILLATT");
        CHECK(inner("<i:Fodselsnummer>13097248022</i:Fodselsnummer>", "") == "HODEFELT");
    }

    TEST_CASE("the register layer is checked without being opened") {
        CHECK(sealed("IPLOS-2026", "KPR-2026") == "REGISTERNOKKEL");
        CHECK(sealed("IPLOS-2026", "TPF-2026") == "REGISTERNOKKEL");
        CHECK(sealed("IPLOS-2026", "13097248022") == "REGISTERNOKKEL");
        CHECK(sealed("IPLOS-2026", "") == "REGISTERNOKKEL");
        CHECK(sealed("xmlenc11#aes256-gcm", "xmlenc11#aes192-gcm") == "ALGORITME");
        CHECK(sealed("http://www.w3.org/2009/xmlenc11#aes256-gcm", std::string(kXenc) + "aes256-cbc") == "ALGORITME");
        CHECK(sealed("http://www.w3.org/2009/xmlenc11#aes256-gcm", "urn:13097248022") == "ALGORITME");
        CHECK(sealed("http://www.w3.org/2009/xmlenc11#rsa-oaep", std::string(kXenc) + "rsa-1_5") == "ALGORITME");
        CHECK(sealed(" Type=\"http://www.w3.org/2001/04/xmlenc#Content\"", "") == "OK");
        CHECK(sealed("xmlenc#Content", "xmlenc#Element") == "REGISTERLAG");
        CHECK(sealed("<xenc:EncryptedData", "<xenc:EncryptedData Id=\"x\"") == "REGISTERLAG");
        CHECK(sealed("<xenc:EncryptedData", "<xenc:EncryptedData MimeType=\"13097248022\"") == "REGISTERLAG");
        CHECK(sealed("<xenc:EncryptedKey>", "<xenc:EncryptedKey Recipient=\"x\">") == "REGISTERLAG");
        CHECK(sealed("<xenc:EncryptedKey>", "<xenc:EncryptedKey Type=\"13097248022\">") == "REGISTERLAG");
        CHECK(sealed("<xenc:EncryptedKey>",
                     "<xenc:EncryptedKey Type=\"http://www.w3.org/2001/04/xmlenc#EncryptedKey\">") == "OK");
        CHECK(sealed("<ds:KeyInfo>", "<ds:KeyInfo Id=\"x\">") == "REGISTERLAG");
        CHECK(sealed("<ds:KeyName>", "<ds:KeyName a=\"x\">") == "REGISTERLAG");
        CHECK(sealed("<xenc:CipherData>", "<xenc:CipherData>x") == "REGISTERLAG");
        CHECK(sealed("<xenc:CipherValue>", "<xenc:CipherValue xml:id=\"x\">") == "REGISTERLAG");
        CHECK(sealed("<xenc:CipherValue>", "<xenc:CipherValue><x/>") == "REGISTERLAG");
        CHECK(sealed("</xenc:EncryptedData>", "<xenc:EncryptionProperties/></xenc:EncryptedData>") == "REGISTERLAG");
        CHECK(sealed("</xenc:EncryptedKey>", "<xenc:ReferenceList/></xenc:EncryptedKey>") == "REGISTERLAG");
        CHECK(sealed("</xenc:EncryptedKey>", "</xenc:EncryptedKey><ds:KeyValue/>") == "REGISTERLAG");
        CHECK(sealed("<xenc:EncryptedKey>", "13097248022<xenc:EncryptedKey>") == "REGISTERLAG");
        CHECK(sealed("<xenc:EncryptedData", "<xenc:EncryptedData xmlns:x=\"urn:13097248022\"") == "IDENTITET");
        CHECK(sealed("<xenc:CipherValue>", "<xenc:CipherValue xmlns:x=\"urn:1309&#55;248022\">") == "IDENTITET");
        CHECK(sealed("<xenc:CipherData>", "<xenc:CipherData xmlns:_13097248022=\"urn:x\">") == "IDENTITET");
        CHECK(sealed("<xenc:CipherData>", "<xenc:CipherData xmlns:x=\"Kari Nordmann\">") == "IKKE_TILLATT");
        CHECK(sealed("<xenc:EncryptedData", "<!-- x --><xenc:EncryptedData") == "IKKE_TILLATT");
        SubmissionBuilder person;
        person.persons[0].attributes = " xmlns:x=\"urn:13097248022\"";
        CHECK(outcome(person) == "IDENTITET");
        SubmissionBuilder short_key;
        short_key.for_register.recipient.wrap = [](const auto&) { return Bytes(383, 1); };
        CHECK(outcome(short_key) == "REGISTERLAG");
        SubmissionBuilder long_key;
        long_key.for_register.recipient.wrap = [](const auto&) { return Bytes(385, 1); };
        CHECK(outcome(long_key) == "REGISTERLAG");
        for (const std::size_t size : {std::size_t{0}, std::size_t{27}}) {
            SubmissionBuilder short_content;
            short_content.for_register.edit_octets = [size](Bytes& octets) { octets.resize(size); };
            CHECK(outcome(short_content) == "REGISTERLAG");
        }
        SubmissionBuilder least;
        least.for_register.edit_octets = [](Bytes& octets) { octets.resize(28); };
        CHECK(outcome(least) == "OK");
    }

    TEST_CASE("an identity number in any other leaf") {
        for (const char* number :
             {"13097248022", "130972 48022", "13897248148", "53097248016", "202012345678", "13527248013"}) {
            SubmissionBuilder builder;
            builder.navn = std::string("Kari ") + number;
            CHECK_MESSAGE((outcome(builder) == "IDENTITET" || outcome(builder) == "FELTFORM"), number);
            SubmissionBuilder mail;
            mail.epost = std::string(number) + "@kommune.example";
            CHECK_MESSAGE((outcome(mail) == "IDENTITET" || outcome(mail) == "FELTFORM"), number);
        }
        SubmissionBuilder builder;
        builder.navn = "13097248022";
        CHECK(outcome(builder) == "IDENTITET");
        builder.navn = "130972-480.22";
        CHECK(outcome(builder) == "IDENTITET");
    }

    TEST_CASE("data after the end") {
        const std::string good = SubmissionBuilder().build();
        for (const char* more : {"x", "<a/>", "<!-- -->", "<?x?>", "&#32;", "</i:Innsending>", "\xef\xbb\xbf"}) {
            const std::string name = raw(good + more);
            CHECK_MESSAGE((name == "ETTER_SLUTT" || name == "IKKE_TILLATT"), more);
        }
        CHECK(raw(good + good) == "ETTER_SLUTT");
        CHECK(raw(good + std::string(1, '\0')) == "ETTER_SLUTT");
        CHECK(raw(good + " \r\n\t") == "OK");
    }

    TEST_CASE("limits, each told by its name and none of the message") {
        const std::string good = SubmissionBuilder().build();
        const auto limited = [&](const std::function<void(PassLimits&)>& change) {
            PassOptions options;
            change(options.limits);
            return test::run_pass(test::TestKeys(), good, options).name();
        };
        CHECK(limited([](PassLimits& l) { l.xml.depth = 5; }) == "GRENSE");
        CHECK(limited([](PassLimits& l) { l.xml.name_bytes = 10; }) == "GRENSE");
        CHECK(limited([](PassLimits& l) { l.xml.attributes = 1; }) == "GRENSE");
        CHECK(limited([](PassLimits& l) { l.xml.tag_bytes = 50; }) == "GRENSE");
        CHECK(limited([](PassLimits& l) { l.xml.namespaces = 2; }) == "GRENSE");
        CHECK(limited([](PassLimits& l) { l.leaf_bytes = 10; }) == "GRENSE");
        CHECK(limited([](PassLimits& l) { l.persons = 1; }) == "GRENSE");
        CHECK(limited([&](PassLimits& l) { l.message_bytes = good.size() - 1; }) == "GRENSE");
        CHECK(limited([&](PassLimits& l) { l.message_bytes = good.size(); }) == "OK");
        const std::size_t plaintext = SubmissionBuilder().build_stages().tpf_layer.size();
        CHECK(limited([&](PassLimits& l) { l.gcm_bytes = plaintext - 1; }) == "FOR_STOR");
        CHECK(limited([&](PassLimits& l) { l.gcm_bytes = plaintext; }) == "OK");
        SubmissionBuilder wide;
        wide.tpf.recipient.wrap = [](const auto&) { return Bytes(10000, 7); };
        CHECK(outcome(wide) == "GRENSE");
        SubmissionBuilder spaced;
        spaced.tpf.line_length = 4;
        spaced.tpf.line_end = std::string(200, ' ');
        const std::string document = spaced.build();
        for (const std::size_t piece : {std::size_t{0}, std::size_t{1}, std::size_t{100}}) {
            CHECK(test::run_pass(test::TestKeys(), document, {}, piece).name() == "GRENSE");
        }
    }

    TEST_CASE("cut at every byte: never a success, always the same code") {
        SubmissionBuilder builder;
        builder.persons.resize(1);
        const std::string good = builder.build();
        REQUIRE(raw(good) == "OK");
        for (std::size_t size = 0; size + 1 < good.size(); ++size) {
            const test::PassAnswer answer = test::run_pass(test::TestKeys(), std::string_view(good).substr(0, size));
            CHECK_MESSAGE(answer.name() == "AVKUTTET", "at ", size);
            CHECK_FALSE(answer.report);
        }
    }

    TEST_CASE("the TPF layer cut at every byte and sealed anew: never a success") {
        SubmissionBuilder whole;
        whole.persons.resize(1);
        const std::string layer = whole.build_stages().tpf_layer;
        for (std::size_t size = 0; size < layer.size(); size += (size < 700 || size + 120 > layer.size()) ? 1U : 7U) {
            SubmissionBuilder builder;
            builder.persons.resize(1);
            builder.edit(Stage::tpf_layer, [&](std::string& text) { text = layer.substr(0, size); });
            const std::string name = outcome(builder);
            CHECK_MESSAGE((name == "AVKUTTET" || name == "HODEFELT" || name == "ANTALL"), name, " at ", size);
        }
    }

    TEST_CASE("every single bit turned: refused, or the same output") {
        SubmissionBuilder builder;
        builder.persons.resize(1);
        std::string document = builder.build();
        const std::string good = test::run_pass(test::TestKeys(), document).output;
        REQUIRE_FALSE(good.empty());
        std::size_t same = 0;
        for (std::size_t at = 0; at < document.size(); ++at) {
            for (int bit = 0; bit < 8; ++bit) {
                const auto flip = [&] { document[at] = static_cast<char>(document[at] ^ (1 << bit)); };
                flip();
                const test::PassAnswer answer = test::run_pass(test::TestKeys(), document);
                if (answer.report) {
                    ++same;
                    CHECK_MESSAGE(answer.output == good, "bit ", bit, " of byte ", at, ": ", document.substr(at, 20));
                }
                flip();
            }
        }
        // The final line feed, and a prefix that nothing uses, may read otherwise and mean the same.
        CHECK(same < 40);
    }

    TEST_CASE("legacy keys: only from a sender that was authenticated, and every fault inside is one answer") {
        // CBC is not sealed by our own code; the fault is found before or by the padding.
        test::TestKeys keys;
        keys.message_keys.at("TPF-2026").policy =
            test::must(crypto::KeyPolicy::legacy_net(crypto::KeyTransport::rsa_1_5));
        SubmissionBuilder builder;
        builder.edit(Stage::document, [](std::string& text) {
            text = replaced(text, "http://www.w3.org/2009/xmlenc11#aes256-gcm", std::string(kXenc) + "aes256-cbc");
            const std::size_t from =
                text.find("<xenc:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#rsa-oaep\">");
            const std::size_t to = text.find("</xenc:EncryptionMethod>", from);
            text.replace(from, to - from, "<xenc:EncryptionMethod Algorithm=\"" + std::string(kXenc) + "rsa-1_5\">");
        });
        const std::string document = builder.build();
        PassOptions options;
        CHECK(test::run_pass(keys, document, options).name() == "ALGORITME");
        options.sender_authenticated = true;
        CHECK(test::run_pass(keys, document, options).name() == "DEKRYPTERING");
        CHECK_FALSE(test::run_pass(keys, document, options).authentic);
        // GCM under a legacy key, and legacy algorithms under a modern one.
        CHECK(test::run_pass(keys, SubmissionBuilder().build(), options).name() == "ALGORITME");
        CHECK(test::run_pass(test::TestKeys(), document, options).name() == "ALGORITME");
    }
}

}  // namespace
