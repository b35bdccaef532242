#pragma once
// The inner loops of base64_stream.h: long runs of nothing but alphabet, on the processor that is there. Internal to
// base/.

#include <cstddef>
#include <cstdint>

#include "base/base64_stream.h"

namespace tpf {

inline constexpr char kBase64Alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// base64_value is below this for the alphabet.
inline constexpr std::uint8_t kBase64Digits = 64;
/// What base64_value answers for characters that stand for no six bits. The highest bit tells them apart.
inline constexpr std::uint8_t kBase64Foreign = 0xff;
inline constexpr std::uint8_t kBase64Space = 0xfe;
inline constexpr std::uint8_t kBase64Pad = 0xfd;
/// 0 to 63, or one of the above.
[[nodiscard]] std::uint8_t base64_value(char c) noexcept;

/// One way to do the bulk. Each takes whole groups only and stops before the first one that holds anything but
/// alphabet; what is left (less than a group, white space, padding, foreign characters) is the caller's.
struct Base64Kernels {
    /// Decodes `size` characters at the most and returns how many it took, a multiple of 4; three quarters of that many
    /// bytes are at `out`, and up to 8 bytes behind them may have been overwritten.
    std::size_t (*decode)(const char* in, std::size_t size, std::uint8_t* out);
    /// The same without writing.
    std::size_t (*validate)(const char* in, std::size_t size);
    /// The same, the characters copied to `out`.
    std::size_t (*copy)(const char* in, std::size_t size, char* out);
    /// Encodes and returns how many bytes it took, the largest multiple of 3.
    std::size_t (*encode)(const std::uint8_t* in, std::size_t size, char* out);
};

/// Static storage. `avx2` on a processor without it is `scalar`.
[[nodiscard]] const Base64Kernels& base64_kernels(Base64Path path) noexcept;

}  // namespace tpf
