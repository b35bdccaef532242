// The pass from submission to pseudonymised message: what comes out, to the byte, and what it costs to get it wrong is
// in bad_input_test.cpp.
#include "pseudonym/pass.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/support/pass_harness.h"

using namespace tpf;
using namespace tpf::pseudonym;
using test::replaced;
using test::SubmissionBuilder;
using Stage = SubmissionBuilder::Stage;

namespace {

constexpr const char* kXmlns =
    " xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" xmlns:i=\"urn:tpf:innsending:1\""
    " xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\"";

/// What stands between the root's start tag and the first person, for the builder's defaults; 2 persons.
std::string expected_head(const std::string& p = "p", const std::string& antall = "2") {
    std::string text =
        "<p:MeldingsId>7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11</p:MeldingsId><p:Meldingstype>IPLOS</p:Meldingstype>"
        "<p:Avsender><p:Kommunenummer>0301</p:Kommunenummer><p:Bydelsnummer>00</p:Bydelsnummer>"
        "<p:Organisasjonsnummer>974761076</p:Organisasjonsnummer></p:Avsender>"
        "<p:Mottaker><p:Register>IPLOS</p:Register></p:Mottaker><p:Opprettet>2027-01-04T09:30:00Z</p:Opprettet>"
        "<p:Kontaktperson><p:Epost>kari@kommune.example</p:Epost><p:Navn>Kari Nordmann</p:Navn>"
        "<p:Mobiltelefon>+4799999999</p:Mobiltelefon></p:Kontaktperson>"
        "<p:Periode><p:Fra>2026-01-01</p:Fra><p:Til>2026-12-31</p:Til></p:Periode>"
        "<p:AntallPersoner>" +
        antall + "</p:AntallPersoner>";
    for (std::size_t at = 0; (at = text.find("p:", at)) != std::string::npos; at += p.size() + 1)
        text.replace(at, 1, p);
    return text;
}

std::string expected_root(const std::string& declarations, const std::string& versions = "1") {
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<p:PseudonymisertMelding xmlns:p=\"urn:tpf:pseudonymisert:1\"" +
           declarations + " versjon=\"1\" domene=\"IPLOS\" nokkelversjon=\"" + versions + "\">";
}

std::string person(const std::string& pseudonym, const std::string& sealed) {
    return "<p:Person><p:Pseudonym>" + pseudonym + "</p:Pseudonym>" + sealed + "</p:Person>";
}

constexpr const char* kFirst = "1-a2zvgphbpxjt6iz2hfthifyui6sxg4y2";
constexpr const char* kSecond = "1-afm52qt4umrozpahuharfxghwil7iwvx";

TEST_SUITE("pseudonym/pass") {
    TEST_CASE("the output, to the byte, however the input is cut") {
        const test::TestKeys keys;
        const test::Submission made = SubmissionBuilder().build_stages();
        const std::string expected = expected_root(kXmlns) + expected_head() + person(kFirst, made.sealed[0]) +
                                     person(kSecond, made.sealed[1]) + "</p:PseudonymisertMelding>\n";
        for (const std::size_t piece : {std::size_t{0}, std::size_t{1}, std::size_t{13}, std::size_t{1000}}) {
            const test::PassAnswer answer = test::run_pass(keys, made.document, {}, piece);
            REQUIRE(answer.name() == "OK");
            CHECK(answer.output == expected);
            CHECK(answer.authentic);
            CHECK(answer.report->persons == 2);
            CHECK(answer.report->marked.empty());
            CHECK(answer.report->header.avsender.str() == "0301-00-974761076");
            CHECK(format_utc(answer.report->created) == "2027-01-04T09:30:00Z");
            CHECK(format_date(answer.report->period_from) == "2026-01-01");
            CHECK(answer.report->key_versions == std::vector<unsigned>{1});
        }
    }

    TEST_CASE("real RSA key transport of every modern form") {
        static const auto key = crypto::RsaPrivateKey::generate(3072);
        test::TestKeys keys;
        keys.message_keys.insert_or_assign(
            "RSA-1", crypto::KeyRing::MessageKey{std::make_shared<crypto::RsaPrivateKey>(key),
                                                 crypto::KeyPolicy::modern(), key.public_key().modulus_bytes()});
        for (const auto transport : {crypto::KeyTransport::oaep_sha256_mgf1_sha256,
                                     crypto::KeyTransport::oaep_mgf1p_sha1, crypto::KeyTransport::oaep_mgf1p_sha256}) {
            for (const auto cipher : {crypto::ContentCipher::aes256_gcm, crypto::ContentCipher::aes128_gcm}) {
                SubmissionBuilder builder;
                builder.tpf.recipient = test::Recipient::rsa("RSA-1", key.public_key(), transport, cipher);
                CHECK(test::run_pass(keys, builder.build()).name() == "OK");
                builder.tpf.recipient.wrap = test::FakeTransport::wrap;
                CHECK(test::run_pass(keys, builder.build()).name() == "DEKRYPTERING");
            }
        }
    }

    TEST_CASE("no persons at all") {
        SubmissionBuilder builder;
        builder.persons.clear();
        const test::PassAnswer answer = test::run_pass(test::TestKeys(), builder.build());
        CHECK(answer.output == expected_root(kXmlns) + expected_head("p", "0") + "</p:PseudonymisertMelding>\n");
        CHECK(answer.report->persons == 0);
    }

    TEST_CASE("base64 in every form that is allowed, in sealed data carried on as it stands") {
        for (const char* line_end : {"\n", "\r\n", "&#13;\n", "&#xD;\n", "\t ", "&#10;"}) {
            SubmissionBuilder builder;
            builder.tpf.line_length = builder.for_register.line_length = 76;
            builder.tpf.line_end = builder.for_register.line_end = line_end;
            const test::Submission made = builder.build_stages();
            for (const std::size_t piece : {std::size_t{0}, std::size_t{1}}) {
                const test::PassAnswer answer = test::run_pass(test::TestKeys(), made.document, {}, piece);
                CHECK(answer.name() == "OK");
                CHECK(answer.output.find(person(kFirst, made.sealed[0])) != std::string::npos);
            }
        }
    }

    TEST_CASE("leaves are trimmed, references read, markup characters escaped") {
        SubmissionBuilder builder;
        builder.navn = " \r\n Kari &lt;N&gt; &amp; &quot;S&#xF8;nn&#x22; \t";
        builder.epost = "&#107;ari@kommune.example&#13;";
        builder.mobiltelefon = " +47 99 99\t99 99 ";
        builder.persons[0].number = "\n 130972&#52;8022 ";
        const test::PassAnswer answer = test::run_pass(test::TestKeys(), builder.build());
        REQUIRE(answer.name() == "OK");
        CHECK(answer.output.find("<p:Navn>Kari &lt;N&gt; &amp; \"S\xc3\xb8nn\"</p:Navn>") != std::string::npos);
        CHECK(answer.output.find("<p:Epost>kari@kommune.example</p:Epost>") != std::string::npos);
        CHECK(answer.output.find("<p:Mobiltelefon>+4799999999</p:Mobiltelefon>") != std::string::npos);
        CHECK(answer.output.find(kFirst) != std::string::npos);
    }

    TEST_CASE(
        "white space between elements is not carried on; BOM, declaration, quotes and order of attributes are free") {
        SubmissionBuilder builder;
        builder.edit(Stage::tpf_layer,
                     [](std::string& text) { text = replaced(text, "><i:Kontakt", ">\r\n\t <i:Kontakt"); });
        builder.edit(Stage::tpf_layer, [](std::string& text) { text += "\n"; });
        builder.edit(Stage::tpf_layer, "</i:Fodselsnummer>", "</i:Fodselsnummer>\n  ");
        builder.edit(Stage::document, [](std::string& text) {
            text = replaced(text, "<i:Innsending xmlns:i=\"urn:tpf:innsending:1\" versjon=\"1\">",
                            "\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>\n"
                            "<i:Innsending versjon = '1'\n xmlns:i='urn:tpf:innsending:1'>\n");
            text = replaced(text, "Type=\"http", " Id='x' MimeType='text/xml' Encoding='' Type=\"http");
            text += "\r\n \n";
        });
        const test::Submission made = builder.build_stages();
        const test::PassAnswer answer = test::run_pass(test::TestKeys(), made.document);
        REQUIRE(answer.name() == "OK");
        CHECK(answer.output == expected_root(kXmlns) + expected_head() + person(kFirst, made.sealed[0]) +
                                   person(kSecond, made.sealed[1]) + "</p:PseudonymisertMelding>\n");
    }

    TEST_CASE("prefixes are free, and p gives way where it means something else") {
        const auto rename = [](std::string& text) {  // i: becomes the default namespace, xenc: becomes p:
            for (const auto& [from, to] : {std::pair<std::string, std::string>{"<i:", "<"},
                                           {"</i:", "</"},
                                           {"<xenc:", "<p:"},
                                           {"</xenc:", "</p:"},
                                           {"xmlns:i=", "xmlns="},
                                           {"xmlns:xenc=", "xmlns:p="}}) {
                for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos;)
                    text.replace(at, from.size(), to);
            }
        };
        SubmissionBuilder builder;
        builder.edit(Stage::sealed_person, rename).edit(Stage::tpf_layer, rename).edit(Stage::document, rename);
        const test::Submission made = builder.build_stages();
        const test::PassAnswer answer = test::run_pass(test::TestKeys(), made.document);
        REQUIRE(answer.name() == "OK");
        const std::string expected =
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<p1:PseudonymisertMelding "
            "xmlns:p1=\"urn:tpf:pseudonymisert:1\""
            " xmlns=\"urn:tpf:innsending:1\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\""
            " xmlns:p=\"http://www.w3.org/2001/04/xmlenc#\" versjon=\"1\" domene=\"IPLOS\" nokkelversjon=\"1\">" +
            expected_head("p1") + "<p1:Person><p1:Pseudonym>" + kFirst + "</p1:Pseudonym>" + made.sealed[0] +
            "</p1:Person><p1:Person><p1:Pseudonym>" + kSecond + "</p1:Pseudonym>" + made.sealed[1] +
            "</p1:Person></p1:PseudonymisertMelding>\n";
        CHECK(answer.output == expected);
    }

