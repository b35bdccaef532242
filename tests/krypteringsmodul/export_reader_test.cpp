// What an export file may be, and each text that the sender reads when it is not that.

#include "krypteringsmodul/export_reader.h"

#include <doctest/doctest.h>

#include "base/clock.h"
#include "base/transcode.h"
#include "tests/krypteringsmodul/export_text.h"

using namespace tpf;
using namespace tpf::test;
using namespace tpf::krypteringsmodul;

TEST_SUITE_BEGIN("krypteringsmodul/export_reader");

namespace {

// Text with letters that every encoding writes in its own way, and all that content may hold.
const std::string kContent =
    "\r\n <Navn a='1' b=\"&lt;&#xE5;\">B\xc3\xa5tsfj\xc3\xb8rd &amp; \xc3\xa6</Navn><!-- merknad --><?pi x?>"
    "<![CDATA[<ikke/>]]><x:y xmlns:x=\"urn:x\"><x:z/></x:y><Person><Fodselsnummer/></Person>\t";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

std::string latin1(std::string_view utf8) {
    std::string out;
    for (std::size_t i = 0; i < utf8.size(); ++i) {
        const auto c = static_cast<unsigned char>(utf8[i]);
        if (c < 0x80) {
            out += utf8[i];
        } else {
            out += static_cast<char>((c & 0x3) << 6 | (static_cast<unsigned char>(utf8[++i]) & 0x3f));
        }
    }
    return out;
}

std::string utf16le(std::string_view utf8) {
    auto out = to_utf16le(utf8);
    REQUIRE(out);
    return std::move(out).value();
}

std::string utf16be(std::string_view utf8) {
    std::string out = utf16le(utf8);
    for (std::size_t i = 0; i + 1 < out.size(); i += 2) std::swap(out[i], out[i + 1]);
    return out;
}

/// The header with one field's element taken out.
std::string header_without(std::string_view name) {
    const std::string header(kHeader);
    const std::string open = "<" + std::string(name) + ">";
    const std::string close = "</" + std::string(name) + ">";
    const std::size_t from = header.find(open);
    const std::size_t to = header.find(close) + close.size();
    return header.substr(0, from) + header.substr(to);
}

std::string header_with(std::string_view name, std::string_view value) {
    const std::string header(kHeader);
    const std::string open = "<" + std::string(name) + ">";
    const std::size_t from = header.find(open) + open.size();
    const std::size_t to = header.find("</" + std::string(name) + ">");
    return header.substr(0, from) + std::string(value) + header.substr(to);
}

}  // namespace

TEST_CASE("header and persons as they stand, whatever the pieces") {
    const std::string text =
        document(kHeader, person(" 13097248022\n", kContent) + person("", "") + "<Person><Fodselsnummer/></Person>");
    for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{1000}, text.size()}) {
        CAPTURE(piece);
        Collector all;
        REQUIRE(read_export(text, all, {}, piece) == "");
        REQUIRE(all.headers.size() == 1);
        CHECK(all.headers[0].avsender.str() == "0301-00-974761076");
        CHECK(all.headers[0].reg.str() == "IPLOS");
        CHECK(format_date(all.headers[0].to) == "2026-12-31");
        REQUIRE(all.persons.size() == 3);
        CHECK(all.persons[0].number == "13097248022");
        CHECK(all.persons[0].content == kContent);
        CHECK(all.persons[1].number == "");
        CHECK(all.persons[1].content == "");
        CHECK(all.persons[2].number == "");
    }
}

