#include "audit/entry_form.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

namespace tpf::audit::test {
namespace {

constexpr const char* kWhole =
    R"({"actor":"kari","fields":{"code":"IKKE_XML","reason":"a \"b\" \\ \b\f\n\r\t\u0001\u001f/æ€😀"},)"
    R"("kind":"quarantined","message":"7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11","seq":12,"time":"2027-01-04T09:31:07Z",)"
    R"("v":1})";

std::string replaced(std::string_view from, std::string_view to) {
    std::string text = kWhole;
    const std::size_t at = text.find(from);
    REQUIRE(at != text.npos);
    return text.replace(at, from.size(), to);
}

}  // namespace

TEST_SUITE("audit/entry_form") {
    TEST_CASE("strings are written as RFC 8785 asks, which a JSON parser of others reads back") {
        const std::string text("a \"b\" \\ \b\f\n\r\t\x01\x1f/\x7f\xc3\xa6\0", 20);
        const auto fields = fields_text(AuditEntry(AuditKind::start, "tpfd").with("b", text).with("a", "1"));
        REQUIRE(fields.has_value());
        CHECK(fields.value() == R"({"a":"1","b":"a \"b\" \\ \b\f\n\r\t\u0001\u001f/)"
                                "\x7f\xc3\xa6"
                                R"(\u0000"})");
        CHECK(nlohmann::json::parse(fields.value()).at("b").get<std::string>() == text);
    }

    TEST_CASE("an entry is read back to the same bytes") {
        const auto parts = parse_entry(kWhole);
        REQUIRE(parts.has_value());
        CHECK(parts.value().seq == 12);
        CHECK(parts.value().actor == "kari");
        CHECK(parts.value().kind == "quarantined");
        CHECK(parts.value().message->view() == "7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11");
        CHECK(canonical_entry(parts.value()).value() == kWhole);
        const auto odd = parse_entry(
            R"({"actor":"\u0000\"\\\n","fields":{},"kind":"receipt-refused","seq":1,"time":"1970-01-01T00:00:00Z","v":1})");
        REQUIRE(odd.has_value());
        CHECK(odd.value().actor == std::string("\0\"\\\n", 4));
        CHECK_FALSE(odd.value().message.has_value());
    }

    TEST_CASE("what is not exactly in the form is refused") {
        REQUIRE(parse_entry(kWhole).has_value());
        const std::string bad[] = {
            "",
            "{}",
            std::string(kWhole) + " ",
            std::string(kWhole) + "\n",
            std::string(kWhole).substr(0, 100),
            replaced("{\"actor\"", "{ \"actor\""),
            replaced("\"kind\":", "\"kind\": "),
            replaced("\"v\":1", "\"v\":2"),
            replaced("\"v\":1", "\"v\":1.0"),
            replaced(",\"v\":1", ""),
            replaced("\"seq\":12", "\"seq\":012"),
            replaced("\"seq\":12", "\"seq\":0"),
            replaced("\"seq\":12", "\"seq\":-1"),
            replaced("\"seq\":12", "\"seq\":1e1"),
            replaced("\"seq\":12", "\"seq\":9007199254740992"),
            replaced("\"seq\":12", "\"seq\":\"12\""),
            replaced("07Z", "07.0Z"),
            replaced("07Z", "67Z"),
            replaced("09:31", "24:31"),
            replaced("\"quarantined\"", "\"Quarantined\""),
            replaced("\"quarantined\"", "\"\""),
            replaced("7f1c", "7F1C"),
            replaced("7f1c", ""),
            replaced("\"message\":\"7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11\"", "\"message\":null"),
            replaced("\"code\":\"IKKE_XML\",", "\"x\":\"1\","),                    // names not in order
            replaced("\"code\":\"IKKE_XML\",", "\"code\":\"1\",\"code\":\"2\","),  // a name twice
            replaced("\"code\":\"IKKE_XML\"", "\"Code\":\"IKKE_XML\""),
            replaced("\"code\":\"IKKE_XML\"", "\"\":\"IKKE_XML\""),
            replaced("\"code\":\"IKKE_XML\"", "\"code\":1"),
            replaced("\"code\":\"IKKE_XML\",", ","),
            replaced("😀\"}", "😀\",}"),
            replaced("\\u0001", "\\u000a"),  // has a short form
            replaced("\\u001f", "\\u001F"),
            replaced("\\u001f", "\\u0020"),
            replaced("\\u001f", "\\u00e6"),
            replaced("\\u001f", "\\x1f"),
            replaced("\\u001f", "\x1f"),
            replaced("/", "\\/"),
            replaced("æ", "\xe6"),
            replaced("kari", "ka\xffri"),
            replaced("kari", "k\\u0061ri"),
        };
        for (const std::string& text : bad) {
            CAPTURE(text);
            const auto parsed = parse_entry(text);
            REQUIRE_FALSE(parsed.has_value());
            CHECK(parsed.error().code() == Code::journal);
        }
    }

    TEST_CASE("every bit of an entry counts: what still parses is another entry") {
        const std::string whole = kWhole;
        for (std::size_t at = 0; at < whole.size(); ++at) {
            for (unsigned bit = 0; bit < 8; ++bit) {
                std::string changed = whole;
                changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ (1u << bit));
                const auto parsed = parse_entry(changed);
                if (parsed) REQUIRE(canonical_entry(parsed.value()).value() == changed);
            }
        }
    }
}

}  // namespace tpf::audit::test