    TEST_CASE("declarations: on the root those in scope, on a person its own, p redeclared") {
        struct Row {
            const char* root;        // further declarations on the submission's root
            const char* person;      // on the first i:Person
            const char* out_root;    // expected: before the three that the builder has (they sort behind)
            const char* out_person;  // expected start of the first person
        };
        static const Row rows[] = {
            {" xmlns:z=\"urn:z\" xmlns:a=\"urn:a\" xmlns=\"urn:d\"", "", "", ""},
            {"", " xmlns:z='urn:z' xmlns='urn:d' xmlns:a=\"a?b=&amp;c\"", "",
             "<p:Person xmlns=\"urn:d\" xmlns:a=\"a?b=&amp;c\" xmlns:z=\"urn:z\">"},
            {"", " xmlns:p='urn:q'", "", "<p1:Person xmlns:p1=\"urn:tpf:pseudonymisert:1\" xmlns:p=\"urn:q\">"},
            {"", " xmlns:p='urn:tpf:pseudonymisert:1'", "", "<p:Person xmlns:p=\"urn:tpf:pseudonymisert:1\">"},
            {" xmlns:p1='urn:q'", " xmlns:p='urn:q'", "",
             "<p2:Person xmlns:p2=\"urn:tpf:pseudonymisert:1\" xmlns:p=\"urn:q\">"},
            {" xmlns='urn:d'", " xmlns=''", "", "<p:Person xmlns=\"\">"},
        };
        for (const Row& row : rows) {
            CAPTURE(row.root);
            CAPTURE(row.person);
            SubmissionBuilder builder;
            builder.persons[0].attributes = row.person;
            builder.edit(Stage::document, " versjon=\"1\">", std::string(row.root) + " versjon=\"1\">");
            const test::PassAnswer answer = test::run_pass(test::TestKeys(), builder.build());
            REQUIRE(answer.name() == "OK");
            if (*row.out_person != '\0') CHECK(answer.output.find(row.out_person) != std::string::npos);
        }
        SubmissionBuilder builder;
        builder.edit(Stage::document, " versjon=\"1\">", std::string(rows[0].root) + " versjon=\"1\">");
        CHECK(test::run_pass(test::TestKeys(), builder.build())
                  .output.starts_with(expected_root(" xmlns=\"urn:d\" xmlns:a=\"urn:a\""
                                                    " xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\""
                                                    " xmlns:i=\"urn:tpf:innsending:1\""
                                                    " xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\""
                                                    " xmlns:z=\"urn:z\"")));
    }

