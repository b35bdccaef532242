#include "pseudonym/utf8.h"

#include <algorithm>
#include <cstring>

namespace tpf::pseudonym {
namespace {

bool is_special(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte >= 0x80 || c == ']';
}

// Sixteen bytes at a time, in the compiler's portable vectors: SSE2 on every x86-64, NEON on arm64.
using Signed16 = signed char __attribute__((vector_size(16)));
using Words2 = long long __attribute__((vector_size(16)));

/// Whether a block may hold something special: below space (as signed bytes, so all of 0x80 and up as well) or `]`.
bool is_suspicious(const char* block) noexcept {
    Signed16 found{};
    for (std::size_t i = 0; i < 4; ++i) {
        Signed16 bytes;
        std::memcpy(&bytes, block + 16 * i, sizeof bytes);
        found |= (bytes < 0x20) | (bytes == ']');
    }
    Words2 words;
    std::memcpy(&words, &found, sizeof words);
    return (words[0] | words[1]) != 0;
}

}  // namespace

Utf8Char decode_utf8(std::string_view bytes) noexcept {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    const unsigned char first = at(0);
    if (first < 0x80) return {first, 1, false};
    unsigned size = 0;
    std::uint32_t value = 0;
    unsigned low = 0x80, high = 0xbf;  // what the second byte may be: excludes overlong forms and surrogates
    if (first >= 0xc2 && first <= 0xdf) {
        size = 2;
        value = first & 0x1fU;
    } else if (first >= 0xe0 && first <= 0xef) {
        size = 3;
        value = first & 0x0fU;
        if (first == 0xe0) low = 0xa0;
        if (first == 0xed) high = 0x9f;
    } else if (first >= 0xf0 && first <= 0xf4) {
        size = 4;
        value = first & 0x07U;
        if (first == 0xf0) low = 0x90;
        if (first == 0xf4) high = 0x8f;
    } else {
        return {};
    }
    for (unsigned i = 1; i < size; ++i) {
        if (i >= bytes.size()) return {0, 0, true};
        const unsigned char c = at(i);
        if (c < low || c > high) return {};
        low = 0x80;
        high = 0xbf;
        value = value << 6 | (c & 0x3fU);
    }
    return {value, size, false};
}

bool is_xml_char(std::uint32_t c) noexcept {
    return c == 0x9 || c == 0xa || c == 0xd || (c >= 0x20 && c <= 0xd7ff) || (c >= 0xe000 && c <= 0xfffd) ||
           (c >= 0x10000 && c <= 0x10ffff);
}

void append_utf8(std::uint32_t c, std::string& out) {
    const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (c < 0x80) {
        put(c);
    } else if (c < 0x800) {
        put(0xc0 | c >> 6);
        put(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        put(0xe0 | c >> 12);
        put(0x80 | (c >> 6 & 0x3f));
        put(0x80 | (c & 0x3f));
    } else {
        put(0xf0 | c >> 18);
        put(0x80 | (c >> 12 & 0x3f));
        put(0x80 | (c >> 6 & 0x3f));
        put(0x80 | (c & 0x3f));
    }
}

std::size_t plain_ascii_prefix(std::string_view text) noexcept {
    constexpr std::size_t kBlock = 64;
    std::size_t at = 0;
    while (at < text.size()) {
        if (at + kBlock <= text.size() && !is_suspicious(text.data() + at)) {
            at += kBlock;
            continue;
        }
        const std::size_t end = std::min(at + kBlock, text.size());
        for (; at < end; ++at) {
            if (is_special(text[at])) return at;
        }
    }
    return at;
}

}  // namespace tpf::pseudonym