TEST_CASE("every encoding gives the same persons, byte for byte") {
    const std::string persons = person("13097248022", kContent) + person("2", "<\xc3\xa5/>");
    const auto contents = [](const std::string& bytes) {
        std::string out;
        for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, bytes.size()}) {
            Collector all;
            CHECK(read_export(bytes, all, {}, piece) == "");
            for (const auto& p : all.persons) out += p.number + "|" + p.content + "|";
        }
        return out;
    };
    const std::string expected = contents(document(kHeader, persons));
    CHECK(expected.size() > 3 * kContent.size());
    CHECK(contents("\xef\xbb\xbf" + document(kHeader, persons)) == expected);
    CHECK(contents("\xef\xbb\xbf" + document(kHeader, persons, "utf-8")) == expected);
    // A second byte order mark: the two readings would not count from the same place.
    const std::string no_iplos = told_of("<annet/>");
    CHECK(no_iplos != "");
    CHECK(told_of("\xef\xbb\xbf\xef\xbb\xbf" + document(kHeader, persons)) == no_iplos);
    CHECK(told_of("\xef\xbb\xbf\xef\xbb\xbf" + document(kHeader, persons, "utf-8")) == no_iplos);
    CHECK(told_of(utf16le("\xef\xbb\xbf" + document(kHeader, persons, "utf-8"))) == no_iplos);
    CHECK(contents("<IPLOS versjon='3.0'>" + std::string(kHeader) + persons + "</IPLOS>") == expected);
    CHECK(contents(latin1(document(kHeader, persons, "ISO-8859-1"))) == expected);
    CHECK(contents(latin1(document(kHeader, persons, "iso-8859-1"))) == expected);
    CHECK(contents(utf16le(document(kHeader, persons, "UTF-16"))) == expected);
    CHECK(contents(utf16be(document(kHeader, persons, "utf-16"))) == expected);
    CHECK(contents(utf16le("<IPLOS versjon='3.0'>" + std::string(kHeader) + persons + "</IPLOS>")) == expected);
}

TEST_CASE("encodings that contradict, are unknown or broken") {
    const std::string contradiction = "Feil: IPLOS filens XML-deklarasjon oppgir et annet tegnsett enn filens BOM.";
    const std::string unknown =
        "Feil: IPLOS filen oppgir et ukjent tegnsett. Bruk UTF-8, UTF-16 med BOM eller ISO-8859-1.";
    CHECK(told_of(utf16le(document(kHeader, "", "UTF-8"))) == contradiction);
    CHECK(told_of(utf16le(document(kHeader, "", "UTF-16BE"))) == contradiction);
    CHECK(told_of("\xef\xbb\xbf" + document(kHeader, "", "ISO-8859-1")) == contradiction);
    CHECK(told_of("\xef\xbb\xbf" + document(kHeader, "", "UTF-16")) == contradiction);
    CHECK(told_of(document(kHeader, "", "windows-1252")) == unknown);
    CHECK(told_of("\xef\xbb\xbf" + document(kHeader, "", "windows-1252")) == unknown);
    CHECK(told_of(document(kHeader, "", "UTF-16")) ==
          "Feil: IPLOS filen oppgir tegnsettet UTF-16, men mangler BOM (byte order mark).");
    CHECK(told_of(utf16le(document(kHeader, "", "UTF-16")).substr(2)) ==
          "Feil: IPLOS filen ser ut til å være UTF-16, men mangler BOM (byte order mark).");
    CHECK(told_of(latin1(document(kHeader, person("", "<a>\xc3\xa5</a>")))) ==
          "Feil: IPLOS filen har ugyldige tegn (ved linje 7).");
    const std::string cut = utf16le(document(kHeader, "", "UTF-16"));
    CHECK(told_of(cut + '\x20') == "Feil: IPLOS filen slutter midt i et tegn.");
    CHECK(told_of(cut + std::string("\x00\xdc", 2)) == "Feil: IPLOS filen har ugyldige tegn (ved linje 8).");
}

