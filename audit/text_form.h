#pragma once
// Small strict grammars that notes, proofs and entries share. Pure functions.

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/sha256.h"

namespace tpf::audit {

/// Well-formed UTF-8 (RFC 3629) without control characters below U+0020, LF excepted where `lines`.
[[nodiscard]] bool is_text(std::string_view text, bool lines);
/// A note's key name: such a text without LF, not empty, without "+" and without Unicode white space.
[[nodiscard]] bool is_key_name(std::string_view name);
/// Digits without a leading zero (but "0" itself), at most 2^63 - 1.
[[nodiscard]] std::optional<std::uint64_t> parse_decimal(std::string_view text);
/// The padded base64 of exactly 32 bytes.
[[nodiscard]] std::optional<Digest> parse_digest(std::string_view base64);

}  // namespace tpf::audit
