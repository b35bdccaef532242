#pragma once
// To UTF-8, in pieces: from UTF-8 (checked), UTF-16LE/BE and ISO-8859-1. Strict: unpaired surrogates, overlong forms,
// values past U+10FFFF and a cut last character are Code::encoding.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tpf {

enum class Encoding { utf8, utf16le, utf16be, latin1 };

/// What a byte order mark at the start says, and its length in bytes (0: none, Encoding::utf8 assumed).
struct BomInfo {
    Encoding encoding = Encoding::utf8;
    std::size_t size = 0;
};
[[nodiscard]] BomInfo detect_bom(std::string_view start) noexcept;

/// One character, as UTF-8 (RFC 3629). Precondition: a code point, no surrogate.
void append_utf8(std::uint32_t code_point, std::string& out);

/// Not thread-safe.
class Transcoder {
  public:
    explicit Transcoder(Encoding from) noexcept : from_(from) {}
    /// Appends what `bytes` (any split) stand for to `out`. U+0000 is an error; no BOM is removed here.
    [[nodiscard]] Status update(std::string_view bytes, std::string& out);
    /// Code::encoding when a character was cut.
    [[nodiscard]] Status finish() const;

  private:
    [[nodiscard]] Status from_utf8(std::string_view bytes, std::string& out);
    [[nodiscard]] Status from_latin1(std::string_view bytes, std::string& out);
    [[nodiscard]] Status from_utf16(std::string_view bytes, std::string& out);

    Encoding from_;
    std::array<std::uint8_t, 4> pending_{};  // bytes of an unfinished character
    unsigned pending_size_ = 0;
    std::uint32_t surrogate_ = 0;  // a high surrogate waiting for its partner
};

/// The whole of a small text: BOM looked at and removed, then to UTF-8.
[[nodiscard]] Result<std::string> to_utf8(std::string_view content);
/// UTF-8 (valid) to UTF-16LE with BOM.
[[nodiscard]] Result<std::string> to_utf16le(std::string_view utf8);

}  // namespace tpf