TEST_CASE("the root element and its version") {
    const std::string no_iplos = "Feltet \"IPLOS\" mangler";
    CHECK(told_of("") == no_iplos);
    CHECK(told_of(" \n") == no_iplos);
    CHECK(told_of("dette er ikke XML") == no_iplos);
    CHECK(told_of("<Melding/>") == no_iplos);
    CHECK(told_of("<IPLOS xmlns='urn:x' versjon='3.7'/>") == no_iplos);
    CHECK(told_of("<x:IPLOS xmlns:x='urn:x' versjon='3.7'/>") == no_iplos);
    const std::string version =
        "Ugyldig versjonsnummer for IPLOS meldingen. Kontakt leverandøren av fagsystemet som genererte IPLOS meldingen";
    CHECK(told_of("<IPLOS/>") == version);
    CHECK(told_of("<IPLOS versjon=''/>") == version);
    CHECK(told_of("<IPLOS versjon='3.1'/>") == version);
    CHECK(told_of("<IPLOS Versjon='3.7'/>") == version);
    CHECK(told_of(replaced(document(kHeader, ""), "versjon=", "ekstra='' versjon=")) ==
          "Feil: Feltet IPLOS har et ukjent attributt (linje 2).");
}

TEST_CASE("the first missing field is named, in document order") {
    const auto missing = [](std::string_view path) {
        return "IPLOS filen er mangelfull: Følgende felt mangler " + std::string(path);
    };
    const std::pair<const char*, const char*> fields[] = {
        {"Meldingstype", "IPLOS\\Meldingstype"},
        {"Avsender", "IPLOS\\Avsender"},
        {"Kommunenummer", "IPLOS\\Avsender\\Kommunenummer"},
        {"Bydelsnummer", "IPLOS\\Avsender\\Bydelsnummer"},
        {"Organisasjonsnummer", "IPLOS\\Avsender\\Organisasjonsnummer"},
        {"Mottaker", "IPLOS\\Mottaker"},
        {"Register", "IPLOS\\Mottaker\\Register"},
        {"Periode", "IPLOS\\Periode"},
        {"Fra", "IPLOS\\Periode\\Fra"},
        {"Til", "IPLOS\\Periode\\Til"},
    };
    for (const auto& field : fields) {
        const auto& name = field.first;  // clang captures no structured binding
        const auto& path = field.second;
        CAPTURE(name);
        CHECK(told_of(document(header_without(name), person("1", ""))) == missing(path));
        CHECK(told_of(document(header_without(name), "")) == missing(path));
        // Misspelled is missing too.
        std::string misspelled = replaced(std::string(kHeader), "<" + std::string(name) + ">", "<Feilskrevet>");
        misspelled = replaced(misspelled, "</" + std::string(name) + ">", "</Feilskrevet>");
        CHECK(told_of(document(misspelled, "")) == missing(path));
    }
    CHECK(told_of("<IPLOS versjon='3.7'/>") == missing("IPLOS\\Meldingstype"));
    CHECK(told_of(document("", person("1", ""))) == missing("IPLOS\\Meldingstype"));
    CHECK(told_of(document(kHeader, "<Person/>")) == missing("IPLOS\\Person\\Fodselsnummer"));
    CHECK(told_of(document(kHeader, "<Person><Navn/></Person>")) == missing("IPLOS\\Person\\Fodselsnummer"));
    CHECK(told_of(document(kHeader, "<Person>x<Fodselsnummer/></Person>")) == missing("IPLOS\\Person\\Fodselsnummer"));
    CHECK(told_of(document(kHeader, "<Person><x:Fodselsnummer xmlns:x='urn:x'/></Person>")) ==
          missing("IPLOS\\Person\\Fodselsnummer"));
    CHECK(told_of(document(kHeader, "<Person><!-- x --><Fodselsnummer/></Person>")) == "");
}

