// Transcoding against a reference that works code point by code point, from the Unicode standard's definitions. Mode
// bits 0 and 1: the encoding.
#include "base/transcode.h"

#include <optional>
#include <vector>

#include "tests/fuzz/fuzz_support.h"

namespace {

using namespace tpf;
using fuzz::require;
using CodePoints = std::vector<std::uint32_t>;

std::uint32_t byte_at(std::string_view text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}

/// Definitions D76 and D92: scalar values, shortest form.
std::optional<CodePoints> read_utf8(std::string_view text) {
    static constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    CodePoints out;
    for (std::size_t at = 0; at < text.size();) {
        std::uint32_t value = byte_at(text, at);
        std::size_t size = 1;
        if ((value & 0xe0) == 0xc0) {
            size = 2;
            value &= 0x1f;
        } else if ((value & 0xf0) == 0xe0) {
            size = 3;
            value &= 0x0f;
        } else if ((value & 0xf8) == 0xf0) {
            size = 4;
            value &= 0x07;
        } else if (value >= 0x80) {
            return std::nullopt;
        }
        if (at + size > text.size()) return std::nullopt;
        for (std::size_t i = 1; i < size; ++i) {
            if ((byte_at(text, at + i) & 0xc0) != 0x80) return std::nullopt;
            value = value * 64 + (byte_at(text, at + i) & 0x3f);
        }
        if (value < kLeast[size] || value > 0x10ffff || value / 0x800 == 0xd800 / 0x800) return std::nullopt;
        out.push_back(value);
        at += size;
    }
    return out;
}

/// Definition D91.
std::optional<CodePoints> read_utf16(std::string_view text, bool little) {
    if (text.size() % 2 != 0) return std::nullopt;
    CodePoints out;
    for (std::size_t at = 0; at < text.size(); at += 2) {
        const auto unit = [&](std::size_t i) {
            return little ? byte_at(text, i) + 256 * byte_at(text, i + 1)
                          : 256 * byte_at(text, i) + byte_at(text, i + 1);
        };
        std::uint32_t value = unit(at);
        if (value / 0x400 == 0xdc00 / 0x400) return std::nullopt;
        if (value / 0x400 == 0xd800 / 0x400) {
            at += 2;
            if (at == text.size() || unit(at) / 0x400 != 0xdc00 / 0x400) return std::nullopt;
            value = 0x10000 + (value - 0xd800) * 0x400 + (unit(at) - 0xdc00);
        }
        out.push_back(value);
    }
    return out;
}

std::optional<CodePoints> read(std::string_view text, Encoding encoding) {
    if (encoding == Encoding::utf8) return read_utf8(text);
    if (encoding != Encoding::latin1) return read_utf16(text, encoding == Encoding::utf16le);
    CodePoints out;
    for (std::size_t at = 0; at < text.size(); ++at) out.push_back(byte_at(text, at));
    return out;
}

std::optional<std::string> transcode(std::string_view text, Encoding encoding, std::uint32_t seed) {
    Transcoder transcoder(encoding);
    std::string out;
    bool good = true;
    fuzz::Splitter(seed).each(text, [&](std::string_view piece) {
        good = transcoder.update(piece, out).has_value();
        return good;
    });
    if (!good || !transcoder.finish()) return std::nullopt;
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr Encoding kEncodings[] = {Encoding::utf8, Encoding::utf16le, Encoding::utf16be, Encoding::latin1};
    const fuzz::Input input(data, size);
    const Encoding encoding = kEncodings[input.mode & 3];
    auto expected = read(input.text, encoding);
    for (std::size_t i = 0; expected && i < expected->size(); ++i) {
        if ((*expected)[i] == 0) expected.reset();  // U+0000 is refused everywhere
    }
    const auto found = transcode(input.text, encoding, input.seed);
    require(found.has_value() == expected.has_value(), "the transcoder and the reference disagree");
    if (!found) return 0;
    require(read_utf8(*found) == expected, "other characters come out");
    const auto utf16 = to_utf16le(*found);
    require(utf16.has_value(), "what came out is not UTF-8");
    require(read_utf16(std::string_view(utf16.value()).substr(2), true) == expected, "UTF-16 holds other characters");
    require(to_utf8(utf16.value()).value() == *found, "there and back is not the same");
    return 0;
}