    TEST_CASE("p bound elsewhere on the root and back to ours on a person: declared once") {
        SubmissionBuilder builder;
        builder.edit(Stage::document, " versjon=\"1\">", " xmlns:p=\"urn:q\" versjon=\"1\">");
        builder.persons[0].attributes = " xmlns:p=\"urn:tpf:pseudonymisert:1\" xmlns:p1=\"urn:r\"";
        const test::PassAnswer answer = test::run_pass(test::TestKeys(), builder.build());
        REQUIRE(answer.name() == "OK");
        CHECK(answer.output.find("<p1:PseudonymisertMelding xmlns:p1=\"urn:tpf:pseudonymisert:1\"") !=
              std::string::npos);
        CHECK(answer.output.find("<p:Person xmlns:p=\"urn:tpf:pseudonymisert:1\" xmlns:p1=\"urn:r\">") !=
              std::string::npos);
    }

    TEST_CASE("the first unbound prefix: one that is bound to our own namespace is bound") {
        SubmissionBuilder builder;
        builder.edit(Stage::document, " versjon=\"1\">",
                     " xmlns:p=\"urn:q\" xmlns:p1=\"urn:tpf:pseudonymisert:1\" versjon=\"1\">");
        const test::PassAnswer answer = test::run_pass(test::TestKeys(), builder.build());
        REQUIRE(answer.name() == "OK");
        CHECK(answer.output.find("<p2:PseudonymisertMelding xmlns:p2=\"urn:tpf:pseudonymisert:1\"") !=
              std::string::npos);
    }