TEST_CASE("fields in the wrong place, unknown ones, wrong forms; never a value") {
    CHECK(told_of(document(std::string(kHeader) + "<Ekstra>1</Ekstra>", "")) ==
          "Feil: Ukjent felt IPLOS\\Ekstra (linje 7).");
    CHECK(told_of(document(header_with("Avsender",
                                       "<Ny/><Kommunenummer>0301</Kommunenummer><Bydelsnummer>00</Bydelsnummer>"
                                       "<Organisasjonsnummer>974761076</Organisasjonsnummer>"),
                           "")) == "Feil: Ukjent felt IPLOS\\Avsender\\Ny (linje 4).");
    CHECK(told_of(document(std::string(kHeader) + "<A13097248022/>", "")) ==
          "Feil: Ukjent felt IPLOS\\(skjult) (linje 7).");
    CHECK(told_of(document(std::string(kHeader) + "<Meldingstype>IPLOS</Meldingstype>", "")) ==
          "Feil: Feltet IPLOS\\Meldingstype står to ganger (linje 7).");
    CHECK(told_of(document(header_without("Meldingstype") + "<Meldingstype>IPLOS</Meldingstype>", "")) ==
          "Feil: Feltet IPLOS\\Meldingstype står på feil plass (linje 7).");
    CHECK(told_of(document(kHeader, person("1", "") + "<Meldingstype>IPLOS</Meldingstype>")) ==
          "Feil: Feltet IPLOS\\Meldingstype står etter den første personen (linje 8).");
    CHECK(told_of(document(kHeader, person("1", "") + "tekst")) ==
          "Feil: IPLOS filen har tekst mellom feltene (ved linje 7).");
    CHECK(told_of(document("x" + std::string(kHeader), "")) ==
          "Feil: IPLOS filen har tekst mellom feltene (ved linje 2).");
    CHECK(told_of(document(header_with("Register", "IP<b/>LOS"), "")) ==
          "Feil: Feltet IPLOS\\Mottaker\\Register skal ikke inneholde andre felt (linje 5).");
    CHECK(told_of(document(replaced(std::string(kHeader), "<Fra>", "<Fra x='1'>"), "")) ==
          "Feil: Feltet IPLOS\\Periode\\Fra skal ikke ha attributter (linje 6).");

    const auto told = [](std::string_view name, std::string_view value) {
        return told_of(document(header_with(name, value), ""));
    };
    CHECK(told("Meldingstype", "iplos") == "Feil: Feltet IPLOS\\Meldingstype skal være IPLOS eller KPR.");
    CHECK(told("Kommunenummer", "301") == "Feil: Feltet IPLOS\\Avsender\\Kommunenummer skal være fire siffer.");
    CHECK(told("Kommunenummer", "") == "Feil: Feltet IPLOS\\Avsender\\Kommunenummer skal være fire siffer.");
    CHECK(told("Bydelsnummer", "0A") == "Feil: Feltet IPLOS\\Avsender\\Bydelsnummer skal være to siffer.");
    CHECK(told("Organisasjonsnummer", "974761077") ==
          "Feil: Feltet IPLOS\\Avsender\\Organisasjonsnummer skal være ni siffer med gyldig kontrollsiffer.");
    CHECK(told("Register", "Iplos") ==
          "Feil: Feltet IPLOS\\Mottaker\\Register skal være to til tolv store bokstaver A-Z.");
    CHECK(told("Fra", "2026-02-30") == "Feil: Feltet IPLOS\\Periode\\Fra skal være en dato på formen ÅÅÅÅ-MM-DD.");
    CHECK(told("Til", "31.12.2026") == "Feil: Feltet IPLOS\\Periode\\Til skal være en dato på formen ÅÅÅÅ-MM-DD.");
    CHECK(told("Register", std::string(5000, 'A')) == "Feil: Feltet IPLOS\\Mottaker\\Register er for langt (linje 5).");
    CHECK(told("Register", " <!-- x --><![CDATA[IPL]]>O&#83; ") == "");
}

TEST_CASE("tags that do not match, with both lines") {
    CHECK(told_of(document(kHeader, "<Person>\n<Fodselsnummer>\n</Person>")) ==
          "Feil i innholdet i IPLOS filen: Starten på feltet Fodselsnummer på linje 8 stemmer ikke med avslutningen "
          "Person "
          "på linje 9.");
    CHECK(
        told_of(document(kHeader, person("1", "\n<A><B>\n\n</A>"))) ==
        "Feil i innholdet i IPLOS filen: Starten på feltet B på linje 8 stemmer ikke med avslutningen A på linje 10.");
}

