#include "conf/value.h"

#include <algorithm>
#include <charconv>

#include "base/pkcs11_uri.h"

namespace tpf::conf {
namespace {

bool is_lower(char c) noexcept {
    return c >= 'a' && c <= 'z';
}
bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

template <class Good>
bool all_of(std::string_view text, std::size_t most, Good good) {
    return !text.empty() && text.size() <= most && std::all_of(text.begin(), text.end(), good);
}

/// Nothing, and a complaint, for another type.
bool is_type(const Node& node, Node::Type type, std::string_view wanted, Complaints& complaints) {
    if (node.type == type) return true;
    complaints.push_back({node.at, "must be " + std::string(wanted) + ", but is " + std::string(node.type_name())});
    return false;
}

struct Unit {
    std::string_view name;
    std::uint64_t bytes;
};
constexpr Unit kUnits[] = {{"TiB", std::uint64_t{1} << 40},
                           {"GiB", std::uint64_t{1} << 30},
                           {"MiB", std::uint64_t{1} << 20},
                           {"KiB", std::uint64_t{1} << 10},
                           {"B", 1}};

std::optional<std::uint64_t> parse_size(std::string_view text) {
    std::uint64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.starts_with(' ')) text.remove_prefix(1);
    for (const Unit& unit : kUnits) {
        if (text == unit.name && count <= UINT64_MAX / unit.bytes) return count * unit.bytes;
    }
    return std::nullopt;
}

std::optional<std::uint64_t> in_range(const Node& node, std::uint64_t value, std::uint64_t least, std::uint64_t most,
                                      Complaints& complaints) {
    if (value >= least && value <= most) return value;
    complaints.push_back({node.at, std::to_string(value) + " is too " + (value < least ? "small" : "large")});
    return std::nullopt;
}

std::optional<std::uint64_t> not_negative(const Node& node, Complaints& complaints) {
    if (node.number >= 0) return static_cast<std::uint64_t>(node.number);
    complaints.push_back({node.at, std::to_string(node.number) + " is too small"});
    return std::nullopt;
}

/// Optimal string alignment distance (Damerau's four edits, none of them twice at one place).
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replace = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replace});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
            }
        }
    }
    return d[a.size()][b.size()];
}

}  // namespace

std::optional<std::uint64_t> WholeNumber::read(const Node& node, Complaints& complaints) const {
    if (!is_type(node, Node::Type::whole_number, "a whole number", complaints)) return std::nullopt;
    const auto value = not_negative(node, complaints);
    return value ? in_range(node, *value, least, most, complaints) : std::nullopt;
}

std::string WholeNumber::allowed() const {
    return std::to_string(least) + " to " + std::to_string(most);
}

std::optional<bool> YesNo::read(const Node& node, Complaints& complaints) {
    if (!is_type(node, Node::Type::boolean, "true or false", complaints)) return std::nullopt;
    return node.number != 0;
}

std::optional<std::uint64_t> Size::read(const Node& node, Complaints& complaints) const {
    if (node.type == Node::Type::whole_number) {
        const auto value = not_negative(node, complaints);
        return value ? in_range(node, *value, least, most, complaints) : std::nullopt;
    }
    if (!is_type(node, Node::Type::text, "a size", complaints)) return std::nullopt;
    const auto value = parse_size(node.text);
    if (value) return in_range(node, *value, least, most, complaints);
    complaints.push_back({node.at, in_quotes(node.text) + " is not a size in bytes, B, KiB, MiB, GiB or TiB"});
    return std::nullopt;
}

std::string Size::allowed() const {
    return size_text(least) + " to " + size_text(most);
}

std::string size_text(std::uint64_t bytes) {
    for (const Unit& unit : kUnits) {
        if (bytes != 0 && bytes % unit.bytes == 0)
            return std::to_string(bytes / unit.bytes) + " " + std::string(unit.name);
    }
    return "0 B";
}

std::optional<std::string> Text::read(const Node& node, Complaints& complaints) const {
    if (!is_type(node, Node::Type::text, "a text", complaints)) return std::nullopt;
    if (matches(node.text)) return node.text;
    complaints.push_back({node.at, in_quotes(node.text) + " is not of the right form"});
    return std::nullopt;
}