    TEST_CASE("two key versions: newest first, for every person") {
        test::TestKeys keys;
        keys.versions = {2, 1};
        SubmissionBuilder builder;
        builder.persons.push_back({"1"});
        const test::Submission made = builder.build_stages();
        const test::PassAnswer answer = test::run_pass(keys, made.document);
        REQUIRE(answer.name() == "OK");
        CHECK(answer.output.starts_with(expected_root(kXmlns, "2 1")));
        // Python: hmac over key 01010203… and domain IPLOS, as in derivation_test.cpp
        const std::string newest = answer.output.substr(answer.output.find("<p:Pseudonym>") + 13, 34);
        CHECK(newest.starts_with("2-"));
        CHECK(answer.output.find("<p:Person><p:Pseudonym>" + newest + "</p:Pseudonym><p:Pseudonym>" + kFirst +
                                 "</p:Pseudonym>" + made.sealed[0]) != std::string::npos);
        CHECK(answer.output.find("<p:Person><p:Pseudonym feil=\"E31\"/>" + made.sealed[2]) != std::string::npos);
        CHECK(answer.report->key_versions == std::vector<unsigned>{2, 1});
    }

    TEST_CASE("missing and wrong numbers are marked, never shown, and the others go on") {
        SubmissionBuilder builder;
        const std::string odd(32, 'x');
        std::string wide;
        for (int i = 0; i < 32; ++i) wide += "\xc3\xb8";
        builder.persons = {{""}, {"13097248022"}, {"13097248023"}, {" \n"}, {odd}, {wide}, {"202012345678"}};
        const test::Submission made = builder.build_stages();
        const test::PassAnswer answer = test::run_pass(test::TestKeys(), made.document);
        REQUIRE(answer.name() == "OK");
        const auto marked = [&](std::size_t i, const std::string& code) {
            return answer.output.find("<p:Person><p:Pseudonym feil=\"" + code + "\"/>" + made.sealed[i] +
                                      "</p:Person>") != std::string::npos;
        };
        CHECK(marked(0, "E30"));
        CHECK(marked(2, "E31"));
        CHECK(marked(3, "E30"));
        CHECK(marked(4, "E31"));
        CHECK(marked(5, "E31"));
        CHECK(answer.report->marked.count() == 5);
        CHECK(answer.report->marked.next(0) == PersonMarks::Marked{1, PersonMarks::Kode::e30});
        CHECK(answer.report->marked.next(1) == PersonMarks::Marked{3, PersonMarks::Kode::e31});
        CHECK(answer.output.find("13097248023") == std::string::npos);
        CHECK(answer.output.find(odd) == std::string::npos);
    }