TEST_CASE("what is not well-formed, or over a limit") {
    CHECK(told_of(document(kHeader, person("1", "a & b"))) == "Feil: IPLOS filen er ikke gyldig XML (ved linje 7).");
    CHECK(told_of(document(kHeader, person("1", "<a b=1/>"))) == "Feil: IPLOS filen er ikke gyldig XML (ved linje 7).");
    CHECK(told_of(document(kHeader, person("1", "&egen;"))) == "Feil: IPLOS filen er ikke gyldig XML (ved linje 7).");
    CHECK(told_of("<!DOCTYPE IPLOS><IPLOS versjon='3.7'/>") ==
          "Feil: IPLOS filen har en DOCTYPE eller lignende, som ikke er tillatt (ved linje 1).");
    const std::string whole = document(kHeader, person("1", "<a/>"));
    CHECK(told_of(whole.substr(0, whole.size() - 10)) ==
          "Feil: IPLOS filen er ikke komplett: den slutter før feltet IPLOS er avsluttet (ved linje 7).");
    CHECK(told_of(whole + "<b/>") == "Feil: IPLOS filen har innhold etter at feltet IPLOS er avsluttet (ved linje 9).");
    CHECK(told_of(whole + "<!-- slutt -->\n<?x y?>\n") == "");
    std::string deep;
    for (int i = 0; i < 300; ++i) deep += "<a>";
    CHECK(told_of(document(kHeader, person("1", deep))) ==
          "Feil: IPLOS filen overskrider en grense for nivåer, navn eller attributter (ved linje 7).");
    Collector all;
    ReadOptions options;
    options.max_person_bytes = 1 << 20;
    CHECK(read_export(document(kHeader, person("1", std::string(1 << 20, 'x'))), all, options) == "");
    CHECK(read_export(document(kHeader, person("1", std::string((1 << 20) + 1, 'x'))), all, options) ==
          "Feil: Person nummer 1 (linje 7) er større enn 1 MiB. Grensen kan heves med --maks-person-mib.");
    options.contents = false;
    CHECK(read_export(document(kHeader, person("1", std::string((1 << 20) + 1, 'x'))), all, options) ==
          "Feil: Person nummer 1 (linje 7) er større enn 1 MiB. Grensen kan heves med --maks-person-mib.");
}

TEST_CASE("every cut of a file is an error") {
    const std::string whole = document(kHeader, person("13097248022", kContent) + person("", "<a/>"));
    const std::size_t last = whole.rfind('>');
    for (std::size_t size = 0; size <= last; ++size) {
        CAPTURE(size);
        CHECK(told_of(whole.substr(0, size)) != "");
    }
}

TEST_CASE("Fodselsnummer: its length, and nothing inside") {
    CHECK(told_of(document(kHeader, person(std::string(32, '1'), ""))) == "");
    CHECK(told_of(document(kHeader, person(" \xc3\xa5" + std::string(31, '1') + " ", ""))) == "");
    CHECK(told_of(document(kHeader, person(std::string(33, '1'), ""))) ==
          "Feil: Feltet IPLOS\\Person\\Fodselsnummer er lengre enn 32 tegn (linje 7).");
    CHECK(told_of(document(kHeader, person(std::string(5000, ' '), ""))) ==
          "Feil: Feltet IPLOS\\Person\\Fodselsnummer er for langt (linje 7).");
    CHECK(told_of(document(kHeader, person("1<b/>", ""))) ==
          "Feil: Feltet IPLOS\\Person\\Fodselsnummer skal ikke inneholde andre felt (linje 7).");
    CHECK(told_of(document(kHeader, "<Person><Fodselsnummer a='1'/></Person>")) ==
          "Feil: Feltet IPLOS\\Person\\Fodselsnummer skal ikke ha attributter (linje 7).");
    CHECK(told_of(document(kHeader, "<Person id='1'><Fodselsnummer/></Person>")) ==
          "Feil: Feltet IPLOS\\Person skal ikke ha attributter (linje 7).");
    CHECK(told_of(document(kHeader, "<Person xmlns:x='urn:x'><Fodselsnummer/></Person>")) ==
          "Feil: Feltet IPLOS\\Person skal ikke ha attributter (linje 7).");
    Collector all;
    CHECK(read_export(document(kHeader, person("130<!-- x -->97&#50;<![CDATA[48022]]>", "")), all) == "");
    CHECK(all.persons.at(0).number == "13097248022");
}

