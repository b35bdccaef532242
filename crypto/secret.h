#pragma once
// Bytes that must not be seen: content keys, pseudonym keys, passphrases. Wiped when they go, never copied by accident,
// never printed (there is no conversion, and operator<< and formatting are deleted). The raw bytes are read only with a
// SecretToken, so that a review of who touches them is one grep.

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <span>

#include "base/encoding.h"
#include "base/result.h"

namespace tpf::crypto {

/// Whoever writes `SecretToken::access()` reads raw key bytes: every such place is a line to review.
class SecretToken {
  public:
    [[nodiscard]] static SecretToken access() noexcept { return {}; }

  private:
    SecretToken() = default;
};

/// Owned secret bytes. Move-only; a moved-from object is empty. Not thread-safe for writing.
class SecretBytes {
  public:
    SecretBytes();
    /// `size` zero bytes.
    explicit SecretBytes(std::size_t size);
    /// A copy; the caller wipes the original.
    [[nodiscard]] static SecretBytes copy_of(ByteView bytes);
    /// From the process's random generator (the system's).
    [[nodiscard]] static SecretBytes random(std::size_t size);
    ~SecretBytes();
    SecretBytes(SecretBytes&&) noexcept;
    SecretBytes& operator=(SecretBytes&&) noexcept;
    [[nodiscard]] SecretBytes clone() const;

    [[nodiscard]] std::size_t size() const noexcept;
    [[nodiscard]] ByteView bytes(SecretToken) const noexcept;
    [[nodiscard]] std::span<std::uint8_t> writable(SecretToken) noexcept;

  private:
    struct Store;
    std::unique_ptr<Store> store_;
};
std::ostream& operator<<(std::ostream&, const SecretBytes&) = delete;

/// Overwrites in a way that the compiler keeps.
void wipe(std::span<std::uint8_t> bytes) noexcept;
/// Overwrites 64 kB of this thread's stack below the caller: what calls that have returned left there. For the end of a
/// piece of work that handled secrets.
void wipe_stack() noexcept;

}  // namespace tpf::crypto