    TEST_CASE("on_invalid = \"quarantine\" stops the message and tells which persons") {
        test::TestKeys keys;
        keys.quarantine_invalid = true;
        SubmissionBuilder builder;
        CHECK(test::run_pass(keys, builder.build()).name() == "OK");
        builder.persons[1].number = "13097248023";
        const test::PassAnswer answer = test::run_pass(keys, builder.build());
        CHECK(answer.name() == "UGYLDIG_NUMMER");
        CHECK(answer.authentic);
        CHECK(answer.marked.count() == 1);
        CHECK(answer.marked.next(0)->person == 2);
        CHECK(answer.error->detail().find("13097248023") == std::string::npos);
    }

    TEST_CASE("synthetic numbers on production and real ones on a test installation are wrong") {
        SubmissionBuilder builder;
        builder.persons = {{"13097248022"}, {"10915596784"}};  // real-looking, month + 81
        test::TestKeys keys;
        test::PassAnswer answer = test::run_pass(keys, builder.build());
        CHECK(answer.report->marked.count() == 1);
        CHECK(answer.report->marked.next(0)->person == 2);
        keys.rules.installation = Installation::test;
        answer = test::run_pass(keys, builder.build());
        CHECK(answer.report->marked.count() == 1);
        CHECK(answer.report->marked.next(0)->person == 1);
    }

    TEST_CASE("two registers get unlinkable pseudonyms") {
        SubmissionBuilder builder;
        builder.reg = "KPR";
        builder.meldingstype = "KPR";
        builder.for_register.recipient.key_name = "KPR-2026";
        const test::PassAnswer answer = test::run_pass(test::TestKeys(), builder.build());
        REQUIRE(answer.name() == "OK");
        CHECK(answer.output.find("domene=\"KPR\"") != std::string::npos);
        CHECK(answer.output.find("1-v5bb76q5thuhfoifqjhpcmdbetihqan3") != std::string::npos);
    }

    TEST_CASE("a message bigger than every buffer") {
        SubmissionBuilder builder;
        builder.persons.clear();
        for (int i = 0; i < 300; ++i) builder.persons.push_back({"13097248022", std::string(7000, 'x')});
        builder.tpf.line_length = 76;
        const test::Submission made = builder.build_stages();
        std::string first;
        for (const std::size_t piece : {Pass::kPiece, std::size_t{4097}, std::size_t{0}}) {
            const test::PassAnswer answer = test::run_pass(test::TestKeys(), made.document, {}, piece);
            REQUIRE(answer.name() == "OK");
            if (first.empty()) first = answer.output;
            CHECK(answer.output == first);
        }
        std::string expected = expected_root(kXmlns) + expected_head("p", "300");
        for (const std::string& sealed : made.sealed) expected += person(kFirst, sealed);
        CHECK(first == expected + "</p:PseudonymisertMelding>\n");
    }

    TEST_CASE("the sink's trouble is not the message's fault, and is told at once") {
        struct Full final : OutputSink {
            Status write(TextBuffer&) override { return fail(Code::disk_full); }
        } sink;
        const test::TestKeys keys;
        Pass pass(keys, {}, sink);
        const std::string document = SubmissionBuilder().build();
        const Status fed = pass.feed(as_bytes(document));
        REQUIRE_FALSE(fed);
        CHECK(fed.error().code() == Code::disk_full);
        CHECK(pass.finish().error().code() == Code::internal);
        CHECK(pass.feed(as_bytes(" ")).error().code() == Code::internal);
    }

    TEST_CASE("the header can be had without a key") {
        const std::string document = SubmissionBuilder().build();
        for (const std::size_t piece : {std::size_t{1}, std::size_t{100}, document.size()}) {
            HeaderPeek peek{PassLimits{}};
            for (std::size_t at = 0; at < document.size(); at += piece) {
                REQUIRE(peek.feed(as_bytes(std::string_view(document).substr(at, piece))));
            }
            REQUIRE(peek.header());
            CHECK(peek.header()->meldings_id.view() == "7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11");
        }
        HeaderPeek peek{PassLimits{}};
        CHECK_FALSE(peek.feed(as_bytes("hello")));
    }
}

}  // namespace
