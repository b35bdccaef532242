#pragma once
// A message's body on its way out, in pieces, hashed as they are handed out. The last piece is handed out only when the
// whole body has the length and the digest that the record names, so a damaged file never reaches a register whole.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "base/sha256.h"

namespace tpf::forward {

/// Not thread-safe.
class Body {
  public:
    static constexpr std::size_t kPieceBytes = 256 * 1024;

    /// Takes the open file, which stands at its beginning.
    Body(std::unique_ptr<File> file, std::uint64_t length, const Digest& sha256);

    struct Piece {
        std::span<const std::uint8_t> bytes;  ///< valid until the next call; empty only for an empty body
        bool last = false;
    };
    /// The next piece; not called after the last one. Code::record_damaged when length or digest differ from the
    /// record, else the file's error. After an error only rewind() may follow.
    [[nodiscard]] Result<Piece> next();
    /// Begins again from the first byte.
    [[nodiscard]] Status rewind();
    [[nodiscard]] std::uint64_t length() const noexcept { return length_; }
    [[nodiscard]] const Digest& digest() const noexcept { return sha256_; }

  private:
    [[nodiscard]] Status check_end();

    std::unique_ptr<File> file_;
    std::uint64_t length_;
    Digest sha256_;
    Sha256 hash_;
    std::uint64_t done_ = 0;
    std::vector<std::uint8_t> buffer_;
};

}  // namespace tpf::forward
