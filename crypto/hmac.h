#pragma once
// HMAC-SHA-256 (RFC 2104, FIPS 198-1), keyed once and used many times.

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "crypto/secret.h"

namespace tpf::crypto {

/// Not thread-safe: one per thread.
class HmacSha256 {
  public:
    explicit HmacSha256(const SecretBytes& key);
    ~HmacSha256();
    HmacSha256(HmacSha256&&) noexcept;
    HmacSha256& operator=(HmacSha256&&) noexcept;
    void update(std::string_view bytes);
    /// Writes the MAC and starts anew under the same key.
    void finish(std::span<std::uint8_t, 32> mac);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace tpf::crypto
