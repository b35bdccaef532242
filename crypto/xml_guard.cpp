#include "crypto/xml_guard.h"

#include <algorithm>
#include <string>
#include <vector>

namespace tpf::crypto {
namespace {

bool is_space(char c) noexcept {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}
bool is_name_start(char c) noexcept {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}
bool is_name_char(char c) noexcept {
    return is_name_start(c) || is_digit(c) || c == '.' || c == '-';
}

bool is_xml_char(std::uint32_t c) noexcept {
    return c == 0x9 || c == 0xa || c == 0xd || (c >= 0x20 && c <= 0xd7ff) || (c >= 0xe000 && c <= 0xfffd) ||
           (c >= 0x10000 && c <= 0x10ffff);
}

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

/// Recursive descent without the recursion: a stack of open names.
class Checker {
  public:
    Checker(std::string_view text, std::string_view declared, const XmlLimits& limits)
        : text_(text), declared_(declared), limits_(limits) {}

    Status run() {
        TPF_TRY(check_characters());
        if (rest().starts_with("<?xml") && rest().size() > 5 && is_space(rest()[5])) {
            TPF_TRY(declaration());
        }
        skip_space();
        if (!rest().starts_with('<')) return bad("an element was expected");
        TPF_TRY(start_tag());
        while (!open_.empty()) {
            TPF_TRY(content());
        }
        skip_space();
        if (!rest().empty()) return bad("something follows the root element");
        return ok();
    }

  private:
    [[nodiscard]] std::string_view rest() const noexcept { return text_.substr(at_); }
    [[nodiscard]] Error error(const std::string& what) const {
        return Error(Code::field_form, "line " + std::to_string(line_at(text_, at_)) + ": " + what);
    }
    [[nodiscard]] decltype(fail(Code::field_form)) bad(const std::string& what) const { return fail(error(what)); }

    bool skip_space() noexcept {
        const std::size_t begin = at_;
        while (at_ < text_.size() && is_space(text_[at_])) ++at_;
        return at_ != begin;
    }
    bool take(std::string_view expected) noexcept {
        if (!rest().starts_with(expected)) return false;
        at_ += expected.size();
        return true;
    }

    /// Control characters, U+FFFE and U+FFFF stand nowhere in an XML document.
    Status check_characters() {
        for (; at_ < text_.size(); ++at_) {
            const auto c = static_cast<unsigned char>(text_[at_]);
            const bool not_a_character =
                c == 0xef && (rest().starts_with("\xef\xbf\xbe") || rest().starts_with("\xef\xbf\xbf"));
            if ((c < 0x20 && !is_space(text_[at_])) || not_a_character)
                return bad("a character that XML does not have");
        }
        at_ = 0;
        return ok();
    }

    Result<std::string_view> name() {
        const std::size_t begin = at_;
        for (int part = 0; part < 2; ++part) {
            if (rest().empty() || !is_name_start(rest()[0])) return bad("a name was expected");
            while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
            if (part == 1 || !take(":")) break;
        }
        return text_.substr(begin, at_ - begin);
    }

    Result<std::string_view> quoted() {
        skip_space();
        if (!take("=")) return bad("'=' was expected");
        skip_space();
        const char quote = rest().empty() ? '\0' : rest()[0];
        if (quote != '"' && quote != '\'') return bad("a quoted value was expected");
        const std::size_t begin = ++at_;
        while (at_ < text_.size() && text_[at_] != quote) {
            if (text_[at_] == '<') return bad("'<' in an attribute's value");
            if (text_[at_] == '&') {
                TPF_TRY(reference());
            } else {
                ++at_;
            }
        }
        if (!take(std::string_view(&quote, 1))) return bad("the value's closing quote is missing");
        return text_.substr(begin, at_ - 1 - begin);
    }

