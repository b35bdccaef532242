#include "audit/entry_form.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "audit/text_form.h"

namespace tpf::audit {
namespace {

constexpr std::string_view kActor = R"({"actor":)", kFields = R"(,"fields":)", kKind = R"(,"kind":)",
                           kMessage = R"(,"message":)", kSeq = R"(,"seq":)", kTime = R"(,"time":)", kEnd = R"(,"v":1})";
constexpr std::uint64_t kMostSeq = (std::uint64_t{1} << 53) - 1;  // beyond it a JSON number is not exact

// --- strings as RFC 8785 § 3.2.2.2 writes them ---

constexpr std::array<std::pair<char, char>, 7> kShort{
    {{'"', '"'}, {'\\', '\\'}, {'\b', 'b'}, {'\f', 'f'}, {'\n', 'n'}, {'\r', 'r'}, {'\t', 't'}}};

bool is_plain(char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
}

void append_escaped(std::string& out, char c) {
    const auto known = std::find_if(kShort.begin(), kShort.end(), [c](const auto& pair) { return pair.first == c; });
    if (known != kShort.end()) {
        out.append("\\").push_back(known->second);
        return;
    }
    constexpr std::string_view kHex = "0123456789abcdef";
    out.append("\\u00");
    out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
    out.push_back(kHex[static_cast<unsigned char>(c) & 15]);
}

void append_string(std::string& out, std::string_view text) {
    out.push_back('"');
    for (std::size_t at = 0; at < text.size();) {
        const auto stop = std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), is_plain);
        const std::size_t end = static_cast<std::size_t>(stop - text.begin());
        out.append(text.substr(at, end - at));
        if (end < text.size()) append_escaped(out, text[end]);
        at = end + 1;
    }
    out.push_back('"');
}

/// Goes through a text; each call either takes exactly what it names or leaves `good` false.
class Reader {
  public:
    explicit Reader(std::string_view text) : text_(text) {}
    [[nodiscard]] bool good() const noexcept { return good_; }
    [[nodiscard]] bool at_end() const noexcept { return at_ == text_.size(); }
    [[nodiscard]] std::size_t at() const noexcept { return at_; }
    [[nodiscard]] bool sees(std::string_view what) const noexcept { return text_.substr(at_).starts_with(what); }

    void literal(std::string_view what) {
        good_ = good_ && sees(what);
        if (good_) at_ += what.size();
    }
    /// What stands between quotes, with its escapes.
    std::string_view quoted() {
        literal("\"");
        const std::size_t begin = at_;
        while (good_ && at_ < text_.size() && text_[at_] != '"') {
            if (is_plain(text_[at_])) {
                ++at_;
            } else {
                escape();
            }
        }
        const std::size_t end = at_;
        literal("\"");
        return good_ ? text_.substr(begin, end - begin) : std::string_view();
    }
    std::string_view digits() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
        return text_.substr(begin, at_ - begin);
    }
    /// {"name":"text",…}, names rising.
    std::string_view object() {
        const std::size_t begin = at_;
        literal("{");
        std::string_view last;
        while (good_ && !sees("}")) {
            if (!last.empty()) literal(",");
            const std::string_view name = quoted();
            good_ = good_ && is_name(name) && name > last;
            last = name;
            literal(":");
            static_cast<void>(quoted());
        }
        literal("}");
        return good_ ? text_.substr(begin, at_ - begin) : std::string_view();
    }
    static bool is_name(std::string_view name) {
        return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        });
    }

  private:
    /// One escape, in the one form that its character has.
    void escape() {
        for (const auto& [character, letter] : kShort) {
            if (!sees(std::string({'\\', letter}))) continue;
            at_ += 2;
            return;
        }
        for (char c = 0; c < 0x20; ++c) {
            std::string form;
            append_escaped(form, c);
            if (!sees(form)) continue;
            at_ += form.size();
            return;
        }
        good_ = false;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    bool good_ = true;
};

