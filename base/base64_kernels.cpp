#include "base/base64_kernels.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tpf {
namespace {

constexpr std::array<std::uint8_t, 256> make_table() {
    std::array<std::uint8_t, 256> table{};
    table.fill(kBase64Foreign);
    for (std::uint8_t i = 0; i < 64; ++i) table[static_cast<std::uint8_t>(kBase64Alphabet[i])] = i;
    for (const char c : {' ', '\t', '\r', '\n'}) table[static_cast<std::uint8_t>(c)] = kBase64Space;
    table['='] = kBase64Pad;
    return table;
}
constexpr auto kTable = make_table();

std::uint32_t value_of(char c) noexcept {
    return kTable[static_cast<std::uint8_t>(c)];
}

std::size_t decode_scalar(const char* in, std::size_t size, std::uint8_t* out) {
    std::size_t done = 0;
    for (; size - done >= 4; done += 4, in += 4, out += 3) {
        const std::uint32_t a = value_of(in[0]), b = value_of(in[1]), c = value_of(in[2]), d = value_of(in[3]);
        if (((a | b | c | d) & 0x80) != 0) break;
        const std::uint32_t group = a << 18 | b << 12 | c << 6 | d;
        out[0] = static_cast<std::uint8_t>(group >> 16);
        out[1] = static_cast<std::uint8_t>(group >> 8);
        out[2] = static_cast<std::uint8_t>(group);
    }
    return done;
}

std::size_t validate_scalar(const char* in, std::size_t size) {
    std::size_t done = 0;
    for (; size - done >= 4; done += 4, in += 4) {
        if (((value_of(in[0]) | value_of(in[1]) | value_of(in[2]) | value_of(in[3])) & 0x80) != 0) break;
    }
    return done;
}

std::size_t copy_scalar(const char* in, std::size_t size, char* out) {
    const std::size_t done = validate_scalar(in, size);
    std::memcpy(out, in, done);
    return done;
}

std::size_t encode_scalar(const std::uint8_t* in, std::size_t size, char* out) {
    std::size_t done = 0;
    for (; size - done >= 3; done += 3, in += 3, out += 4) {
        const std::uint32_t group =
            static_cast<std::uint32_t>(in[0]) << 16 | static_cast<std::uint32_t>(in[1]) << 8 | in[2];
        out[0] = kBase64Alphabet[group >> 18 & 63];
        out[1] = kBase64Alphabet[group >> 12 & 63];
        out[2] = kBase64Alphabet[group >> 6 & 63];
        out[3] = kBase64Alphabet[group & 63];
    }
    return done;
}

constexpr Base64Kernels kScalar{decode_scalar, validate_scalar, copy_scalar, encode_scalar};

#if defined(__x86_64__)
// W. Muła and D. Lemire, "Faster Base64 Encoding and Decoding using AVX2 Instructions", ACM TWEB 12 (2018): § 3 for
// encoding, § 4 for decoding. A character is looked up twice, by each of its nibbles; it is in the alphabet when the
// two answers share no bit.
/// Characters that are asked for ahead: another core may have read them in.
constexpr std::size_t kAhead = 1024;

#define TPF_AVX2 __attribute__((target("avx2")))

TPF_AVX2 inline __m256i load(const char* at) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(at));
}

TPF_AVX2 inline __m256i both_lanes(__m128i lane) {
    return _mm256_broadcastsi128_si256(lane);
}

TPF_AVX2 inline __m256i high_nibbles(__m256i text) {
    return _mm256_and_si256(_mm256_srli_epi32(text, 4), _mm256_set1_epi8(0x2f));
}

/// A byte that is not zero for each character outside the alphabet.
TPF_AVX2 inline __m256i foreign(__m256i text, __m256i high) {
    const __m256i by_low = both_lanes(
        _mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a));
    const __m256i by_high = both_lanes(
        _mm_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10));
    const __m256i low = _mm256_and_si256(text, _mm256_set1_epi8(0x2f));
    return _mm256_and_si256(_mm256_shuffle_epi8(by_low, low), _mm256_shuffle_epi8(by_high, high));
}

