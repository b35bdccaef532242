#pragma once
// The smallest parts of XML 1.0: white space, names, references, the end of a tag, the XML declaration. Pure functions;
// views are of what was handed in.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace tpf::pseudonym {

inline constexpr std::size_t kXmlReferenceBytes = 12;  ///< the longest one, "&#x0010FFFF;"

[[nodiscard]] constexpr bool is_xml_space(char c) noexcept {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
/// Whether the text is only space, tab, CR, LF.
[[nodiscard]] bool is_xml_space(std::string_view text) noexcept;
/// Without XML white space at both ends.
[[nodiscard]] std::string_view trim_xml_space(std::string_view text) noexcept;

/// The NCName or QName at the front: its length, or 0. A colon is taken at most once and never at an end.
[[nodiscard]] std::size_t name_length(std::string_view text) noexcept;
/// Prefix (empty without one) and local part.
[[nodiscard]] std::pair<std::string_view, std::string_view> split_qualified(std::string_view name) noexcept;
/// The reference that `text` (from `&` to `;`) is, as UTF-8; empty when it is none that XML predefines.
[[nodiscard]] std::string resolve_reference(std::string_view text);
/// Position of the `>` that closes the start tag at the front, quotes skipped; npos when it is not there yet.
[[nodiscard]] std::size_t tag_end(std::string_view bytes) noexcept;

/// How many bytes at the front of an attribute's value mean themselves and are ASCII.
[[nodiscard]] std::size_t plain_value_prefix(std::string_view raw) noexcept;

/// What stands between `<?xml` and `?>` (production [23]). Code::not_xml: anything else. The encoding's name as
/// written, or nothing.
[[nodiscard]] Result<std::optional<std::string_view>> xml_declaration_encoding(std::string_view text);

}  // namespace tpf::pseudonym
