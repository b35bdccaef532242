#pragma once
// Content keys that are wrapped before there is a person to seal: RSA is half of all the work, and the first reading of
// the export (one thread, nothing to encrypt yet) leaves the other cores idle.

#include <cstddef>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "krypteringsmodul/recipient.h"

namespace tpf::krypteringsmodul {

/// A content key of AES-256-GCM, and what the recipient's public key made of it.
struct WrappedKey {
    crypto::ContentKey key;
    Bytes wrapped;
};
[[nodiscard]] Result<WrappedKey> new_wrapped_key(crypto::KeyWrapper& wrapper);

/// Fills itself on threads of its own until it is stopped or full. Thread-safe.
class KeyStock {
  public:
    /// About 16 MiB when RSA-3072 is used.
    static constexpr std::size_t kMostKeys = 32768;

    KeyStock(const RecipientKey& recipient, crypto::KeyTransport transport, unsigned threads,
             std::size_t most = kMostKeys);
    ~KeyStock();
    KeyStock(const KeyStock&) = delete;
    KeyStock& operator=(const KeyStock&) = delete;

    /// Returns when no thread is at work any more; what is in stock stays.
    void stop();
    /// Each key once; nothing when the stock is used up.
    [[nodiscard]] std::optional<WrappedKey> take();

  private:
    void fill(const std::stop_token& stop, const RecipientKey& recipient, crypto::KeyTransport transport);

    const std::size_t most_;
    std::mutex mutex_;
    std::vector<WrappedKey> keys_;
    std::vector<std::jthread> threads_;
};

}  // namespace tpf::krypteringsmodul
