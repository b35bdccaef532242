#include "pseudonym/message_reader.h"

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/encoding.h"
#include "pseudonym/identity_number.h"

using namespace tpf;
using namespace tpf::pseudonym;

namespace {

constexpr std::string_view kFirst = "1-a2zvgphbpxjt6iz2hfthifyui6sxg4y2";
constexpr std::string_view kSecond = "1-bywhjbbx4vmrpfg7wqxvn6e4kszqmoim";
/// The number in the message format's own example.
constexpr std::string_view kNumber = "13097248022";

std::string sealed(std::string_view content = {}) {
    const std::string text = content.empty() ? base64(Bytes(28, 0x5a)) : std::string(content);
    return R"(<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Content">)"
           R"(<xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes256-gcm"/>)"
           R"(<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedKey>)"
           R"(<xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/>)"
           R"(<ds:KeyInfo><ds:KeyName>IPLOS-2026</ds:KeyName></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>)" +
           base64(Bytes(384, 0xa5)) +
           "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>" +
           text + "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>";
}

std::string person(std::string_view pseudonyms) {
    return "<p:Person>" + std::string(pseudonyms) + sealed() + "</p:Person>";
}
std::string element(std::string_view pseudonym) {
    return "<p:Pseudonym>" + std::string(pseudonym) + "</p:Pseudonym>";
}

std::string message_of(std::initializer_list<std::string> persons, std::string_view versions = "1") {
    std::string text =
        R"(<?xml version="1.0" encoding="UTF-8"?>)"
        "\n"
        R"(<p:PseudonymisertMelding xmlns:p="urn:tpf:pseudonymisert:1" versjon="1" domene="IPLOS" nokkelversjon=")" +
        std::string(versions) +
        R"("><p:MeldingsId>7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11</p:MeldingsId><p:Meldingstype>IPLOS</p:Meldingstype>)"
        "<p:Avsender><p:Kommunenummer>0301</p:Kommunenummer><p:Bydelsnummer>00</p:Bydelsnummer>"
        "<p:Organisasjonsnummer>974761076</p:Organisasjonsnummer></p:Avsender>"
        "<p:Mottaker><p:Register>IPLOS</p:Register></p:Mottaker><p:Opprettet>2027-01-04T09:30:00Z</p:Opprettet>"
        "<p:Kontaktperson><p:Epost>kari@kommune.example</p:Epost><p:Navn>Kari Nordmann</p:Navn>"
        "<p:Mobiltelefon>+47 900 00 000</p:Mobiltelefon></p:Kontaktperson>"
        "<p:Periode><p:Fra>2026-01-01</p:Fra><p:Til>2026-12-31</p:Til></p:Periode><p:AntallPersoner>" +
        std::to_string(persons.size()) + "</p:AntallPersoner>";
    for (const std::string& one : persons) text += one;
    return text + "</p:PseudonymisertMelding>\n";
}

std::string good() {
    return message_of({person(element(kFirst)), person(element(kSecond))});
}

/// Writes down what it is told.
class Notes final : public PseudonymisedHandler {
  public:
    std::string text;
    std::string content;

    Status header(const PseudonymisedHeader& h) override {
        text += "header " + h.header.avsender.str() + " " + h.header.meldings_id.str() + " " + h.header.reg.str() +
                " " + h.domain + " " + format_utc(h.created) + " " + h.epost + " " + h.navn + " " + h.mobiltelefon +
                " " + format_date(h.period_from) + " " + format_date(h.period_to) + " " + std::to_string(h.persons) +
                " versions";
        for (const unsigned version : h.key_versions) text += " " + std::to_string(version);
        text += "\n";
        return ok();
    }
    Status person(const PseudonymisedPerson& p) override {
        text += "person " + std::to_string(p.position);
        for (const std::string& pseudonym : p.pseudonyms) text += " " + pseudonym;
        text += p.fault.empty() ? "\n" : " feil " + p.fault + "\n";
        return ok();
    }
    Status sealed_begin(const SealedData& data) override {
        text += "sealed " + data.key_name() + " " + std::to_string(data.wrapped_key().size());
        content.clear();
        return ok();
    }
    Status sealed_piece(std::string_view piece) override {
        content += piece;
        return ok();
    }
    Status sealed_end() override {
        text += " content " + std::to_string(content.size()) + "\n";
        return ok();
    }
};

