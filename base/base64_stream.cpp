#include "base/base64_stream.h"

#include "base/base64_kernels.h"

namespace tpf {

Base64Decoder::Base64Decoder(Base64Path path) noexcept : kernels_(&base64_kernels(path)) {}

void Base64Decoder::reset() noexcept {
    const Base64Kernels* const kernels = kernels_;
    *this = Base64Decoder();
    kernels_ = kernels;
}

Base64Decoder::Run Base64Decoder::run(std::string_view text, std::uint8_t* out) noexcept {
    if (ended_ || padding_ != 0) return {};
    std::uint8_t* const begin = out;
    std::size_t at = 0;
    while (at < text.size()) {
        if (characters_ == 0) {
            const std::size_t groups = kernels_->decode(text.data() + at, text.size() - at, out);
            at += groups;
            out += groups / 4 * 3;
            if (at == text.size()) break;
        }
        // Where the text was cut a group may be open.
        const std::uint8_t value = base64_value(text[at]);
        if (value >= kBase64Digits) break;
        ++at;
        take_digit(value);
        if (characters_ == 4) out = write_group(out);
    }
    return {at, static_cast<std::size_t>(out - begin)};
}

Result<std::size_t> Base64Decoder::update(std::string_view text, std::uint8_t* out) {
    std::uint8_t* const begin = out;
    for (std::size_t at = 0; at < text.size();) {
        const Run done = run(text.substr(at), out);
        at += done.taken;
        out += done.written;
        if (at == text.size()) break;
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
        ++characters_;
        return ok();
    }
    if (padding_ != 0) return fail(Code::base64, "content after padding");
    take_digit(value);
    return ok();
}

void Base64Decoder::take_digit(std::uint8_t value) noexcept {
    group_ = group_ << 6 | value;
    ++characters_;
}

Result<std::uint8_t*> Base64Decoder::end_group(std::uint8_t* out) {
    const unsigned spare = padding_ * 2;  // bits at the end of the group that stand for nothing
    if ((group_ & ((1U << spare) - 1)) != 0) return fail(Code::base64, "spare bits are not zero");
    ended_ = padding_ != 0;
    return write_group(out);
}

std::uint8_t* Base64Decoder::write_group(std::uint8_t* out) noexcept {
    const unsigned bytes = 3 - padding_;
    group_ >>= padding_ * 2;
    for (unsigned i = 0; i < bytes; ++i) out[i] = static_cast<std::uint8_t>(group_ >> (8 * (bytes - 1 - i)));
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

std::size_t Base64Validator::run(std::string_view text) noexcept {
    if (padding_ != 0) return 0;
    std::size_t at = kernels_->validate(text.data(), text.size());
    // Less than a group is left, or something that is not of the alphabet.
    while (at < text.size() && base64_value(text[at]) < kBase64Digits) ++at;
    count(text.substr(0, at));
    return at;
}

std::size_t Base64Validator::copy_run(std::string_view text, char* out) noexcept {
    if (padding_ != 0) return 0;
    std::size_t at = kernels_->copy(text.data(), text.size(), out);
    for (; at < text.size() && base64_value(text[at]) < kBase64Digits; ++at) out[at] = text[at];
    count(text.substr(0, at));
    return at;
}

void Base64Validator::count(std::string_view run) noexcept {
    if (run.empty()) return;
    last_ = base64_value(run.back());
    characters_ += run.size();
}

Status Base64Validator::update(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        at += run(text.substr(at));
        if (at == text.size()) break;
        const std::uint8_t value = base64_value(text[at++]);
        if (value == kBase64Space) continue;
        if (value == kBase64Foreign) return fail(Code::base64, "a character that base64 does not have");
        if (value != kBase64Pad) return fail(Code::base64, "content after padding");
        if (++padding_ > 2) return fail(Code::base64, "too much padding");
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
