#include "crypto/xml_guard.h"

#include <doctest/doctest.h>
#include <expat.h>

#include <random>
#include <string>

namespace tpf::crypto {
namespace {

bool taken(const std::string& text) {
    return check_small_xml(text, "UTF-8").has_value();
}

/// expat, a strict parser that is not ours.
bool by_expat(const std::string& text) {
    const XML_Parser parser = XML_ParserCreate("UTF-8");
    const bool fine = XML_Parse(parser, text.data(), static_cast<int>(text.size()), 1) == XML_STATUS_OK;
    XML_ParserFree(parser);
    return fine;
}

}  // namespace

TEST_SUITE("crypto/xml_guard") {
    TEST_CASE("well-formed documents pass") {
        for (const char* good :
             {"<a/>", "<a></a>", " \r\n<a b='1' c=\"2\" ><d/>x&amp;&#65;&#xd;</a>\n", "<?xml version='1.0'?><a/>",
              "<?xml version=\"1.0\" encoding=\"utf-8\" standalone='no' ?>\n<a/>", "<x:a xmlns:x='u'><x:b/></x:a >",
              "<a>&lt;&gt;&apos;&quot;</a>", "<_a.b-1 c='&#x10FFFF;'/>", "<a b='>'/>", "<a>]] ></a>",
              "<a>\xc3\xb8</a>"}) {
            CAPTURE(good);
            CHECK(taken(good));
            CHECK(by_expat(good));
        }
    }

    TEST_CASE("what XML does not allow, and what we do not") {
        for (const char* bad : {"",
                                " ",
                                "x",
                                "<a>",
                                "</a>",
                                "<a/><b/>",
                                "<a/>x",
                                "<a></b>",
                                "<a><b></a></b>",
                                "<a b=1/>",
                                "<a b/>",
                                "<a b='1' b='2'/>",
                                "<a b='1'c='2'/>",
                                "<a b='<'/>",
                                "<a b='&'/>",
                                "<a>&</a>",
                                "<a>&x;</a>",
                                "<a>&#0;</a>",
                                "<a>&#xd800;</a>",
                                "<a>&#x110000;</a>",
                                "<a>&#;</a>",
                                "<a>&#x;</a>",
                                "<a>&#99999999999;</a>",
                                "<a>&#65</a>",
                                "<a>]]></a>",
                                "<a>\x01</a>",
                                "<a>\xef\xbf\xbf</a>",
                                "<1a/>",
                                "< a/>",
                                "<a / >",
                                "<a",
                                "<a b='1",
                                "<a>x",
                                "</a",
                                "<:a/>",
                                "<a:/>",
                                "<a:b:c/>",
                                "<!DOCTYPE a><a/>",
                                "<a><!-- x --></a>",
                                "<a><![CDATA[x]]></a>",
                                "<?pi?><a/>",
                                "<a><?pi?></a>",
                                "<!-- x --><a/>",
                                "<a/><!-- x -->",
                                "<?xml version='1.1'?><a/>",
                                "<?xml?><a/>",
                                "<?xml version='1.0'><a/>",
                                "<?xml version='1.0' standalone='maybe'?><a/>",
                                " <?xml version='1.0'?><a/>",
                                "<?xml version='1.0' standalone='yes' encoding='utf-8'?><a/>",
                                "<?xml version='1.0'encoding='utf-8'?><a/>",
                                "<a b='1'/ >"}) {
            CAPTURE(bad);
            CHECK_FALSE(taken(bad));
        }
        CHECK(check_small_xml("<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "UTF-8").error().code() ==
              Code::encoding);
        CHECK(check_small_xml("<?xml version='1.0' encoding='UTF-16'?><a/>", "UTF-16").has_value());
    }

    TEST_CASE("an error names its line, a limit is a limit") {
        CHECK(check_small_xml("<a>\n<b>\n</a>", "UTF-8").error().detail().starts_with("line 3: "));
        std::string deep;
        for (int i = 0; i < 8; ++i) deep += "<a>";
        CHECK(check_small_xml(deep + "</a></a></a></a></a></a></a></a>", "UTF-8").has_value());
        CHECK(check_small_xml(deep + "<a/>", "UTF-8").error().code() == Code::limit);
        const std::string many(1'000'000, ' ');
        CHECK(check_small_xml(many + "<a/>" + std::string(100'000, ' '), "UTF-8").error().code() == Code::limit);
        CHECK(check_small_xml("<aaa/>", "UTF-8", {5, 8}).error().code() == Code::limit);
        CHECK(line_at("a\nb\nc", 0) == 1);
        CHECK(line_at("a\nb\nc", 4) == 3);
        CHECK(line_at("a\nb\nc", 400) == 3);
    }

    TEST_CASE("whatever passes, expat takes too") {
        static constexpr const char* kParts[] = {"<a>",
                                                 "</a>",
                                                 "<b x='1'>",
                                                 "</b>",
                                                 "<c/>",
                                                 "<",
                                                 ">",
                                                 "/",
                                                 "'",
                                                 "\"",
                                                 "=",
                                                 " ",
                                                 "&",
                                                 ";",
                                                 "&amp;",
                                                 "&#65;",
                                                 "#",
                                                 "x",
                                                 "a",
                                                 "]]>",
                                                 "!",
                                                 "?",
                                                 "--",
                                                 "\n",
                                                 "<a",
                                                 "xmlns:p='u'",
                                                 "p:",
                                                 ":",
                                                 "<?xml version='1.0'?>"};
        std::mt19937 random(1);
        int passed = 0;
        for (int round = 0; round < 200'000; ++round) {
            std::string text = "<a>";
            for (auto parts = random() % 7; parts > 0; --parts) text += kParts[random() % std::size(kParts)];
            text += "</a>";
            if (random() % 4 == 0) text = text.substr(random() % 4);
            if (!taken(text)) continue;
            ++passed;
            CHECK_MESSAGE(by_expat(text), text);
        }
        CHECK(passed > 1000);
    }
}

}  // namespace tpf::crypto