    Status reference() {
        for (const std::string_view known : {"&lt;", "&gt;", "&amp;", "&apos;", "&quot;"}) {
            if (take(known)) return ok();
        }
        if (!take("&#")) return bad("'&' that begins no known entity");
        const bool hexadecimal = take("x");
        std::uint32_t value = 0;
        std::size_t digits = 0;
        for (; at_ < text_.size() && text_[at_] != ';' && digits < 8; ++at_, ++digits) {
            const char c = text_[at_];
            const bool letter = hexadecimal && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'));
            if (!is_digit(c) && !letter) break;
            const int digit = is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
            value = value * (hexadecimal ? 16 : 10) + static_cast<std::uint32_t>(digit);
        }
        if (digits == 0 || !take(";") || !is_xml_char(value)) return bad("a character reference that means nothing");
        return ok();
    }

    Status declaration() {
        at_ += 5;
        skip_space();
        TPF_TRY(const auto first, name());
        TPF_TRY(const auto version, quoted());
        if (first != "version" || version != "1.0") return bad("only XML 1.0 is read");
        bool spaced = skip_space();
        for (const std::string_view expected : {"encoding", "standalone"}) {
            if (!spaced || !rest().starts_with(expected)) continue;
            at_ += expected.size();
            TPF_TRY(const auto value, quoted());
            if (expected == "encoding" && !equal_ignoring_case(value, declared_)) {
                return fail(Code::encoding, "line 1: the declaration names another encoding than the file has");
            }
            if (expected == "standalone" && value != "yes" && value != "no") return bad("standalone is yes or no");
            spaced = skip_space();
        }
        if (!take("?>")) return bad("the XML declaration is not closed");
        return ok();
    }

    Status start_tag() {
        if (!take("<")) return bad("'<' was expected");
        if (rest().starts_with('!')) return bad("comments, CDATA sections and DOCTYPE are not allowed");
        if (rest().starts_with('?')) return bad("processing instructions are not allowed");
        TPF_TRY(const auto element, name());
        if (open_.size() == limits_.depth) {
            return fail(Code::limit, error("elements are nested too deep").detail());
        }
        std::vector<std::string_view> attributes;
        while (skip_space() && !rest().empty() && is_name_start(rest()[0])) {
            TPF_TRY(const auto attribute, name());
            if (std::find(attributes.begin(), attributes.end(), attribute) != attributes.end()) {
                return bad("an attribute is there twice");
            }
            attributes.push_back(attribute);
            TPF_TRY(quoted());
        }
        if (take("/>")) return ok();
        if (!take(">")) return bad("the start tag is not closed");
        open_.push_back(element);
        return ok();
    }

    /// Up to and with the next tag.
    Status content() {
        while (at_ < text_.size() && text_[at_] != '<') {
            if (rest().starts_with("]]>")) return bad("']]>' in text");
            if (text_[at_] == '&') {
                TPF_TRY(reference());
            } else {
                ++at_;
            }
        }
        if (rest().empty()) return bad("the document ends inside an element");
        if (!take("</")) return start_tag();
        TPF_TRY(const auto element, name());
        if (element != open_.back()) return bad("an end tag that does not match its start tag");
        skip_space();
        if (!take(">")) return bad("the end tag is not closed");
        open_.pop_back();
        return ok();
    }

    std::string_view text_;
    std::string_view declared_;
    XmlLimits limits_;
    std::size_t at_ = 0;
    std::vector<std::string_view> open_;
};

}  // namespace

Status check_small_xml(std::string_view text, std::string_view declared, const XmlLimits& limits) {
    if (text.size() > limits.bytes) {
        return fail(Code::limit, "larger than " + std::to_string(limits.bytes) + " bytes");
    }
    return Checker(text, declared, limits).run();
}

std::size_t line_at(std::string_view text, std::size_t offset) noexcept {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(offset, text.size()));
    return 1 + static_cast<std::size_t>(std::count(text.begin(), end, '\n'));
}

}  // namespace tpf::crypto
