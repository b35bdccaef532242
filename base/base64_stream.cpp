#include "base/base64_stream.h"

#include "base/base64_kernels.h"

namespace tpf {

Base64Decoder::Base64Decoder(Base64Path path) noexcept : kernels_(&base64_kernels(path)) {}

void Base64Decoder::reset() noexcept {
    const Base64Kernels* const kernels = kernels_;
    *this = Base64Decoder();
    kernels_ = kernels;
}

Result<std::size_t> Base64Decoder::update(std::string_view text, std::uint8_t* out) {
    std::uint8_t* const begin = out;
    for (std::size_t at = 0; at < text.size();) {
        if (characters_ == 0 && !ended_) {
            const std::size_t run = kernels_->decode(text.data() + at, text.size() - at, out);
            at += run;
            out += run / 4 * 3;
            if (at == text.size()) break;
        }
        const std::uint8_t value = base64_value(text[at++]);
        if (value == kBase64Space) continue;
        TPF_TRY(take(value));
        if (characters_ == 4) {
            TPF_TRY(out, end_group(out));
        }
    }
    return static_cast<std::size_t>(out - begin);
}

Status Base64Decoder::take(std::uint8_t value) {
    if (value == kBase64Foreign || ended_) return fail(Code::base64, "a character that base64 does not have there");
    if (value == kBase64Pad) {
        if (characters_ < 2) return fail(Code::base64, "padding in the wrong place");
        ++padding_;
    } else {
        if (padding_ != 0) return fail(Code::base64, "content after padding");
        group_ = group_ << 6 | value;
    }
    ++characters_;
    return ok();
}

Result<std::uint8_t*> Base64Decoder::end_group(std::uint8_t* out) {
    const unsigned spare = padding_ * 2;  // bits at the end of the group that stand for nothing
    if ((group_ & ((1U << spare) - 1)) != 0) return fail(Code::base64, "spare bits are not zero");
    const unsigned bytes = 3 - padding_;
    group_ >>= spare;
    for (unsigned i = 0; i < bytes; ++i) out[i] = static_cast<std::uint8_t>(group_ >> (8 * (bytes - 1 - i)));
    ended_ = padding_ != 0;
    group_ = 0;
    characters_ = 0;
    padding_ = 0;
    return out + bytes;
}

Status Base64Decoder::finish() const {
    if (characters_ != 0) return fail(Code::base64, "base64 ends inside a group");
    return ok();
}

Base64Validator::Base64Validator(Base64Path path) noexcept : kernels_(&base64_kernels(path)) {}

void Base64Validator::reset() noexcept {
    const Base64Kernels* const kernels = kernels_;
    *this = Base64Validator();
    kernels_ = kernels;
}

Status Base64Validator::update(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        if (padding_ == 0) {
            const std::size_t run = kernels_->validate(text.data() + at, text.size() - at);
            if (run != 0) last_ = base64_value(text[at + run - 1]);
            characters_ += run;
            at += run;
            if (at == text.size()) break;
        }
        const std::uint8_t value = base64_value(text[at++]);
        if (value == kBase64Space) continue;
        if (value == kBase64Foreign) return fail(Code::base64, "a character that base64 does not have");
        if (value == kBase64Pad) {
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
    const unsigned spare = padding_ * 2;
    if ((last_ & ((1U << spare) - 1)) != 0) return fail(Code::base64, "spare bits are not zero");
    return ok();
}

Base64Encoder::Base64Encoder(Base64Path path) noexcept : kernels_(&base64_kernels(path)) {}

std::size_t Base64Encoder::update(std::span<const std::uint8_t> bytes, char* out) {
    char* const begin = out;
    std::size_t at = 0;
    if (count_ != 0) {
        while (count_ < 3 && at < bytes.size()) kept_[count_++] = bytes[at++];
        if (count_ < 3) return 0;
        static_cast<void>(kernels_->encode(kept_, 3, out));
        out += 4;
        count_ = 0;
    }
    const std::size_t run = kernels_->encode(bytes.data() + at, bytes.size() - at, out);
    out += run / 3 * 4;
    at += run;
    while (at < bytes.size()) kept_[count_++] = bytes[at++];
    return static_cast<std::size_t>(out - begin);
}

std::size_t Base64Encoder::finish(char* out) {
    if (count_ == 0) return 0;
    const unsigned left = count_;
    while (count_ < 3) kept_[count_++] = 0;
    static_cast<void>(kernels_->encode(kept_, 3, out));
    for (unsigned i = left + 1; i < 4; ++i) out[i] = '=';
    count_ = 0;
    return 4;
}

}  // namespace tpf