/// Of a text that Reader::quoted() gave.
std::string unescaped(std::string_view quoted) {
    std::string text;
    for (std::size_t at = 0; at < quoted.size(); ++at) {
        if (quoted[at] != '\\') {
            text.push_back(quoted[at]);
            continue;
        }
        const char letter = quoted[++at];
        const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
        if (letter == 'u') {
            text.push_back(static_cast<char>(digit(quoted[at + 3]) * 16 + digit(quoted[at + 4])));
            at += 4;
        } else {
            text.push_back(
                std::find_if(kShort.begin(), kShort.end(), [&](const auto& p) { return p.second == letter; })->first);
        }
    }
    return text;
}

bool is_kind(std::string_view kind) {
    return !kind.empty() &&
           std::all_of(kind.begin(), kind.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
}

bool is_fields(std::string_view fields) {
    Reader reader(fields);
    static_cast<void>(reader.object());
    return reader.good() && reader.at_end() && is_text(fields, false);
}

/// UTF-8 of any characters: the control characters are written as escapes.
bool is_utf8(std::string_view text) {
    if (is_text(text, false)) return true;
    std::string plain(text);
    std::replace_if(
        plain.begin(), plain.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    return is_text(plain, false);
}

Failure bad(const char* what) {
    return fail(Code::journal, std::string("not in the one form of an audit entry: ") + what);
}

}  // namespace

Result<std::string> fields_text(const AuditEntry& entry) {
    auto fields = entry.fields();
    std::sort(fields.begin(), fields.end());
    std::string text = "{";
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const auto& [name, value] = fields[i];
        if (i > 0 && fields[i - 1].first == name)
            return fail(Code::internal, "audit entry with a field twice: " + name);
        if (!Reader::is_name(name)) return fail(Code::internal, "audit entry with a field of no good name");
        if (!is_utf8(value)) return fail(Code::internal, "audit entry with text that is not UTF-8");
        if (i > 0) text.push_back(',');
        append_string(text, name);
        text.push_back(':');
        append_string(text, value);
    }
    text.push_back('}');
    return text;
}

Result<std::string> canonical_entry(const EntryParts& parts) {
    if (parts.seq == 0 || parts.seq > kMostSeq) return bad("seq");
    if (!is_kind(parts.kind)) return bad("kind");
    if (!is_utf8(parts.actor)) return bad("actor");
    if (!is_fields(parts.fields)) return bad("fields");
    const std::string time = format_utc(parts.time);
    if (time.size() != 20) return bad("time");
    std::string out(kActor);
    out.reserve(parts.fields.size() + 256);
    append_string(out, parts.actor);
    out.append(kFields).append(parts.fields).append(kKind);
    append_string(out, parts.kind);
    if (parts.message) append_string(out.append(kMessage), parts.message->view());
    out.append(kSeq).append(std::to_string(parts.seq));
    append_string(out.append(kTime), time);
    return out.append(kEnd);
}

Result<EntryParts> parse_entry(std::string_view canonical) {
    Reader reader(canonical);
    EntryParts parts;
    reader.literal(kActor);
    parts.actor = unescaped(reader.quoted());
    reader.literal(kFields);
    parts.fields = reader.object();
    reader.literal(kKind);
    parts.kind = reader.quoted();
    if (reader.sees(kMessage)) {
        reader.literal(kMessage);
        const auto id = SpoolId::parse(reader.quoted());
        if (!id) return bad("message");
        parts.message = id.value();
    }
    reader.literal(kSeq);
    const auto seq = parse_decimal(reader.digits());
    reader.literal(kTime);
    const auto time = parse_utc(reader.quoted());
    reader.literal(kEnd);
    if (!reader.good() || !reader.at_end() || !seq || !time) return bad("members");
    parts.seq = *seq;
    parts.time = time.value();
    TPF_TRY(const std::string again, canonical_entry(parts));
    if (again != canonical) return bad("another way to write the same");
    return parts;
}

}  // namespace tpf::audit
