#pragma once
// UTF-8 (RFC 3629) as XML sees it: which bytes are characters that a document may hold.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tpf::pseudonym {

/// What the bytes at the front are.
struct Utf8Char {
    std::uint32_t code_point = 0;
    unsigned size = 0;        ///< bytes; 0: not a character
    bool incomplete = false;  ///< size 0, but more bytes could make it one
};

/// Decodes one character; overlong forms, surrogates and values past U+10FFFF are none. Precondition: not empty.
[[nodiscard]] Utf8Char decode_utf8(std::string_view bytes) noexcept;
/// XML 1.0 production [2] Char.
[[nodiscard]] bool is_xml_char(std::uint32_t code_point) noexcept;
/// Length of the longest start of `text` that is made of plain characters: those of ASCII that XML allows and that mean
/// themselves in character data (none is `<`, `&` or `]`), and U+00C0 to U+00FF, where the Norwegian letters are.
[[nodiscard]] std::size_t plain_prefix(std::string_view text) noexcept;

}  // namespace tpf::pseudonym