/// 32 characters of the alphabet to 24 bytes, in the low 24 of the answer.
TPF_AVX2 inline __m256i decode_block(__m256i text, __m256i high) {
    const __m256i shift = both_lanes(_mm_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0));
    const __m256i slash = _mm256_cmpeq_epi8(text, _mm256_set1_epi8('/'));
    const __m256i sixes = _mm256_add_epi8(text, _mm256_shuffle_epi8(shift, _mm256_add_epi8(slash, high)));
    const __m256i twelves = _mm256_maddubs_epi16(sixes, _mm256_set1_epi32(0x01400140));
    const __m256i groups = _mm256_madd_epi16(twelves, _mm256_set1_epi32(0x00011000));
    const __m256i order = both_lanes(_mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1));
    return _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(groups, order), _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));
}

TPF_AVX2 std::size_t decode_avx2(const char* in, std::size_t size, std::uint8_t* out) {
    std::size_t done = 0;
    for (; size - done >= 32; done += 32) {
        __builtin_prefetch(in + done + kAhead);
        const __m256i text = load(in + done);
        const __m256i high = high_nibbles(text);
        const __m256i wrong = foreign(text, high);
        if (_mm256_testz_si256(wrong, wrong) == 0) break;
        _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(out + done / 4 * 3), decode_block(text, high));
    }
    return done + decode_scalar(in + done, size - done, out + done / 4 * 3);
}

/// Whether all 64 characters are of the alphabet.
TPF_AVX2 inline bool all_alphabet(__m256i first, __m256i second) {
    const __m256i wrong = _mm256_or_si256(foreign(first, high_nibbles(first)), foreign(second, high_nibbles(second)));
    return _mm256_testz_si256(wrong, wrong) != 0;
}

TPF_AVX2 std::size_t validate_avx2(const char* in, std::size_t size) {
    std::size_t done = 0;
    while (size - done >= 64 && all_alphabet(load(in + done), load(in + done + 32))) done += 64;
    return done + validate_scalar(in + done, size - done);
}

TPF_AVX2 std::size_t copy_avx2(const char* in, std::size_t size, char* out) {
    std::size_t done = 0;
    for (; size - done >= 64; done += 64) {
        const __m256i first = load(in + done);
        const __m256i second = load(in + done + 32);
        if (!all_alphabet(first, second)) break;
        auto* const to = reinterpret_cast<__m256i_u*>(out + done);
        _mm256_storeu_si256(to, first);
        _mm256_storeu_si256(to + 1, second);
    }
    return done + copy_scalar(in + done, size - done, out + done);
}

/// 24 bytes (28 are read) to 32 characters.
TPF_AVX2 inline __m256i encode_block(const std::uint8_t* in) {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i_u*>(in));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i_u*>(in + 12));
    const __m256i order = both_lanes(_mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10));
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), order);
    const __m256i outer =
        _mm256_mulhi_epu16(_mm256_and_si256(bytes, _mm256_set1_epi32(0x0fc0fc00)), _mm256_set1_epi32(0x04000040));
    const __m256i inner =
        _mm256_mullo_epi16(_mm256_and_si256(bytes, _mm256_set1_epi32(0x003f03f0)), _mm256_set1_epi32(0x01000010));
    const __m256i sixes = _mm256_or_si256(outer, inner);
    const __m256i shift = both_lanes(_mm_setr_epi8(65, 71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 0, 0));
    const __m256i range =
        _mm256_sub_epi8(_mm256_subs_epu8(sixes, _mm256_set1_epi8(51)), _mm256_cmpgt_epi8(sixes, _mm256_set1_epi8(25)));
    return _mm256_add_epi8(sixes, _mm256_shuffle_epi8(shift, range));
}

TPF_AVX2 std::size_t encode_avx2(const std::uint8_t* in, std::size_t size, char* out) {
    std::size_t done = 0;
    for (; size - done >= 28; done += 24) {
        _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(out + done / 3 * 4), encode_block(in + done));
    }
    return done + encode_scalar(in + done, size - done, out + done / 3 * 4);
}

constexpr Base64Kernels kAvx2{decode_avx2, validate_avx2, copy_avx2, encode_avx2};

bool has_avx2() noexcept {
    static const bool has = __builtin_cpu_supports("avx2") != 0;
    return has;
}
#else
constexpr Base64Kernels kAvx2 = kScalar;

bool has_avx2() noexcept {
    return false;
}
#endif

}  // namespace

std::uint8_t base64_value(char c) noexcept {
    return kTable[static_cast<std::uint8_t>(c)];
}

const Base64Kernels& base64_kernels(Base64Path path) noexcept {
    return path != Base64Path::scalar && has_avx2() ? kAvx2 : kScalar;
}

}  // namespace tpf