Status read(std::string_view message, Notes& notes, std::size_t step = SIZE_MAX) {
    PseudonymisedReader reader(notes);
    for (std::size_t at = 0; at < message.size(); at += std::min(step, message.size() - at)) {
        TPF_TRY(reader.feed(message.substr(at, step)));
    }
    return reader.finish();
}

/// The stable name of the code that `message` ends in; "ok" when it passes.
std::string verdict(std::string_view message) {
    Notes notes;
    const Status status = read(message, notes);
    if (status) return "ok";
    CHECK_MESSAGE(status.error().text().find(kNumber) == std::string::npos, "an error text holds a number");
    return std::string(status.error().name());
}

/// The good message with one place changed.
std::string with(std::string_view from, std::string_view to) {
    std::string message = good();
    const std::size_t at = message.find(from);
    REQUIRE_MESSAGE(at != std::string::npos, "nothing to change: ", from);
    return message.replace(at, from.size(), to);
}

std::string field(std::string_view name, std::string_view value) {
    return "<p:" + std::string(name) + ">" + std::string(value) + "</p:" + std::string(name) + ">";
}

}  // namespace

TEST_SUITE("pseudonym/message_reader") {
    TEST_CASE("a message in order is told whole, however it is cut") {
        const std::string expected =
            "header 0301-00-974761076 7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11 IPLOS IPLOS 2027-01-04T09:30:00Z "
            "kari@kommune.example Kari Nordmann +4790000000 2026-01-01 2026-12-31 2 versions 1\n"
            "person 1 1-a2zvgphbpxjt6iz2hfthifyui6sxg4y2\nsealed IPLOS-2026 384 content 40\n"
            "person 2 1-bywhjbbx4vmrpfg7wqxvn6e4kszqmoim\nsealed IPLOS-2026 384 content 40\n";
        for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{100}, SIZE_MAX}) {
            Notes notes;
            const Status status = read(good(), notes, step);
            CHECK_MESSAGE(status.has_value(), step);
            CHECK(notes.text == expected);
        }
    }

    TEST_CASE("no persons, several key versions, faults") {
        CHECK(verdict(message_of({})) == "ok");
        const std::string newer = element("2-bywhjbbx4vmrpfg7wqxvn6e4kszqmoim");
        CHECK(verdict(message_of({person(newer + element(kFirst))}, "2 1")) == "ok");
        CHECK(verdict(message_of({person(R"(<p:Pseudonym feil="E30"/>)")}, "2 1")) == "ok");
        Notes notes;
        REQUIRE(read(message_of({person(R"(<p:Pseudonym feil="E31"></p:Pseudonym>)")}), notes).has_value());
        CHECK(notes.text.find("person 1 feil E31\n") != std::string::npos);
    }

    TEST_CASE("prefixes are free, white space between elements too") {
        std::string message = good();
        for (const std::string_view tag : {"<p:", "</p:"}) {
            const std::string to = std::string(tag.substr(0, tag.size() - 2)) + "melding:";
            for (std::size_t at = 0; (at = message.find(tag, at)) != std::string::npos;)
                message.replace(at, tag.size(), to);
        }
        CHECK(verdict(message) == "IKKE_XML");  // xmlns:p is still what it was
        message.replace(message.find("xmlns:p="), 8, "xmlns:melding=");
        CHECK(verdict(message) == "ok");
        CHECK(verdict(with("<p:Mottaker>", "\n  <p:Mottaker>\t")) == "ok");
    }

    TEST_CASE("root, version, domain, key versions") {
        CHECK(verdict(with("urn:tpf:pseudonymisert:1", "urn:tpf:pseudonymisert:2")) == "ROT");
        CHECK(verdict(with(R"( versjon="1")", R"( versjon="2")")) == "ROT");
        CHECK(verdict(with(R"( versjon="1")", "")) == "ROT");
        CHECK(verdict(with(R"( domene="IPLOS")", R"( domene="KPR")")) == "FELTFORM");
        CHECK(verdict(with(R"( domene="IPLOS")", R"( domene="iplos")")) == "FELTFORM");
        for (const char* list : {"", "0", "01", "1 2", "1 1", "2  1", " 1", "1 ", "x", "1,2", "-1", "1234567"}) {
            CHECK_MESSAGE(verdict(message_of({}, list)) == "FELTFORM", list);
        }
        CHECK(verdict(message_of({}, "130972 48022")) == "IDENTITET");
        CHECK(verdict(with(R"( domene=)", R"( ekstra="1" domene=)")) == "IKKE_TILLATT");
    }

    TEST_CASE("header fields: missing, twice, out of order, of wrong form") {
        CHECK(verdict(with(field("Meldingstype", "IPLOS"), "")) == "HODEFELT");
        CHECK(verdict(with("<p:Mottaker>", field("Meldingstype", "IPLOS") + "<p:Mottaker>")) == "HODEFELT");
        CHECK(verdict(with(field("AntallPersoner", "2"), "")) == "HODEFELT");
        CHECK(verdict(with("7f1c0c2e-6c3b-4f0e", "7F1C0C2E-6C3B-4F0E")) == "FELTFORM");
        CHECK(verdict(with(field("Meldingstype", "IPLOS"), field("Meldingstype", "Annet"))) == "FELTFORM");
        CHECK(verdict(with(field("Kommunenummer", "0301"), field("Kommunenummer", "301"))) == "KOMMUNENUMMER");
        CHECK(verdict(with(field("Bydelsnummer", "00"), field("Bydelsnummer", "0"))) == "FELTFORM");
        CHECK(verdict(with("974761076", "974761077")) == "FELTFORM");
        CHECK(verdict(with(field("Register", "IPLOS"), field("Register", "KPR"))) == "FELTFORM");
        CHECK(verdict(with("2027-01-04T09:30:00Z", "2027-01-04 09:30:00")) == "FELTFORM");
        CHECK(verdict(with("kari@kommune.example", "kari")) == "FELTFORM");
        CHECK(verdict(with("Kari Nordmann", "")) == "FELTFORM");
        CHECK(verdict(with("+47 900 00 000", "900")) == "FELTFORM");
        CHECK(verdict(with("2026-12-31", "2026-02-30")) == "FELTFORM");
        CHECK(verdict(with(field("AntallPersoner", "2"), field("AntallPersoner", "02"))) == "FELTFORM");
    }

    TEST_CASE("what the format does not name") {
        CHECK(verdict(with("<p:Mottaker>", "<p:Merknad/><p:Mottaker>")) == "IKKE_TILLATT");
        CHECK(verdict(with("<p:Mottaker>", "tekst<p:Mottaker>")) == "IKKE_TILLATT");
        CHECK(verdict(with("<p:Mottaker>", "<!-- x --><p:Mottaker>")) == "IKKE_TILLATT");
        CHECK(verdict(with("IPLOS</p:Meldingstype>", "<![CDATA[IPLOS]]></p:Meldingstype>")) == "IKKE_TILLATT");
        CHECK(verdict(with("<p:PseudonymisertMelding", "<!DOCTYPE x><p:PseudonymisertMelding")) == "IKKE_TILLATT");
        CHECK(verdict(with("<p:Person>", "<p:Person><p:Navn>x</p:Navn>")) == "IKKE_TILLATT");
        CHECK(verdict(with("<p:Pseudonym>", R"(<p:Pseudonym feil="E99">)")) == "IKKE_TILLATT");
        CHECK(verdict(with("<xenc:EncryptedKey>", R"(<xenc:EncryptedKey Recipient="x">)")) == "REGISTERLAG");
        CHECK(verdict(with("<ds:KeyName>", "<ds:KeyValue/><ds:KeyName>")) == "REGISTERLAG");
    }

    TEST_CASE("not well-formed, cut, followed by something") {
        CHECK(verdict(with("</p:Navn>", "</p:Epost>")) == "IKKE_XML");
        CHECK(verdict("") == "AVKUTTET");
        const std::string message = good();
        for (std::size_t size = 0; size + 1 < message.size(); size += 13) {
            CHECK_MESSAGE(verdict(std::string_view(message).substr(0, size)) != "ok", size);
        }
        CHECK(verdict(message + "\n \t") == "ok");
        CHECK(verdict(message + "<x/>") == "ETTER_SLUTT");
        CHECK(verdict(with("Kari", "\xc3\x28")) == "TEGNSETT");
    }

    TEST_CASE("persons: count, pseudonyms, order of versions") {
        CHECK(verdict(with(field("AntallPersoner", "2"), field("AntallPersoner", "1"))) == "ANTALL");
        CHECK(verdict(with(field("AntallPersoner", "2"), field("AntallPersoner", "3"))) == "ANTALL");
        CHECK(verdict(message_of({"<p:Person>" + element(kFirst) + "</p:Person>"})) == "UTEN_DATA");
        CHECK(verdict(message_of({person("")})) == "FELTFORM");
        CHECK(verdict(message_of({person(element(kFirst) + element(kSecond))})) == "FELTFORM");
        const std::string newer = element("2-bywhjbbx4vmrpfg7wqxvn6e4kszqmoim");
        CHECK(verdict(message_of({person(newer)}, "2 1")) == "FELTFORM");
        CHECK(verdict(message_of({person(element(kFirst) + newer)}, "2 1")) == "FELTFORM");
        CHECK(verdict(message_of({person(newer)})) == "FELTFORM");
        const std::string fault = R"(<p:Pseudonym feil="E30"/>)";
        CHECK(verdict(message_of({person(fault + fault)}, "2 1")) == "FELTFORM");
        CHECK(verdict(message_of({person(fault + element(kFirst))}, "2 1")) == "FELTFORM");
        CHECK(verdict(message_of({person(newer + fault)}, "2 1")) == "FELTFORM");
        CHECK(verdict(message_of({person(R"(<p:Pseudonym feil="E30">x</p:Pseudonym>)")})) == "FELTFORM");
        for (const char* wrong : {"", "1-", "a2zvgphbpxjt6iz2hfthifyui6sxg4y2", "01-a2zvgphbpxjt6iz2hfthifyui6sxg4y2",
                                  "1-A2ZVGPHBPXJT6IZ2HFTHIFYUI6SXG4Y2", "1-a2zvgphbpxjt6iz2hfthifyui6sxg4y",
                                  "1-a2zvgphbpxjt6iz2hfthifyui6sxg4y22", "1-a2zvgphbpxjt6iz2hfthifyui6sxg4y1",
                                  "1 a2zvgphbpxjt6iz2hfthifyui6sxg4y2"}) {
            CHECK_MESSAGE(verdict(message_of({person(element(wrong))})) == "FELTFORM", wrong);
        }
    }

    TEST_CASE("an identity number is found wherever it stands") {
        const std::string number(kNumber);
        const std::string spaced = "130972 480 22";
        CHECK(verdict(with("Kari Nordmann", "Kari " + spaced)) == "IDENTITET");
        CHECK(verdict(with("+47 900 00 000", number)) == "IDENTITET");
        CHECK(verdict(with("7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11", number)) == "IDENTITET");
        CHECK(verdict(with(field("Register", "IPLOS"), field("Register", number))) == "IDENTITET");
        CHECK(verdict(with(field("Kommunenummer", "0301"), field("Kommunenummer", number))) == "IDENTITET");
        CHECK(verdict(with(field("AntallPersoner", "2"), field("AntallPersoner", number))) == "IDENTITET");
        CHECK(verdict(with("IPLOS-2026</ds:KeyName>", number + "</ds:KeyName>")) == "IDENTITET");
        CHECK(verdict(with("<ds:KeyName>IPLOS", "<ds:KeyName>IPLOS " + spaced)) == "IDENTITET");
        CHECK(verdict(message_of({person(element(number))})) == "IDENTITET");
        CHECK(verdict(message_of({person(element("1-" + number))})) == "IDENTITET");
        CHECK(verdict(message_of({person(R"(<p:Pseudonym feil="E30">)" + number + "</p:Pseudonym>")})) == "IDENTITET");
        CHECK(verdict(with("<p:Person>", R"(<p:Person xmlns:x="urn:)" + number + R"(">)")) == "IDENTITET");
        CHECK(verdict(with("<p:Person>", "<p:Person xmlns:n" + number + R"(="urn:x">)")) == "IDENTITET");
        CHECK(verdict(with("<xenc:CipherData>", R"(<xenc:CipherData xmlns="urn:)" + number + R"(">)")) == "IDENTITET");
    }

    TEST_CASE("what looks like a number by chance, in a value of its own form, is none") {
        // Eleven digits of base32 that pass the check of a fødselsnummer; a UUID's digits; a telephone number.
        const std::string digits = "1-22522222732aaaaaaaaaaaaaaaaaaaaa";
        REQUIRE(holds_identity_number(digits));
        CHECK(verdict(message_of({person(element(digits))})) == "ok");
        CHECK(verdict(with("+47 900 00 000", "004790000000")) == "ok");
        CHECK(verdict(with("7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11", "12345678-9012-4345-8901-234567890123")) == "ok");
    }

    TEST_CASE("sealed data: base64 in its one form, long enough, known algorithms, a key name") {
        const auto sealed_as = [](std::string_view content) {
            return message_of({"<p:Person>" + element(kFirst) + sealed(content) + "</p:Person>"});
        };
        CHECK(verdict(sealed_as(base64(Bytes(28, 0)))) == "ok");
        CHECK(verdict(sealed_as("  AAAAAAAA\r\n" + base64(Bytes(28, 0)) + "\n")) == "ok");
        CHECK(verdict(sealed_as("AAAA&#13;&#xD;" + base64(Bytes(28, 0)))) == "ok");
        CHECK(verdict(sealed_as(base64(Bytes(27, 0)))) == "REGISTERLAG");
        CHECK(verdict(sealed_as(" ")) == "REGISTERLAG");
        CHECK(verdict(sealed_as("A" + base64(Bytes(28, 0)))) == "BASE64");
        CHECK(verdict(sealed_as(base64(Bytes(30, 0)) + "AB==")) == "BASE64");
        CHECK(verdict(sealed_as(base64(Bytes(28, 0)) + "AAAA")) == "BASE64");
        CHECK(verdict(sealed_as(base64(Bytes(30, 0)) + "_-_-")) == "BASE64");
        CHECK(verdict(with("xmlenc11#aes256-gcm", "xmlenc11#aes192-gcm")) == "ALGORITME");
        CHECK(verdict(with("xmlenc#rsa-oaep-mgf1p", "xmlenc#kw-aes256")) == "ALGORITME");
        CHECK(verdict(with("IPLOS-2026</ds:KeyName>", "IPLOS 2026</ds:KeyName>")) == "REGISTERLAG");
        CHECK(verdict(with(R"(Type="http://www.w3.org/2001/04/xmlenc#Content")", R"(Type="x")")) == "REGISTERLAG");
    }

    TEST_CASE("an error of the handler ends the reading") {
        class Refuses final : public PseudonymisedHandler {
          public:
            Status header(const PseudonymisedHeader&) override { return fail(Code::unknown_register); }
            Status person(const PseudonymisedPerson&) override { return ok(); }
            Status sealed_begin(const SealedData&) override { return ok(); }
            Status sealed_piece(std::string_view) override { return ok(); }
            Status sealed_end() override { return ok(); }
        } refuses;
        PseudonymisedReader reader(refuses);
        const Status status = reader.feed(good());
        REQUIRE(!status.has_value());
        CHECK(status.error().code() == Code::unknown_register);
    }
}
