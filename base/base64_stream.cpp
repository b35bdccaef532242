#include "base/base64_stream.h"

#include <array>
#include <cstring>

namespace tpf {
namespace {

constexpr std::uint8_t kForeign = 0xff;
constexpr std::uint8_t kSpace = 0xfe;
constexpr std::uint8_t kPad = 0xfd;
constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::uint8_t, 256> make_table() {
    std::array<std::uint8_t, 256> table{};
    table.fill(kForeign);
    for (std::uint8_t i = 0; i < 64; ++i) table[static_cast<std::uint8_t>(kAlphabet[i])] = i;
    for (const char c : {' ', '\t', '\r', '\n'}) table[static_cast<std::uint8_t>(c)] = kSpace;
    table['='] = kPad;
    return table;
}
constexpr auto kTable = make_table();

std::uint8_t value_of(char c) noexcept { return kTable[static_cast<std::uint8_t>(c)]; }

}  // namespace

Result<std::size_t> Base64Decoder::update(std::string_view text, std::uint8_t* out) {
    std::uint8_t* const begin = out;
    const char* in = text.data();
    const char* const end = in + text.size();
    while (in != end) {
        if (characters_ == 0 && !ended_) {
            while (end - in >= 4) {
                const std::uint32_t a = value_of(in[0]), b = value_of(in[1]), c = value_of(in[2]), d = value_of(in[3]);
                if (((a | b | c | d) & 0x80) != 0) break;
                const std::uint32_t group = a << 18 | b << 12 | c << 6 | d;
                out[0] = static_cast<std::uint8_t>(group >> 16);
                out[1] = static_cast<std::uint8_t>(group >> 8);
                out[2] = static_cast<std::uint8_t>(group);
                out += 3;
                in += 4;
            }
            if (in == end) break;
        }
        const std::uint8_t value = value_of(*in++);
        if (value == kSpace) continue;
        if (value == kForeign || ended_) return fail(Code::base64, "a character that base64 does not have there");
        if (value == kPad) {
            if (characters_ < 2) return fail(Code::base64, "padding in the wrong place");
            ++padding_;
        } else {
            if (padding_ != 0) return fail(Code::base64, "content after padding");
            group_ = group_ << 6 | value;
        }
        if (++characters_ < 4) continue;
        if (padding_ == 0) {
            *out++ = static_cast<std::uint8_t>(group_ >> 16);
            *out++ = static_cast<std::uint8_t>(group_ >> 8);
            *out++ = static_cast<std::uint8_t>(group_);
        } else if (padding_ == 1) {
            if ((group_ & 0x3) != 0) return fail(Code::base64, "spare bits are not zero");
            *out++ = static_cast<std::uint8_t>(group_ >> 10);
            *out++ = static_cast<std::uint8_t>(group_ >> 2);
            ended_ = true;
        } else {
            if ((group_ & 0xf) != 0) return fail(Code::base64, "spare bits are not zero");
            *out++ = static_cast<std::uint8_t>(group_ >> 4);
            ended_ = true;
        }
        group_ = 0;
        characters_ = 0;
        padding_ = 0;
    }
    return static_cast<std::size_t>(out - begin);
}

Status Base64Decoder::finish() const {
    if (characters_ != 0) return fail(Code::base64, "base64 ends inside a group");
    return ok();
}

Status Base64Validator::update(std::string_view text) {
    for (const char c : text) {
        const std::uint8_t value = value_of(c);
        if (value == kSpace) continue;
        if (value == kForeign) return fail(Code::base64, "a character that base64 does not have");
        if (value == kPad) {
            if (++padding_ > 2) return fail(Code::base64, "too much padding");
        } else {
            if (padding_ != 0) return fail(Code::base64, "content after padding");
            last_ = value;
        }
        ++characters_;
    }
    return ok();
}

Status Base64Validator::finish() const {
    if (characters_ % 4 != 0) return fail(Code::base64, "base64 ends inside a group");
    if ((padding_ == 1 && (last_ & 0x3) != 0) || (padding_ == 2 && (last_ & 0xf) != 0)) {
        return fail(Code::base64, "spare bits are not zero");
    }
    return ok();
}

std::size_t Base64Encoder::update(std::span<const std::uint8_t> bytes, char* out) {
    char* const begin = out;
    const auto put = [&out](std::uint32_t group) {
        out[0] = kAlphabet[group >> 18 & 63];
        out[1] = kAlphabet[group >> 12 & 63];
        out[2] = kAlphabet[group >> 6 & 63];
        out[3] = kAlphabet[group & 63];
        out += 4;
    };
    std::size_t at = 0;
    if (count_ != 0) {
        while (count_ < 3 && at < bytes.size()) kept_[count_++] = bytes[at++];
        if (count_ < 3) return 0;
        put(static_cast<std::uint32_t>(kept_[0]) << 16 | static_cast<std::uint32_t>(kept_[1]) << 8 | kept_[2]);
        count_ = 0;
    }
    const std::uint8_t* in = bytes.data() + at;
    std::size_t left = bytes.size() - at;
    for (; left >= 3; left -= 3, in += 3) {
        put(static_cast<std::uint32_t>(in[0]) << 16 | static_cast<std::uint32_t>(in[1]) << 8 | in[2]);
    }
    for (; left > 0; --left) kept_[count_++] = *in++;
    return static_cast<std::size_t>(out - begin);
}

std::size_t Base64Encoder::finish(char* out) {
    if (count_ == 0) return 0;
    const std::uint32_t group =
        static_cast<std::uint32_t>(kept_[0]) << 16 | (count_ == 2 ? static_cast<std::uint32_t>(kept_[1]) << 8 : 0U);
    out[0] = kAlphabet[group >> 18 & 63];
    out[1] = kAlphabet[group >> 12 & 63];
    out[2] = count_ == 2 ? kAlphabet[group >> 6 & 63] : '=';
    out[3] = '=';
    count_ = 0;
    return 4;
}

}  // namespace tpf
