#include "base/encoding.h"

#include "base/base64_stream.h"

namespace tpf {
namespace {

int nibble(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

std::string hex(ByteView bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const std::uint8_t b : bytes) {
        out += kDigits[b >> 4];
        out += kDigits[b & 15];
    }
    return out;
}

Result<Bytes> from_hex(std::string_view text) {
    if (text.size() % 2 != 0) return fail(Code::field_form, "odd number of hex digits");
    Bytes out;
    out.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = nibble(text[i]);
        const int low = nibble(text[i + 1]);
        if (high < 0 || low < 0) return fail(Code::field_form, "not a hex digit");
        out.push_back(static_cast<std::uint8_t>(high * 16 + low));
    }
    return out;
}

std::string base64(ByteView bytes) {
    std::string out(Base64Encoder::max_output(bytes.size()), '\0');
    Base64Encoder encoder;
    std::size_t size = encoder.update(bytes, out.data());
    size += encoder.finish(out.data() + size);
    out.resize(size);
    return out;
}

Result<Bytes> from_base64(std::string_view text) {
    if (text.find_first_of(" \t\r\n") != std::string_view::npos) return fail(Code::base64, "white space in base64");
    Bytes out(Base64Decoder::max_output(text.size()));
    Base64Decoder decoder;
    TPF_TRY(const std::size_t size, decoder.update(text, out.data()));
    TPF_TRY(decoder.finish());
    out.resize(size);
    return out;
}

}  // namespace tpf
