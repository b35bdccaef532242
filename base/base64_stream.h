#pragma once
// Streaming base64 (RFC 4648 § 4) for sealed content of any size: strict on padding and spare bits, white space
// (space, tab, CR, LF) anywhere. The alphabet is looked up in tables or compared with AVX2: what passes here is
// ciphertext and public, so data-dependent timing tells nobody anything.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"

namespace tpf {

struct Base64Kernels;

/// Which code does the long runs. `fastest` is what the processor has; the others let tests hold them side by side
/// (avx2 on a processor without it is scalar).
enum class Base64Path { fastest, scalar, avx2 };

/// Decodes base64 handed over in pieces of any size. Not thread-safe; a copy is an independent decoder.
class Base64Decoder {
  public:
    explicit Base64Decoder(Base64Path path = Base64Path::fastest) noexcept;
    /// Bytes that `out` must have room for when `update` is given `text_size` characters.
    [[nodiscard]] static constexpr std::size_t max_output(std::size_t text_size) { return text_size / 4 * 3 + 36; }

    /// Decodes `text` to `out` and returns how many bytes were written. Foreign characters, anything but white space
    /// after the padding: Code::base64.
    [[nodiscard]] Result<std::size_t> update(std::string_view text, std::uint8_t* out);
    /// The same for as much of `text` as is nothing but alphabet: it ends before white space, padding and what is
    /// wrong, of which nothing is said.
    struct Run {
        std::size_t taken = 0;    ///< characters
        std::size_t written = 0;  ///< bytes
    };
    [[nodiscard]] Run run(std::string_view text, std::uint8_t* out) noexcept;
    /// The end of the text: Code::base64 unless it ended on a full group.
    [[nodiscard]] Status finish() const;
    /// Ready for a new text.
    void reset() noexcept;

  private:
    [[nodiscard]] Status take(std::uint8_t value);
    void take_digit(std::uint8_t value) noexcept;
    [[nodiscard]] Result<std::uint8_t*> end_group(std::uint8_t* out);
    [[nodiscard]] std::uint8_t* write_group(std::uint8_t* out) noexcept;

    const Base64Kernels* kernels_;
    std::uint32_t group_ = 0;  // bits gathered of an unfinished group
    unsigned characters_ = 0;  // 0 to 4 characters (padding counted) in it
    unsigned padding_ = 0;     // '=' seen in it
    bool ended_ = false;       // a padded group closed the text
};

/// Checks like Base64Decoder, and counts what would come out, without writing it. For sealed data that is carried
/// on untouched. Not thread-safe.
class Base64Validator {
  public:
    explicit Base64Validator(Base64Path path = Base64Path::fastest) noexcept;
    [[nodiscard]] Status update(std::string_view text);
    /// The same for as much of `text` as is nothing but alphabet: how many characters that is.
    [[nodiscard]] std::size_t run(std::string_view text) noexcept;
    /// The same, the characters copied to `out`, which has room for all of `text`.
    [[nodiscard]] std::size_t copy_run(std::string_view text, char* out) noexcept;
    [[nodiscard]] Status finish() const;
    /// Bytes that the text decodes to, once finish() succeeded.
    [[nodiscard]] std::uint64_t decoded_size() const noexcept { return (characters_ / 4) * 3 - padding_; }
    /// Ready for a new text.
    void reset() noexcept;

  private:
    void count(std::string_view run) noexcept;

    const Base64Kernels* kernels_;
    std::uint64_t characters_ = 0;  // alphabet and padding, white space not counted
    unsigned padding_ = 0;
    std::uint8_t last_ = 0;  // value of the last alphabet character, for the spare bits
};

/// Encodes in pieces without line breaks. Not thread-safe.
class Base64Encoder {
  public:
    explicit Base64Encoder(Base64Path path = Base64Path::fastest) noexcept;
    [[nodiscard]] static constexpr std::size_t max_output(std::size_t size) { return (size + 2) / 3 * 4 + 36; }
    /// Writes to `out` and returns the number of characters. Keeps back up to two bytes.
    std::size_t update(std::span<const std::uint8_t> bytes, char* out);
    /// What is left, padded: 0 or 4 characters. Ready for a new text afterwards.
    std::size_t finish(char* out);

  private:
    const Base64Kernels* kernels_;
    std::uint8_t kept_[3] = {};
    unsigned count_ = 0;
};

}  // namespace tpf
