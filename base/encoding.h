#pragma once
// Small text encodings: hex, and base64 (RFC 4648) of short values. Sealed content goes through base64_stream.h.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tpf {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

[[nodiscard]] inline ByteView as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view as_text(ByteView bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Lower case.
[[nodiscard]] std::string hex(ByteView bytes);
/// Even number of hex digits, either case; else Code::field_form.
[[nodiscard]] Result<Bytes> from_hex(std::string_view text);
/// Padded, no line breaks.
[[nodiscard]] std::string base64(ByteView bytes);
/// Padded, spare bits zero, no white space; else Code::base64.
[[nodiscard]] Result<Bytes> from_base64(std::string_view text);

}  // namespace tpf
