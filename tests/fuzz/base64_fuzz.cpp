// Base64 against a reference written from RFC 4648 alone: the decoder, the validator and the encoder, however cut.
#include "base/base64_stream.h"

#include <optional>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "tests/fuzz/fuzz_support.h"

namespace {

using namespace tpf;
using fuzz::require;

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// § 4 with § 3.5 (spare bits zero), white space taken out first; nothing when the text is not base64.
std::optional<std::string> reference_decode(std::string_view text) {
    std::string bare;
    for (const char c : text) {
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n') bare += c;
    }
    if (bare.size() % 4 != 0) return std::nullopt;
    std::size_t letters = bare.size();
    while (letters > 0 && bare[letters - 1] == '=') --letters;
    if (bare.size() - letters > 2) return std::nullopt;
    std::string out;
    std::size_t bits = 0;  // fewer than eight of them wait for the rest of their byte
    unsigned count = 0;
    for (std::size_t i = 0; i < letters; ++i) {
        const std::size_t value = kAlphabet.find(bare[i]);
        if (value == std::string_view::npos) return std::nullopt;
        bits = bits * 64 + value;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        out += static_cast<char>(bits >> count);
        bits %= std::size_t{1} << count;
    }
    if (bits != 0) return std::nullopt;
    return out;
}

std::optional<std::string> decode(std::string_view text, std::uint32_t seed) {
    Base64Decoder decoder;
    std::string out;
    bool good = true;
    fuzz::Splitter(seed).each(text, [&](std::string_view piece) {
        std::vector<std::uint8_t> room(Base64Decoder::max_output(piece.size()));
        const auto size = decoder.update(piece, room.data());
        good = size.has_value();
        if (good) out.append(reinterpret_cast<const char*>(room.data()), size.value());
        return good;
    });
    if (!good || !decoder.finish()) return std::nullopt;
    return out;
}

void check_validator(std::string_view text, std::uint32_t seed, const std::optional<std::string>& expected) {
    Base64Validator validator;
    bool good = true;
    fuzz::Splitter(seed).each(text, [&](std::string_view piece) {
        good = validator.update(piece).has_value();
        return good;
    });
    good = good && validator.finish().has_value();
    require(good == expected.has_value(), "the validator and the reference disagree");
    require(!good || validator.decoded_size() == expected->size(), "the validator counts otherwise");
}

void check_encoder(std::string_view bytes, std::uint32_t seed) {
    Base64Encoder encoder;
    std::string text;
    const auto put = [&](auto write) {
        std::vector<char> room(Base64Encoder::max_output(bytes.size()));
        text.append(room.data(), write(room.data()));
    };
    fuzz::Splitter(seed).each(bytes, [&](std::string_view piece) {
        put([&](char* room) { return encoder.update(as_bytes(piece), room); });
        return true;
    });
    put([&](char* room) { return encoder.finish(room); });
    require(text == base64(as_bytes(bytes)), "the encoders disagree");
    require(reference_decode(text) == std::string(bytes), "what was encoded does not decode to the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const fuzz::Input input(data, size);
    const auto expected = reference_decode(input.text);
    require(decode(input.text, input.seed) == expected, "the decoder and the reference disagree");
    check_validator(input.text, input.mode, expected);
    check_encoder(input.text, input.seed);
    const auto plain = from_base64(input.text);
    if (plain) require(as_text(plain.value()) == expected, "the small decoder accepts something else");
    return 0;
}
