#include "pseudonym/xml_scanner.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "pseudonym/xml_syntax.h"
#include "tests/support/submission_builder.h"
#include "tests/support/xml_events.h"

using namespace tpf;
using namespace tpf::pseudonym;

namespace {

struct Scanned {
    std::string outcome;  // "OK" or the code's name
    std::string events;
    std::string raw;
};

Scanned scan(const std::vector<std::string_view>& pieces, const XmlOptions& options = {}, bool runs = false) {
    test::EventRecorder recorder;
    recorder.runs = runs;
    XmlScanner scanner(recorder, options);
    Status status = ok();
    for (const std::string_view piece : pieces) {
        if (status) status = scanner.feed(piece);
    }
    if (status) status = scanner.finish();
    return {status ? "OK" : std::string(status.error().name()), recorder.events.text(), recorder.raw};
}

Scanned scan(std::string_view document, const XmlOptions& options = {}) {
    return scan(std::vector{document}, options);
}

/// The same, however the document is cut: in two pieces at every byte, and byte by byte; and whether the handler takes
/// base64 before the scanner looks at it or not.
void check_splits(std::string_view document, const XmlOptions& options, const Scanned& whole) {
    std::vector<std::string_view> bytes;
    for (std::size_t at = 0; at <= document.size(); ++at) {
        const Scanned split = scan({document.substr(0, at), document.substr(at)}, options);
        CHECK_MESSAGE(split.outcome == whole.outcome, "cut at ", at, " of ", document);
        if (whole.outcome == "OK") {
            CHECK_MESSAGE(split.events == whole.events, "cut at ", at, " of ", document);
            CHECK(split.raw == whole.raw);
        }
        const Scanned in_runs = scan({document.substr(0, at), document.substr(at)}, options, true);
        CHECK_MESSAGE(in_runs.outcome == whole.outcome, "in runs, cut at ", at, " of ", document);
        if (whole.outcome == "OK") {
            CHECK_MESSAGE(in_runs.events == whole.events, "in runs, cut at ", at, " of ", document);
            CHECK(in_runs.raw == whole.raw);
        }
        if (at < document.size()) bytes.push_back(document.substr(at, 1));
    }
    const Scanned single = scan(bytes, options);
    CHECK_MESSAGE(single.outcome == whole.outcome, "byte by byte: ", document);
    if (whole.outcome == "OK") CHECK_MESSAGE(single.events == whole.events, "byte by byte: ", document);
}

XmlOptions with_extras() {
    XmlOptions options;
    options.extras = true;
    return options;
}

struct Case {
    std::string_view document;
    std::string_view outcome;
};

const std::string_view kGood[] = {
    "<a/>",
    "<a></a>",
    "<a ></a >",
    "<a\n/>",
    "\xef\xbb\xbf<a/>",
    "<?xml version=\"1.0\"?><a/>",
    "\xef\xbb\xbf<?xml version='1.0' encoding='utf-8' standalone='yes'?>\r\n<a/>\r\n",
    "<?xml\tversion = \"1.0\" encoding = 'UTF-8' ?><a/>",
    " \t\r\n<a/>",
    "<a> \t\r\n</a> \t\r\n",
    "<a>x</a>",
    "<a>line\r\nline\rline\nend\r</a>",
    "<a>&lt;&gt;&amp;&quot;&apos;</a>",
    "<a>&#65;&#x42;&#x1F600;&#13;&#xD;&#xa;&#9;</a>",
    "<a>]]</a>",
    "<a>]]AAAA></a>",
    "<a>]]&gt; ]] ></a>",
    "<a>]&#93;></a>",
    "<a>\xc3\xa6\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbd\x7f</a>",
    "<a b='1' c=\"2\"/>",
    "<a b='\"' c=\"'\" d='>' e='/>'/>",
    "<a b='&lt;&#10;&quot;&apos;'/>",
    "<a b=' x\ty\r\nz\rw\n'/>",
    "<a b='\xc3\xa6'/>",
    "<a b = '1'\tc\n=\r'2'/>",
    "<b\xc3\xb8lge \xc3\xa5r='1'/>",
    "<a-b.c_d1/>",
    "<_/>",
    "<a\xc2\xb7/>",
    "<a xmlns='urn:x'><b/></a>",
    "<p:a xmlns:p='urn:x'><p:b/><q:c xmlns:q='urn:x'/></p:a>",
    "<a xmlns='urn:x'><b xmlns=''><c/></b><d/></a>",
    "<p:a xmlns:p='urn:x'><p:b xmlns:p='urn:y'><p:c/></p:b><p:d/></p:a>",
    "<a xmlns:p='urn:x' xmlns:q='urn:y' p:b='1' q:b='2' b='3'/>",
    "<a p:b='1' xmlns:p='urn:x'/>",
    "<a xml:lang='no'/>",
    "<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='no'/>",
    "<a xmlns:p='a&amp;b'><p:b/></a>",
    "<xmlns/>",
    "<a><b>1</b>2<c/>3</a>",
    "<a>1&amp;2&lt;3</a>",
    // Start tags that come again: in the same context, in another one, after one that begins like them.
    "<a><b x='1'><c/></b><b x='1'><c/></b></a>",
    "<a><b x='1'/><b x='1' y='2'/><b x='1'/><b/><b x='1' y='2'/></a>",
    "<p:a xmlns:p='urn:x'><p:b/><c xmlns:p='urn:y'><p:b/><p:b/></c><p:b/></p:a>",
    "<a xmlns='urn:x'><b/><c xmlns='urn:y'><b/><d xmlns='urn:x'><b/></d></c><b/><c xmlns='urn:y'><b/></c></a>",
    "<a><b xmlns='urn:x'><c/></b><c/><b xmlns='urn:x'><c/></b><c/></a>",
    "<a><a><a/></a><a/></a>",
};

TEST_SUITE("pseudonym/xml_scanner") {
    TEST_CASE("what it accepts means the same to expat, however it is cut") {
        test::ExpatEvents judge;
        for (const std::string_view document : kGood) {
            CAPTURE(document);
            const Scanned whole = scan(document);
            CHECK(whole.outcome == "OK");
            REQUIRE(judge.parse(document));
            CHECK(whole.events == judge.events.text());
            check_splits(document, {}, whole);
        }
    }

    TEST_CASE("more different tags than it remembers, nested and rebound at random, mean the same to expat") {
        std::mt19937 random(20261122);
        test::ExpatEvents judge;
        for (unsigned round = 0; round < 20; ++round) {
            std::string document = "<r xmlns='urn:0' xmlns:p='urn:1'>";
            std::vector<std::string> open;
            for (unsigned i = 0; i < 600; ++i) {
                if (!open.empty() && (open.size() > 20 || random() % 2 == 0)) {
                    document += "</" + open.back() + ">";
                    open.pop_back();
                    continue;
                }
                const std::string name = (random() % 2 == 0 ? "p:e" : "e") + std::to_string(random() % 3);
                document += "<" + name;
                if (random() % 4 == 0) document += " xmlns:p='urn:" + std::to_string(random() % 3) + "'";
                if (random() % 2 == 0) document += " p:x='" + std::to_string(random() % 4) + "'";
                const bool empty = random() % 4 == 0;
                document += empty ? "/>" : ">";
                if (!empty) open.push_back(name);
            }
            for (; !open.empty(); open.pop_back()) document += "</" + open.back() + ">";
            document += "</r>";
            REQUIRE(judge.parse(document));
            const std::size_t cut = random() % document.size();
            const Scanned split =
                scan({std::string_view(document).substr(0, cut), std::string_view(document).substr(cut)});
            CHECK(split.outcome == "OK");
            CHECK(split.events == judge.events.text());
            CHECK(split.raw == document);
        }
    }

    TEST_CASE("a tag that it knows again has the same number, in the same context only") {
        struct Numbers final : XmlHandler {
            std::string seen;
            Status start(const XmlStart& tag) override {
                seen += std::string(tag.raw) + std::to_string(tag.known);
                return ok();
            }
            Status end(const XmlEnd&) override { return ok(); }
            Status text(std::string_view, std::string_view) override { return ok(); }
        } numbers;
        XmlScanner scanner(numbers, {});
        REQUIRE(scanner.feed("<a><b/><c xmlns='u'><b/></c><b/><c xmlns='u'><b/></c></a>"));
        CHECK(numbers.seen == "<a>0<b/>1<c xmlns='u'>2<b/>3<b/>1<c xmlns='u'>2<b/>3");
    }

    TEST_CASE("with extras, comments, CDATA and instructions mean the same to expat") {
        static const std::string_view documents[] = {
            "<!-- c --><a/><!-- c -->",
            "<?pi?><a><?pi x?><?p-i ?\?></a><?pi x?>",
            "<a>1<!-- - -->2</a>",
            "<a><!----></a>",
            "<a><![CDATA[]]></a>",
            "<a><![CDATA[<b>&amp;]] >]]></a>",
            "<a><![CDATA[]]]]></a>",
            "<a><![CDATA[\xc3\xa6\r\n\r]]>\n</a>",
            "<a>]]<!-- -->></a>",
            "<a>]]<![CDATA[>]]></a>",
            "<a><!-- \xe2\x82\xac --><?pi \xe2\x82\xac?></a>",
            "<a>\r<!-- -->\n</a>",
        };
        test::ExpatEvents judge;
        for (const std::string_view document : documents) {
            CAPTURE(document);
            const Scanned whole = scan(document, with_extras());
            CHECK(whole.outcome == "OK");
            REQUIRE(judge.parse(document));
            CHECK(whole.events == judge.events.text());
            check_splits(document, with_extras(), whole);
            CHECK(scan(document).outcome == "IKKE_TILLATT");
        }
    }

    TEST_CASE("the raw bytes of the events are the document from its root on") {
        for (const std::string_view document : kGood) {
            const Scanned whole = scan(document);
            CHECK(trim_xml_space(document).ends_with(whole.raw));
            CHECK(whole.raw.front() == '<');
        }
    }

    TEST_CASE("what it refuses, and how it calls that, however it is cut") {
        static const Case cases[] = {
            {"", "AVKUTTET"},
            {" ", "AVKUTTET"},
            {"hello", "IKKE_XML"},
            {"{\"a\":1}", "IKKE_XML"},
            {"<", "AVKUTTET"},
            {"<a", "AVKUTTET"},
            {"<a>", "AVKUTTET"},
            {"<a><b></b>", "AVKUTTET"},
            {"<a>x</a", "AVKUTTET"},
            {"<a>&am", "AVKUTTET"},
            {"<a>\xc3", "AVKUTTET"},
            {"<?xml", "AVKUTTET"},
            {"<?xml version='1.0'", "AVKUTTET"},
            {"\xef\xbb", "AVKUTTET"},
            {"<a/><b/>", "ETTER_SLUTT"},
            {"<a/>x", "ETTER_SLUTT"},
            {"<a/></a>", "ETTER_SLUTT"},
            {"<a><a/></a><a/>", "ETTER_SLUTT"},
            {"<a><b></b></a><b></b>", "ETTER_SLUTT"},
            {"<p:a xmlns:p='u'><q:b xmlns:q='v'><q:c/></q:b><q:c/></p:a>", "IKKE_XML"},
            {"<a/><", "ETTER_SLUTT"},
            {"<a/>&#32;", "ETTER_SLUTT"},
            {"</a>", "IKKE_XML"},
            {"<a></b>", "IKKE_XML"},
            {"<a><b></a></b>", "IKKE_XML"},
            {"<a></a b='1'>", "IKKE_XML"},
            {"<a></ a>", "IKKE_XML"},
            {"< a/>", "IKKE_XML"},
            {"<1/>", "IKKE_XML"},
            {"<-a/>", "IKKE_XML"},
            {"<a:/>", "IKKE_XML"},
            {"<:a/>", "IKKE_XML"},
            {"<a:b:c xmlns:a='u'/>", "IKKE_XML"},
            {"<a b/>", "IKKE_XML"},
            {"<a b=1/>", "IKKE_XML"},
            {"<a b='1'c='2'/>", "IKKE_XML"},
            {"<a b='1' b='2'/>", "IKKE_XML"},
            {"<a b='<'/>", "IKKE_XML"},
            {"<a b='&'/>", "IKKE_XML"},
            {"<a b='&x;'/>", "IKKE_XML"},
            {"<a / >", "IKKE_XML"},
            {"<a //>", "IKKE_XML"},
            {"<a>&</a>", "IKKE_XML"},
            {"<a>&nbsp;</a>", "IKKE_XML"},
            {"<a>&#0;</a>", "IKKE_XML"},
            {"<a>&#x;</a>", "IKKE_XML"},
            {"<a>&#;</a>", "IKKE_XML"},
            {"<a>&#X41;</a>", "IKKE_XML"},
            {"<a>&#xD800;</a>", "IKKE_XML"},
            {"<a>&#xFFFE;</a>", "IKKE_XML"},
            {"<a>&#x110000;</a>", "IKKE_XML"},
            {"<a>&#99999999999999999999;</a>", "IKKE_XML"},
            {"<a>]]></a>", "IKKE_XML"},
            {"<a>]]]></a>", "IKKE_XML"},
            {"<a>\x01</a>", "IKKE_XML"},
            {"<a>\xef\xbf\xbf</a>", "IKKE_XML"},
            {"<a b='\x01'/>", "IKKE_XML"},
            {"<a>\x80</a>", "TEGNSETT"},
            {"<a>\xc0\x80</a>", "TEGNSETT"},
            {"<a>\xed\xa0\x80</a>", "TEGNSETT"},
            {"<a>\xf4\x90\x80\x80</a>", "TEGNSETT"},
            {"<a>\xc3</a>", "TEGNSETT"},
            {"<a>\xc3&amp;</a>", "TEGNSETT"},
            {"<a b='\xc3'/>", "TEGNSETT"},
            {"\xff\xfe<\0a", "TEGNSETT"},
            {"\xfe\xff", "TEGNSETT"},
            {"<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "TEGNSETT"},
            {"<?xml version='1.0' encoding='UTF-16'?><a/>", "TEGNSETT"},
            {"<?xml version='1.1'?><a/>", "IKKE_XML"},
            {"<?xml?><a/>", "IKKE_TILLATT"},
            {"<?xml encoding='UTF-8'?><a/>", "IKKE_XML"},
            {"<?xml version='1.0' standalone='maybe'?><a/>", "IKKE_XML"},
            {"<?xml version='1.0' encoding=''?><a/>", "IKKE_XML"},
            {"<?xml version='1.0'encoding='UTF-8'?><a/>", "IKKE_XML"},
            {"<?xml version='1.0' version='1.0'?><a/>", "IKKE_XML"},
            {" <?xml version='1.0'?><a/>", "IKKE_TILLATT"},
            {"<a><?xml version='1.0'?></a>", "IKKE_TILLATT"},
            {"<!DOCTYPE a><a/>", "IKKE_TILLATT"},
            {"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "IKKE_TILLATT"},
            {"<a><!-- --></a>", "IKKE_TILLATT"},
            {"<a><![CDATA[x]]></a>", "IKKE_TILLATT"},
            {"<a><?pi?></a>", "IKKE_TILLATT"},
            {"<p:a/>", "IKKE_XML"},
            {"<a p:b='1'/>", "IKKE_XML"},
            {"<a><b xmlns:p='u'/><p:c/></a>", "IKKE_XML"},
            {"<a xmlns:p=''/>", "IKKE_XML"},
            {"<a xmlns:xmlns='u'/>", "IKKE_XML"},
            {"<a xmlns:p='http://www.w3.org/2000/xmlns/'/>", "IKKE_XML"},
            {"<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>", "IKKE_XML"},
            {"<a xmlns:xml='u'/>", "IKKE_XML"},
            {"<xmlns:a/>", "IKKE_XML"},
            {"<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", "IKKE_XML"},
        };
        for (const auto& test_case : cases) {
            const auto& document = test_case.document;  // clang captures no structured binding
            const auto& outcome = test_case.outcome;
            CAPTURE(document);
            const Scanned whole = scan(document);
            CHECK(whole.outcome == outcome);
            check_splits(document, {}, whole);
        }
    }

    TEST_CASE("with extras, what is not well-formed is still refused") {
        static const Case cases[] = {
            {"<!DOCTYPE a><a/>", "IKKE_TILLATT"},
            {"<a><!-- -- --></a>", "IKKE_XML"},
            {"<a><!-- ---></a>", "IKKE_XML"},
            {"<a><!- --></a>", "IKKE_TILLATT"},
            {"<a><?xml ?></a>", "IKKE_XML"},
            {"<a><?XmL ?></a>", "IKKE_XML"},
            {"<a><? x?></a>", "IKKE_XML"},
            {"<a><?a:b x?></a>", "IKKE_XML"},
            {"<a><?pi?x?></a>", "IKKE_XML"},
            {"<a><?pi/?></a>", "IKKE_XML"},
            {"<![CDATA[x]]><a/>", "IKKE_XML"},
            {"<a/><![CDATA[x]]>", "IKKE_XML"},
            {"<a><![CDATA[\x01]]></a>", "IKKE_XML"},
            {"<a><!-- \xff --></a>", "TEGNSETT"},
            {"<a><![CDATA[x]]", "AVKUTTET"},
            {"<a><!-- ", "AVKUTTET"},
            {"<a><?pi ?", "AVKUTTET"},
            {"<a/><!-- ", "ETTER_SLUTT"},
        };
        for (const auto& test_case : cases) {
            const auto& document = test_case.document;  // clang captures no structured binding
            const auto& outcome = test_case.outcome;
            CAPTURE(document);
            const Scanned whole = scan(document, with_extras());
            CHECK(whole.outcome == outcome);
            check_splits(document, with_extras(), whole);
        }
    }

    TEST_CASE("every limit") {
        XmlOptions options;
        options.limits = {.depth = 3, .name_bytes = 8, .attributes = 2, .tag_bytes = 32, .namespaces = 2};
        static const Case cases[] = {
            {"<a><b><c/></b></a>", "OK"},
            {"<a><b><c><d/></c></b></a>", "GRENSE"},
            {"<a><b/><b><b/></b></a>", "OK"},
            {"<a><b><b><b></b></b></b></a>", "GRENSE"},
            {"<aaaaaaaa/>", "OK"},
            {"<aaaaaaaaa/>", "GRENSE"},
            {"<a bbbbbbbb='1'/>", "OK"},
            {"<a bbbbbbbbb='1'/>", "GRENSE"},
            {"<a b='1' c='2'/>", "OK"},
            {"<a b='1' c='2' d='3'/>", "GRENSE"},
            {"<a b='1' xmlns='u' d='3'/>", "GRENSE"},
            {"<a b='aaaaaaaaaaaaaaaaaaaaaaa'/>", "OK"},
            {"<a b='aaaaaaaaaaaaaaaaaaaaaaaa'/>", "GRENSE"},
            {"<a b='aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "GRENSE"},
            {"<a></a                            >", "OK"},
            {"<a></a                             >", "GRENSE"},
            {"<a xmlns:p='u' xmlns:q='v'/>", "OK"},
            {"<a xmlns:p='u' xmlns:q='v'><b xmlns='w'/></a>", "GRENSE"},
            {"<a xmlns:p='u'><b xmlns:q='v'/><c xmlns:q='v'/></a>", "OK"},
        };
        for (const auto& test_case : cases) {
            const auto& document = test_case.document;  // clang captures no structured binding
            const auto& outcome = test_case.outcome;
            CAPTURE(document);
            const Scanned whole = scan(document, options);
            CHECK(whole.outcome == outcome);
            check_splits(document, options, whole);
        }
    }

    TEST_CASE("a fragment: bindings from around it, any number of elements") {
        const auto run = [](std::string_view text, const XmlOptions& options = {}) {
            test::EventRecorder recorder;
            XmlScanner scanner(recorder, options);
            scanner.begin_fragment({{"", "urn:d"}, {"p", "urn:p"}});
            Status status = scanner.feed(text);
            if (status) status = scanner.finish();
            return status ? recorder.events.text() : std::string(status.error().name());
        };
        test::ExpatEvents judge;
        REQUIRE(judge.parse("<w xmlns='urn:d' xmlns:p='urn:p'>x<a/> <p:b><p:c xmlns:p='urn:q'/></p:b></w>"));
        const std::string expected = judge.events.text();
        const std::string found = run("x<a/> <p:b><p:c xmlns:p='urn:q'/></p:b>");
        CHECK(expected.find(found) != std::string::npos);
        CHECK(run("").empty());
        CHECK(run("<a>") == "AVKUTTET");
        CHECK(run("<a/></w>") == "IKKE_XML");
        CHECK(run("<q:a/>") == "IKKE_XML");
        CHECK(run("<?xml version='1.0'?><a/>") == "IKKE_TILLATT");
        CHECK(run("<a/>&am") == "AVKUTTET");
    }

    TEST_CASE("bindings in scope: innermost wins, undeclared left out, default first, then sorted") {
        struct Keeper final : test::EventRecorder {
            Status start(const XmlStart& tag) override {
                if (tag.name.local == "x") found = scanner->bindings().in_force();
                if (tag.name.local == "x") resolved = scanner->bindings().resolve("p");
                return ok();
            }
            XmlScanner* scanner = nullptr;
            std::vector<std::pair<std::string, std::string>> found;
            std::string resolved;
        };
        const auto bindings = [](std::string_view document) {
            Keeper keeper;
            XmlScanner scanner(keeper, {});
            keeper.scanner = &scanner;
            REQUIRE(scanner.feed(document));
            std::string text;
            for (const auto& [prefix, uri] : keeper.found) text += prefix + "=" + uri + ";";
            return text + keeper.resolved;
        };
        CHECK(bindings("<a xmlns:z='1' xmlns='2' xmlns:p='3'><b xmlns:p='4'/><x xmlns:b='5'/></a>") ==
              "=2;b=5;p=3;z=1;3");
        CHECK(bindings("<a xmlns='2' xmlns:p='3'><x xmlns='' xmlns:p='4'/></a>") == "p=4;4");
        CHECK(bindings("<a><x xmlns:xml='http://www.w3.org/XML/1998/namespace'/></a>").empty());
    }

    TEST_CASE("lines, and where tags do not fit") {
        test::EventRecorder recorder;
        XmlOptions options;
        options.lines = true;
        for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
            const std::string_view document = "<a>\n<b\n>\r\nx\n\n</c>\n</a>";
            XmlScanner scanner(recorder, options);
            Status status = ok();
            for (std::size_t at = 0; at < document.size() && status; at += piece) {
                status = scanner.feed(document.substr(at, piece));
            }
            REQUIRE_FALSE(status);
            CHECK(scanner.mismatch().start_name == "b");
            CHECK(scanner.mismatch().start_line == 2);
            CHECK(scanner.mismatch().end_name == "c");
            CHECK(scanner.mismatch().end_line == 6);
        }
    }

    TEST_CASE("a handler's error stops the scan and is told") {
        struct Refuser final : test::EventRecorder {
            Status text(std::string_view, std::string_view) override { return fail(Code::disk_full); }
        };
        Refuser refuser;
        XmlScanner scanner(refuser, {});
        const Status status = scanner.feed("<a>x<b/></a>");
        REQUIRE_FALSE(status);
        CHECK(status.error().code() == Code::disk_full);
        CHECK(refuser.raw == "<a>");
    }

    TEST_CASE("text of any size goes through in pieces") {
        test::EventRecorder recorder;
        struct Counter final : XmlHandler {
            Status start(const XmlStart&) override { return ok(); }
            Status end(const XmlEnd&) override { return ok(); }
            Status text(std::string_view raw, std::string_view) override {
                bytes += raw.size();
                return ok();
            }
            std::uint64_t bytes = 0;
        };
        Counter counter;
        XmlScanner scanner(counter, {});
        const std::string piece(1 << 20, 'x');
        REQUIRE(scanner.feed("<a>"));
        for (int i = 0; i < 64; ++i) REQUIRE(scanner.feed(piece));
        REQUIRE(scanner.feed("</a>"));
        REQUIRE(scanner.finish());
        CHECK(counter.bytes == std::uint64_t{64} << 20);
    }
}

}  // namespace
