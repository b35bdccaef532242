#include "audit/text_form.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/encoding.h"

namespace tpf::audit {
namespace {

/// The code point at `at`, which is moved behind it; none: not UTF-8.
std::optional<std::uint32_t> next_code_point(std::string_view text, std::size_t& at) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t first = byte(at++);
    if (first < 0x80) return first;
    const std::size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4 || text.size() - at < more) return std::nullopt;
    std::uint32_t point = first & (0x3fu >> more);
    for (std::size_t i = 0; i < more; ++i, ++at) {
        if ((byte(at) & 0xc0) != 0x80) return std::nullopt;
        point = point << 6 | (byte(at) & 0x3fu);
    }
    constexpr std::uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
    if (point < kLeast[more] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return std::nullopt;
    return point;
}

/// Unicode's property White_Space, but for the control characters below U+0020.
bool is_space(std::uint32_t point) {
    return point == 0x20 || point == 0x85 || point == 0xa0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200a) ||
           point == 0x2028 || point == 0x2029 || point == 0x202f || point == 0x205f || point == 0x3000;
}

template <class Allowed>
bool all_code_points(std::string_view text, Allowed allowed) {
    for (std::size_t at = 0; at < text.size();) {
        const auto point = next_code_point(text, at);
        if (!point || !allowed(*point)) return false;
    }
    return true;
}

/// Nearly all texts are; looked at first, since to decode costs a third of verifying a log.
bool is_plain_ascii(std::string_view text) {
    unsigned other = 0;
    for (const char c : text) other |= static_cast<unsigned>(static_cast<unsigned char>(c) - 0x20u >= 0x60u);
    return other == 0;
}

}  // namespace

bool is_text(std::string_view text, bool lines) {
    return is_plain_ascii(text) ||
           all_code_points(text, [lines](std::uint32_t point) { return point >= 0x20 || (lines && point == '\n'); });
}

bool is_key_name(std::string_view name) {
    return !name.empty() &&
           all_code_points(name, [](std::uint32_t point) { return point >= 0x20 && point != '+' && !is_space(point); });
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.empty() || !std::all_of(text.begin(), text.end(), digit)) return std::nullopt;
    if (text.front() == '0' && text.size() != 1) return std::nullopt;
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return static_cast<std::uint64_t>(number);
}

std::optional<Digest> parse_digest(std::string_view base64) {
    const auto bytes = from_base64(base64);
    Digest digest{};
    if (!bytes || bytes.value().size() != digest.size()) return std::nullopt;
    std::copy(bytes.value().begin(), bytes.value().end(), digest.begin());
    return digest;
}

}  // namespace tpf::audit
