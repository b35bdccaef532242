#pragma once
// Tells whether bytes that were read twice were the same: GMAC (NIST SP 800-38D) under a key that nobody else ever has,
// which is a universal hash over GF(2^128). Four times as fast as SHA-256. No digest: it means nothing to anyone else,
// and must not leave the process (one key, one nonce).

#include <array>
#include <cstdint>
#include <memory>

#include "crypto/secret.h"

namespace tpf::crypto {

/// Two runs of other bytes are equal with a probability of at most their number of blocks / 2^127.
using Fingerprint = std::array<std::uint8_t, 16>;

/// Makes fingerprints that may be compared with each other. Thread-safe.
class FingerprintKey {
  public:
    FingerprintKey();

  private:
    SecretBytes key_;
    friend class Fingerprinter;
};

/// Not thread-safe. Used once.
class Fingerprinter {
  public:
    explicit Fingerprinter(const FingerprintKey& key);
    ~Fingerprinter();
    Fingerprinter(Fingerprinter&&) noexcept;
    void update(ByteView bytes);
    [[nodiscard]] Fingerprint finish();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace tpf::crypto
