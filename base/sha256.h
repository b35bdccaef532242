#pragma once
// SHA-256 (FIPS 180-4), streaming. OpenSSL's, which uses the processor's SHA instructions.

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace tpf {

using Digest = std::array<std::uint8_t, 32>;

/// One running digest. Not thread-safe. Throws std::bad_alloc only.
class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    void update(std::span<const std::uint8_t> bytes);
    void update(std::string_view text);
    /// The digest; the object then starts anew.
    [[nodiscard]] Digest finish();

  private:
    struct Free {
        void operator()(void* context) const noexcept;
    };
    std::unique_ptr<void, Free> context_;
};

[[nodiscard]] Digest sha256(std::span<const std::uint8_t> bytes);
[[nodiscard]] Digest sha256(std::string_view text);

}  // namespace tpf
