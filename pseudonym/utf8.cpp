#include "pseudonym/utf8.h"

#include <bit>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tpf::pseudonym {
namespace {

constexpr char kLetterLead = '\xc3';  // U+00C0 to U+00FF: this byte and one that continues

bool is_plain_ascii(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 || c == '\t' || c == '\n' || c == '\r') && byte < 0x80 && c != ']' && c != '<' && c != '&';
}

bool continues(char c) noexcept {
    return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

#if defined(__x86_64__)
constexpr unsigned kBlock = 16;

/// How many bytes of the 16 are plain characters. A letter that ends outside the block is not counted.
unsigned plain_in_block(const char* block) noexcept {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i_u*>(block));
    const auto is = [&](char c) { return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)); };
    const auto bits = [](__m128i mask) { return static_cast<unsigned>(_mm_movemask_epi8(mask)); };
    // As signed bytes all of 0x80 and up are below space, and those that continue a character below all others.
    const __m128i control = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
    const __m128i space = _mm_or_si128(_mm_or_si128(is('\t'), is('\n')), is('\r'));
    const __m128i markup = _mm_or_si128(_mm_or_si128(is('<'), is('&')), is(']'));
    unsigned special = bits(_mm_or_si128(_mm_andnot_si128(space, control), markup));
    if (bits(bytes) != 0) {
        const unsigned leads = bits(is(kLetterLead));
        const unsigned whole = leads & bits(_mm_cmplt_epi8(bytes, _mm_set1_epi8('\xc0'))) >> 1;
        special &= ~(whole | whole << 1);
    }
    return static_cast<unsigned>(std::countr_zero(special | 1U << kBlock));
}

/// Length of the blocks of 64 bytes at the front that hold nothing special, and no line break.
__attribute__((target("avx2"))) std::size_t plain_blocks_avx2(std::string_view text) noexcept {
    const __m256i first_plain = _mm256_set1_epi8(0x20);
    const __m256i less = _mm256_set1_epi8('<'), ampersand = _mm256_set1_epi8('&'), bracket = _mm256_set1_epi8(']');
    std::size_t at = 0;
    for (; at + 64 <= text.size(); at += 64) {
        const auto* block = reinterpret_cast<const __m256i_u*>(text.data() + at);
        const __m256i a = _mm256_loadu_si256(block), b = _mm256_loadu_si256(block + 1);
        __m256i found = _mm256_or_si256(_mm256_cmpgt_epi8(first_plain, a), _mm256_cmpgt_epi8(first_plain, b));
        found = _mm256_or_si256(found, _mm256_or_si256(_mm256_cmpeq_epi8(a, less), _mm256_cmpeq_epi8(b, less)));
        found =
            _mm256_or_si256(found, _mm256_or_si256(_mm256_cmpeq_epi8(a, ampersand), _mm256_cmpeq_epi8(b, ampersand)));
        found = _mm256_or_si256(found, _mm256_or_si256(_mm256_cmpeq_epi8(a, bracket), _mm256_cmpeq_epi8(b, bracket)));
        if (_mm256_testz_si256(found, found) == 0) break;
    }
    return at;
}
#endif

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

std::size_t plain_prefix(std::string_view text) noexcept {
    std::size_t at = 0;
#if defined(__x86_64__)
    static const bool avx2 = __builtin_cpu_supports("avx2") != 0;
    while (at + kBlock <= text.size()) {
        const unsigned plain = plain_in_block(text.data() + at);
        at += plain;
        if (plain < kBlock - 1) return at;
        if (plain == kBlock && avx2) at += plain_blocks_avx2(text.substr(at));
    }
#endif
    while (at < text.size()) {
        const bool letter = text[at] == kLetterLead && at + 1 < text.size() && continues(text[at + 1]);
        if (!letter && !is_plain_ascii(text[at])) return at;
        at += letter ? 2 : 1;
    }
    return at;
}

}  // namespace tpf::pseudonym
