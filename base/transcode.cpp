#include "base/transcode.h"

#include <cstring>

namespace tpf {
namespace {

using Word = std::uint64_t;
constexpr Word kEveryByte = 0x0101010101010101;

std::uint8_t byte_at(std::string_view text, std::size_t at) noexcept {
    return static_cast<std::uint8_t>(text[at]);
}

auto bad(const char* what) {
    return fail(Code::encoding, what);
}

/// Length of the run at `at` of bytes 0x01 to 0x7f, looked at eight at a time.
std::size_t ascii_run(std::string_view text, std::size_t at) noexcept {
    const std::size_t begin = at;
    while (text.size() - at >= sizeof(Word)) {
        Word word = 0;
        std::memcpy(&word, text.data() + at, sizeof word);
        const Word zero = (word - kEveryByte) & ~word;  // the high bit of a byte tells where a zero is
        if (((word | zero) & (kEveryByte << 7)) != 0) break;
        at += sizeof word;
    }
    while (at < text.size() && byte_at(text, at) - 1U < 0x7fU) ++at;
    return at - begin;
}

/// Bytes of the character that `lead` begins; 0: no character begins so.
unsigned utf8_length(std::uint8_t lead) noexcept {
    if (lead < 0x80) return 1;
    if (lead < 0xc2) return 0;
    if (lead < 0xe0) return 2;
    if (lead < 0xf0) return 3;
    return lead < 0xf5 ? 4 : 0;
}

/// Whether `next` may follow as byte number `at` (1 to 3) of the character begun by `lead`: table 3-7 of the Unicode
/// standard, which leaves out overlong forms, surrogates and what is past U+10FFFF.
bool utf8_continues(std::uint8_t lead, unsigned at, std::uint8_t next) noexcept {
    std::uint8_t low = 0x80;
    std::uint8_t high = 0xbf;
    if (at == 1) {
        if (lead == 0xe0) low = 0xa0;
        if (lead == 0xed) high = 0x9f;
        if (lead == 0xf0) low = 0x90;
        if (lead == 0xf4) high = 0x8f;
    }
    return next >= low && next <= high;
}

bool is_high_surrogate(std::uint32_t unit) noexcept {
    return unit >= 0xd800 && unit < 0xdc00;
}
bool is_low_surrogate(std::uint32_t unit) noexcept {
    return unit >= 0xdc00 && unit < 0xe000;
}

void append_utf16le(std::uint32_t unit, std::string& out) {
    out.push_back(static_cast<char>(unit & 0xff));
    out.push_back(static_cast<char>(unit >> 8));
}

}  // namespace

void append_utf8(std::uint32_t c, std::string& out) {
    const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
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

BomInfo detect_bom(std::string_view start) noexcept {
    if (start.starts_with("\xef\xbb\xbf")) return {Encoding::utf8, 3};
    if (start.starts_with("\xff\xfe")) return {Encoding::utf16le, 2};
    if (start.starts_with("\xfe\xff")) return {Encoding::utf16be, 2};
    return {};
}

Status Transcoder::update(std::string_view bytes, std::string& out) {
    switch (from_) {
        case Encoding::utf8:
            return from_utf8(bytes, out);
        case Encoding::latin1:
            return from_latin1(bytes, out);
        case Encoding::utf16le:
        case Encoding::utf16be:
            return from_utf16(bytes, out);
    }
    return bad("no such encoding");
}

Status Transcoder::from_utf8(std::string_view bytes, std::string& out) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        if (pending_size_ == 0) {
            const std::size_t run = ascii_run(bytes, at);
            out.append(bytes.substr(at, run));
            at += run;
            if (at == bytes.size()) break;
        }
        const std::uint8_t next = byte_at(bytes, at++);
        if (pending_size_ == 0) {
            if (next == 0) return bad("a zero character");
            if (utf8_length(next) == 0) return bad("not valid UTF-8");
        } else if (!utf8_continues(pending_[0], pending_size_, next)) {
            return bad("not valid UTF-8");
        }
        pending_[pending_size_++] = next;
        if (pending_size_ < utf8_length(pending_[0])) continue;
        for (unsigned i = 0; i < pending_size_; ++i) out.push_back(static_cast<char>(pending_[i]));
        pending_size_ = 0;
    }
    return ok();
}

Status Transcoder::from_latin1(std::string_view bytes, std::string& out) {
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t run = ascii_run(bytes, at);
        out.append(bytes.substr(at, run));
        at += run;
        if (at == bytes.size()) break;
        const std::uint8_t next = byte_at(bytes, at++);
        if (next == 0) return bad("a zero character");
        append_utf8(next, out);
    }
    return ok();
}

Status Transcoder::from_utf16(std::string_view bytes, std::string& out) {
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        pending_[pending_size_++] = byte_at(bytes, at);
        if (pending_size_ < 2) continue;
        pending_size_ = 0;
        const unsigned low = from_ == Encoding::utf16le ? 0 : 1;
        const std::uint32_t unit = static_cast<std::uint32_t>(pending_[1 - low]) << 8 | pending_[low];
        if (unit == 0) return bad("a zero character");
        if ((surrogate_ != 0) != is_low_surrogate(unit)) return bad("an unpaired surrogate in UTF-16");
        if (is_high_surrogate(unit)) {
            surrogate_ = unit;
        } else {
            append_utf8(surrogate_ == 0 ? unit : 0x10000 + ((surrogate_ - 0xd800) << 10) + (unit - 0xdc00), out);
            surrogate_ = 0;
        }
    }
    return ok();
}

Status Transcoder::finish() const {
    if (pending_size_ != 0 || surrogate_ != 0) return bad("the last character is cut");
    return ok();
}

Result<std::string> to_utf8(std::string_view content) {
    const BomInfo bom = detect_bom(content);
    Transcoder transcoder(bom.encoding);
    std::string out;
    out.reserve(content.size());
    TPF_TRY(transcoder.update(content.substr(bom.size), out));
    TPF_TRY(transcoder.finish());
    return out;
}

Result<std::string> to_utf16le(std::string_view utf8) {
    Transcoder check(Encoding::utf8);
    std::string valid;
    TPF_TRY(check.update(utf8, valid));
    TPF_TRY(check.finish());
    std::string out("\xff\xfe");
    out.reserve(valid.size() * 2 + 2);
    for (std::size_t at = 0; at < valid.size();) {
        const std::uint8_t lead = byte_at(valid, at++);
        const unsigned length = utf8_length(lead);
        std::uint32_t c = length == 1 ? lead : lead & (0x7fU >> length);
        for (unsigned i = 1; i < length; ++i) c = c << 6 | (byte_at(valid, at++) & 0x3fU);
        if (c < 0x10000) {
            append_utf16le(c, out);
        } else {
            append_utf16le(0xd800 + ((c - 0x10000) >> 10), out);
            append_utf16le(0xdc00 + ((c - 0x10000) & 0x3ff), out);
        }
    }
    return out;
}

}  // namespace tpf