bool is_installation_name(std::string_view text) {
    return all_of(text, 64, [](char c) { return is_lower(c) || is_digit(c) || c == '.' || c == '-'; });
}
bool is_source_name(std::string_view text) {
    return text != "operator" && all_of(text, 32, [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
}
bool is_group_or_empty(std::string_view text) {
    return text.empty() || (is_user(text) && !is_digit(text[0]));
}
bool is_pkcs11_uri_or_empty(std::string_view text) {
    return text.empty() || Pkcs11Uri::parse(text).has_value();
}
bool is_user(std::string_view text) {
    if (all_of(text, 9, is_digit)) return true;
    return all_of(text, 32, [](char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-'; }) &&
           !is_digit(text[0]) && text[0] != '-';
}

std::optional<Path> AbsolutePath::read(const Node& node, Complaints& complaints) const {
    if (!is_type(node, Node::Type::text, "a path", complaints)) return std::nullopt;
    const std::string& text = node.text;
    std::string what;
    if (may_be_empty && text.empty()) return Path();
    if (!text.starts_with('/')) {
        what = "is not absolute";
    } else if (std::any_of(text.begin(), text.end(),
                           [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; })) {
        what = "holds a control character";
    } else if (Path(text).lexically_normal().native() != text || text.ends_with('/') || text.starts_with("//")) {
        what = "has a part \".\" or \"..\", a doubled slash or a slash at its end";
    } else if (text.size() > most_bytes) {
        what = "is longer than " + std::to_string(most_bytes) + " bytes";
    } else {
        return Path(text);
    }
    complaints.push_back({node.at, in_quotes(text) + " " + what});
    return std::nullopt;
}

std::string AbsolutePath::allowed() const {
    if (may_be_empty) return "absolute, or empty";
    return most_bytes < 4095 ? "absolute, at most " + std::to_string(most_bytes) + " bytes" : "absolute";
}

std::optional<Sender::Value> Sender::read(const Node& node, Complaints& complaints) {
    if (!is_type(node, Node::Type::text, "a text", complaints)) return std::nullopt;
    auto sender = Avsender::parse(node.text);
    if (sender) return Value(std::move(sender).value());
    complaints.push_back({node.at, in_quotes(node.text) + ": " + sender.error().detail()});
    return std::nullopt;
}

std::optional<Versions::Value> Versions::read(const Node& node, Complaints& complaints) {
    const std::size_t before = complaints.size();
    Value value;
    const auto* items = read_list(node, complaints);
    if (items == nullptr) return std::nullopt;
    for (const Node& item : *items) {
        const auto number = WholeNumber{1, 9999}.read(item, complaints);
        if (number) value.push_back(static_cast<unsigned>(*number));
    }
    if (complaints.size() != before) return std::nullopt;
    if (value.size() > 4) complaints.push_back({node.at, std::to_string(value.size()) + " versions are too many"});
    for (std::size_t i = 1; i < value.size(); ++i) {
        if (value[i] >= value[i - 1]) {
            complaints.push_back(
                {(*items)[i].at, std::to_string(value[i]) + " does not belong after " + std::to_string(value[i - 1])});
        }
    }
    return complaints.size() == before ? std::optional(std::move(value)) : std::nullopt;
}

std::string alternatives(const std::vector<std::string_view>& words, std::string_view last_joined_by) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) out += i + 1 == words.size() ? " " + std::string(last_joined_by) + " " : ", ";
        out += "\"" + std::string(words[i]) + "\"";
    }
    return out;
}

std::optional<std::size_t> read_word(const Node& node, const std::vector<std::string_view>& words,
                                     Complaints& complaints) {
    if (!is_type(node, Node::Type::text, "a text", complaints)) return std::nullopt;
    const auto it = std::find(words.begin(), words.end(), node.text);
    if (it != words.end()) return static_cast<std::size_t>(it - words.begin());
    const auto near = nearest(node.text, words);
    complaints.push_back({node.at, in_quotes(node.text) + " is not one of the values" +
                                       (near ? ", did you mean " + in_quotes(*near) + "?" : std::string())});
    return std::nullopt;
}

const std::vector<Node>* read_list(const Node& node, Complaints& complaints) {
    if (!is_type(node, Node::Type::list, "a list", complaints)) return nullptr;
    if (!node.items.empty()) return &node.items;
    complaints.push_back({node.at, "the list is empty"});
    return nullptr;
}

const Words<SourceKind>& source_kind_words() {
    static const Words<SourceKind> words = {{"drop", SourceKind::drop}, {"folder", SourceKind::folder}};
    return words;
}
const Words<NumberKind>& number_kind_words() {
    static const Words<NumberKind> words = {
        {"fodselsnummer", NumberKind::fodselsnummer}, {"d-nummer", NumberKind::d_nummer},
        {"fh-nummer", NumberKind::fh_nummer},         {"duf-nummer", NumberKind::duf_nummer},
        {"h-nummer", NumberKind::h_nummer},           {"npid", NumberKind::npid}};
    return words;
}
const Words<ControlRule>& control_rule_words() {
    static const Words<ControlRule> words = {{"old", ControlRule::old}, {"2032", ControlRule::relaxed_2032}};
    return words;
}
const Words<OnInvalid>& on_invalid_words() {
    static const Words<OnInvalid> words = {{"mark", OnInvalid::mark}, {"quarantine", OnInvalid::quarantine}};
    return words;
}
const Words<Installation>& installation_words() {
    static const Words<Installation> words = {{"production", Installation::production}, {"test", Installation::test}};
    return words;
}
const Words<MemoryLock>& memory_lock_words() {
    static const Words<MemoryLock> words = {{"require", MemoryLock::require}, {"try", MemoryLock::attempt}};
    return words;
}
const Words<log::Level>& level_words() {
    static const Words<log::Level> words = {{"debug", log::Level::debug},
                                            {"info", log::Level::info},
                                            {"warning", log::Level::warning},
                                            {"error", log::Level::error}};
    return words;
}

std::string_view to_string(SourceKind kind) noexcept {
    return word_of(source_kind_words(), kind);
}
std::string_view to_string(NumberKind kind) noexcept {
    return word_of(number_kind_words(), kind);
}
std::string_view to_string(ControlRule rule) noexcept {
    return word_of(control_rule_words(), rule);
}
std::string_view to_string(OnInvalid what) noexcept {
    return word_of(on_invalid_words(), what);
}
std::string_view to_string(Installation kind) noexcept {
    return word_of(installation_words(), kind);
}

std::optional<std::string_view> nearest(std::string_view text, const std::vector<std::string_view>& known) {
    constexpr std::size_t kMost = 3;
    std::optional<std::string_view> best;
    std::size_t best_distance = kMost + 1;
    for (const std::string_view candidate : known) {
        if (text.size() > candidate.size() + kMost || candidate.size() > text.size() + kMost) continue;
        const std::size_t distance = edit_distance(text, candidate);
        if (distance < best_distance && 3 * distance <= std::max(text.size(), candidate.size())) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

}  // namespace tpf::conf
