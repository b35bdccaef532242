#include "base/transcode.h"

#include <doctest/doctest.h>
#include <iconv.h>

#include <optional>
#include <random>
#include <string>

namespace tpf {
namespace {

/// glibc's iconv: the judge that is not ours. Nothing when it refuses.
std::optional<std::string> by_iconv(const char* from, std::string input, const char* to_name = "UTF-8") {
    const iconv_t converter = ::iconv_open(to_name, from);
    std::string out(input.size() * 4 + 16, '\0');
    char* in = input.data();
    std::size_t in_left = input.size();
    char* to = out.data();
    std::size_t out_left = out.size();
    const bool fine = ::iconv(converter, &in, &in_left, &to, &out_left) != static_cast<std::size_t>(-1) && in_left == 0;
    ::iconv_close(converter);
    if (!fine) return std::nullopt;
    out.resize(out.size() - out_left);
    return out;
}

std::optional<std::string> ours(Encoding from, const std::string& input, std::mt19937& random) {
    Transcoder transcoder(from);
    std::string out;
    for (std::size_t at = 0; at < input.size();) {
        const std::size_t size = random() % 9;
        if (!transcoder.update(std::string_view(input).substr(at, size), out)) return std::nullopt;
        at += size;
    }
    if (!transcoder.finish()) return std::nullopt;
    return out;
}

std::string random_text(std::mt19937& random) {
    static constexpr const char* kParts[] = {"a",
                                             "<x>",
                                             "æ",
                                             "ø",
                                             "\xef\xbf\xbd",
                                             "\xf0\x9f\x98\x80",
                                             "\xe2\x82\xac",
                                             "\xc2\x80",
                                             "0123456789abcdef",
                                             "\xf4\x8f\xbf\xbf",
                                             "\xed\x9f\xbf",
                                             "\xee\x80\x80"};
    std::string text;
    for (auto parts = random() % 20; parts > 0; --parts) text += kParts[random() % std::size(kParts)];
    return text;
}

}  // namespace

TEST_SUITE("base/transcode") {
    TEST_CASE("a byte order mark is found") {
        CHECK(detect_bom("\xef\xbb\xbfx").encoding == Encoding::utf8);
        CHECK(detect_bom("\xef\xbb\xbfx").size == 3);
        CHECK(detect_bom("\xff\xfex").encoding == Encoding::utf16le);
        CHECK(detect_bom("\xfe\xffx").encoding == Encoding::utf16be);
        CHECK(detect_bom("\xfe\xffx").size == 2);
        CHECK(detect_bom("<x/>").size == 0);
        CHECK(detect_bom("").size == 0);
        CHECK(detect_bom("\xef\xbb").size == 0);
    }

    // Every sequence of up to three bytes, and a random sample of four, in one go.
    TEST_CASE("UTF-8 is taken exactly where iconv takes it") {
        std::mt19937 random(1);
        const auto agree = [&](const std::string& bytes) {
            if (bytes.find('\0') != std::string::npos) return true;
            // UTF-8 to UTF-8 iconv lets values past U+10FFFF through; UTF-16 has no room for them.
            const auto taken = ours(Encoding::utf8, bytes, random);
            return taken.has_value() == by_iconv("UTF-8", bytes, "UTF-16LE").has_value() && (!taken || *taken == bytes);
        };
        int wrong = 0;
        for (int a = 0; a < 256; ++a) {
            for (int b = 0; b < 256; ++b) {
                wrong += agree({static_cast<char>(a), static_cast<char>(b)}) ? 0 : 1;
                if (a < 0xc0) continue;
                for (int c = 0x70; c < 0xd0; ++c) {
                    wrong += agree({static_cast<char>(a), static_cast<char>(b), static_cast<char>(c)}) ? 0 : 1;
                }
            }
        }
        for (int i = 0; i < 50000; ++i) {
            const std::uint32_t bits = static_cast<std::uint32_t>(random());
            wrong +=
                agree({static_cast<char>(0xf0 | (bits & 7)), static_cast<char>(0x80 | (bits >> 8 & 0x4f)),
                       static_cast<char>(0x80 | (bits >> 16 & 0x3f)), static_cast<char>(0x80 | (bits >> 24 & 0x7f))})
                    ? 0
                    : 1;
        }
        CHECK(wrong == 0);
    }

    TEST_CASE("UTF-16 in both orders and ISO-8859-1 become what iconv makes of them, whatever the split") {
        std::mt19937 random(2);
        int refused = 0;
        for (int round = 0; round < 20000; ++round) {
            std::string bytes;
            for (auto units = random() % 12; units > 0; --units) {
                const bool surrogate = random() % 3 == 0;
                const auto unit = surrogate ? 0xd800 + random() % 0x800 : 1 + random() % 0xfffd;
                bytes += static_cast<char>(unit & 0xff);
                bytes += static_cast<char>(unit >> 8);
            }
            if (random() % 10 == 0) bytes += 'x';
            const auto little = ours(Encoding::utf16le, bytes, random);
            CHECK(little == by_iconv("UTF-16LE", bytes));
            if (!little) ++refused;
            std::string zeroless;
            for (const char c : bytes) zeroless += c == '\0' ? 'o' : c;
            CHECK(ours(Encoding::utf16be, zeroless, random) == by_iconv("UTF-16BE", zeroless));
            CHECK(ours(Encoding::latin1, zeroless, random) == by_iconv("ISO-8859-1", zeroless));
        }
        CHECK(refused > 100);
    }

    TEST_CASE("to UTF-16LE and back") {
        std::mt19937 random(3);
        for (int round = 0; round < 2000; ++round) {
            const std::string text = random_text(random);
            const std::string wide = to_utf16le(text).value();
            CHECK(wide.starts_with("\xff\xfe"));
            CHECK(by_iconv("UTF-16LE", wide.substr(2)) == text);
            CHECK(to_utf8(wide).value() == text);
            CHECK(to_utf8("\xef\xbb\xbf" + text).value() == text);
            CHECK(to_utf8(text).value() == text);
        }
        CHECK(to_utf16le("\xff").error().code() == Code::encoding);
        CHECK(to_utf16le("\xe2\x82").error().code() == Code::encoding);
    }

    TEST_CASE("a zero character is refused in every encoding") {
        std::mt19937 random(4);
        for (std::size_t before = 0; before < 20; ++before) {
            const std::string narrow = std::string(before, 'a') + std::string(1, '\0') + "bbbbbbbbbb";
            CHECK_FALSE(ours(Encoding::utf8, narrow, random).has_value());
            CHECK_FALSE(ours(Encoding::latin1, narrow, random).has_value());
        }
        CHECK_FALSE(ours(Encoding::utf16le, std::string("a\0\0\0", 4), random).has_value());
        CHECK_FALSE(to_utf8(std::string("\xff\xfe\0\0<\0\0\0", 8)).has_value());  // UTF-32
    }
}

}  // namespace tpf
