#include "pseudonym/xml_syntax.h"

#include <algorithm>
#include <array>

#include "base/transcode.h"
#include "pseudonym/utf8.h"

namespace tpf::pseudonym {
namespace {

/// Both editions of XML 1.0 agree on these letters; Norwegian and the Sámi languages need no others.
bool is_latin_letter(std::uint32_t c) noexcept {
    return (c >= 0xc0 && c <= 0x17e) && c != 0xd7 && c != 0xf7 && c != 0x132 && c != 0x133 && c != 0x13f &&
           c != 0x140 && c != 0x149;
}
bool is_name_start(std::uint32_t c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_latin_letter(c);
}
bool is_name_char(std::uint32_t c) noexcept {
    return is_name_start(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == 0xb7;
}

/// What an ASCII character may be; other characters take the long way.
struct AsciiTable {
    std::array<bool, 256> name_char{};
    std::array<bool, 256> plain_value{};  // in an attribute value means itself
};
constexpr AsciiTable make_ascii_table() {
    AsciiTable table;
    for (unsigned c = 0; c < 0x80; ++c) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        table.name_char[c] = letter || (c >= '0' && c <= '9') || c == '-' || c == '.';
        table.plain_value[c] = c >= 0x20 && c != '<' && c != '&';
    }
    return table;
}
constexpr AsciiTable kAscii = make_ascii_table();

auto bad(const char* what) {
    return fail(Code::not_xml, what);
}

}  // namespace

bool is_xml_space(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) { return is_xml_space(c); });
}

std::string_view trim_xml_space(std::string_view text) noexcept {
    while (!text.empty() && is_xml_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_xml_space(text.back())) text.remove_suffix(1);
    return text;
}

std::size_t name_length(std::string_view text) noexcept {
    std::size_t at = 0;
    bool part_start = true;
    bool colon = false;
    while (at < text.size()) {
        const char c = text[at];
        if (!part_start && kAscii.name_char[static_cast<unsigned char>(c)]) {
            ++at;
            continue;
        }
        if (c == ':') {
            if (part_start || colon) return 0;
            colon = true;
            part_start = true;
            ++at;
            continue;
        }
        const Utf8Char next = decode_utf8(text.substr(at));
        if (next.size == 0 || !(part_start ? is_name_start(next.code_point) : is_name_char(next.code_point))) break;
        part_start = false;
        at += next.size;
    }
    return part_start ? 0 : at;
}

std::pair<std::string_view, std::string_view> split_qualified(std::string_view name) noexcept {
    const std::size_t colon = name.find(':');
    if (colon == std::string_view::npos) return {{}, name};
    return {name.substr(0, colon), name.substr(colon + 1)};
}

std::string resolve_reference(std::string_view text) {
    const std::string_view body = text.substr(1, text.size() - 2);
    if (body == "amp") return "&";
    if (body == "lt") return "<";
    if (body == "gt") return ">";
    if (body == "quot") return "\"";
    if (body == "apos") return "'";
    if (body.size() < 2 || body[0] != '#') return {};
    const bool hexadecimal = body[1] == 'x';
    const std::string_view digits = body.substr(hexadecimal ? 2 : 1);
    if (digits.empty()) return {};
    std::uint32_t value = 0;
    for (const char c : digits) {
        std::uint32_t digit = 0;
        if (c >= '0' && c <= '9') {
            digit = static_cast<std::uint32_t>(c - '0');
        } else if (hexadecimal && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
            digit = static_cast<std::uint32_t>((c | 0x20) - 'a' + 10);
        } else {
            return {};
        }
        value = value * (hexadecimal ? 16 : 10) + digit;
        if (value > 0x10ffff) return {};
    }
    if (!is_xml_char(value)) return {};
    std::string out;
    append_utf8(value, out);
    return out;
}

std::size_t tag_end(std::string_view bytes) noexcept {
    std::size_t at = 1;
    while (true) {
        const std::size_t end = bytes.find('>', at);
        if (end == std::string_view::npos) return end;
        const std::size_t quote = bytes.substr(0, end).find_first_of("\"'", at);
        if (quote == std::string_view::npos) return end;
        const std::size_t close = bytes.find(bytes[quote], quote + 1);
        if (close == std::string_view::npos) return close;
        at = close + 1;
    }
}

std::size_t plain_value_prefix(std::string_view raw) noexcept {
    std::size_t at = 0;
    while (at < raw.size() && kAscii.plain_value[static_cast<unsigned char>(raw[at])]) ++at;
    return at;
}

Result<std::optional<std::string_view>> xml_declaration_encoding(std::string_view text) {
    static constexpr std::string_view kNames[] = {"version", "encoding", "standalone"};
    std::string_view values[3];
    std::size_t next = 0;
    while (true) {
        const std::string_view trimmed = trim_xml_space(text);
        if (trimmed.empty()) break;
        if (!is_xml_space(text.front())) return bad("the XML declaration is not well-formed");
        const std::size_t length = name_length(trimmed);
        const std::string_view name = trimmed.substr(0, length);
        while (next < 3 && kNames[next] != name) ++next;
        text = trim_xml_space(trimmed.substr(length));
        if (next == 3 || text.empty() || text.front() != '=') return bad("the XML declaration is not well-formed");
        text = trim_xml_space(text.substr(1));
        if (text.empty() || (text.front() != '"' && text.front() != '\''))
            return bad("the XML declaration lacks a quote");
        const std::size_t close = text.find(text.front(), 1);
        if (close == std::string_view::npos) return bad("the XML declaration lacks a quote");
        values[next++] = text.substr(1, close - 1);
        text = text.substr(close + 1);
    }
    if (values[0] != "1.0") return bad("the XML declaration does not say version 1.0");
    if (values[2].data() != nullptr && values[2] != "yes" && values[2] != "no")
        return bad("standalone is neither yes nor no");
    if (values[1].data() != nullptr) {
        const bool letters =
            !values[1].empty() && is_name_start(static_cast<unsigned char>(values[1][0])) &&
            std::all_of(values[1].begin(), values[1].end(), [](char c) {
                return static_cast<unsigned char>(c) < 0x80 && is_name_char(static_cast<unsigned char>(c));
            });
        if (!letters || values[1][0] == '_') return bad("the declared encoding is not a name");
        return values[1];
    }
    return std::nullopt;
}

}  // namespace tpf::pseudonym