TEST_CASE("content stands alone") {
    const auto with_root = [](std::string_view content) {
        return replaced(document(kHeader, person("1", content)), "<IPLOS ", "<IPLOS xmlns:x='urn:x' xmlns:y='urn:y' ");
    };
    const std::string told =
        "Feil: Innholdet i IPLOS\\Person bruker et navneromsprefiks som er deklarert utenfor IPLOS\\Person (linje 7). "
        "Prefikset må deklareres i personens eget innhold.";
    CHECK(told_of(with_root("<a/>")) == "");
    CHECK(told_of(with_root("<x:a/>")) == told);
    CHECK(told_of(with_root("<a x:b='1'/>")) == told);
    CHECK(told_of(with_root("<x:a xmlns:x='urn:z'/>")) == "");
    CHECK(told_of(with_root("<x:a xmlns:x='urn:z'/><x:a/>")) == told);
    CHECK(told_of(with_root("<x:a xmlns:x='urn:z'><b><x:c/></b></x:a>")) == "");
    CHECK(told_of(with_root("<x:a xmlns:x='urn:z'><y:c/></x:a>")) == told);
    CHECK(told_of(with_root("<a xml:lang='nb'/>")) == "");
    CHECK(told_of(with_root("<a xmlns='urn:z'/>")) == "");
}

TEST_CASE("a person's own number in that person's content") {
    const std::string told =
        "Feil: Person nummer 1 (linje 7) har sitt eget fødselsnummer også i et annet felt. Det må fjernes der.";
    const char* const leaks[] = {
        "<a>13097248022</a>",
        "<a>x13097248022y</a>",
        "<a>113097248022</a>",
        "<a b='13097248022'/>",
        "<a b='130972&#52;8022'/>",
        "<a>1309724&#x38;022</a>",
        "<a>130972<![CDATA[48022]]></a>",
        "<a>130972<!-- -->48022</a>",
        "<!-- 13097248022 -->",
        "<?pi 13097248022?>",
        "<x13097248022/>",
        "<a xmlns:b='urn:13097248022'/>",
        "<a>130972 48022</a>",
        "<a>130972-48022</a>",
        "<a>13.09.72 48022</a>",
        ("<a>130972\xc2\xa0"
         "48022</a>"),
        "<Fodselsdato>130972</Fodselsdato>\n<Personnummer>48022</Personnummer>",
        "<a>1301309724802</a><b>2</b>",
        "<a b='130972' c='48022'/>",
    };
    for (const char* const content : leaks) {
        CAPTURE(std::string(content));
        CHECK(told_of(document(kHeader, person("13097248022", content))) == told);
        CHECK(told_of(document(kHeader, person("13097248022", content)), 1) == told);
        CHECK(told_of(document(kHeader, person("130972 48022", content))) == told);
        // Another person's number is the register's business, and the next person starts anew.
        CHECK(told_of(document(kHeader, person("29029648784", content) + person("13097248022", ""))) == "");
    }
    for (const char* const content :
         {"<a>1309724802</a>", "<a>130972x48022</a>", "<a>13097248023</a>", "<a>3097248022</a>"}) {
        CAPTURE(std::string(content));
        CHECK(told_of(document(kHeader, person("13097248022", content))) == "");
    }
    // What is no identity number may stand anywhere.
    CHECK(told_of(document(kHeader, person("1", "<a>1</a>"))) == "");
    CHECK(told_of(document(kHeader, person("", "<a>1</a>"))) == "");
}

TEST_SUITE_END();
