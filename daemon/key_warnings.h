#pragma once
// What an operator should do about a key before it becomes urgent.

#include <string>
#include <vector>

#include "base/clock.h"
#include "crypto/key_ring.h"

namespace tpf::daemon {

inline constexpr std::chrono::days kWarnAhead{60};

/// Texts for `tpfctl keys list`: an active key that ends within kWarnAhead or has ended, whether a successor is there,
/// and a request to destroy it that waits for its confirmation. `all`: the ring, this key included.
[[nodiscard]] std::vector<std::string> key_warnings(const crypto::KeyFacts& key,
                                                    const std::vector<crypto::KeyFacts>& all, UtcTime now);

}  // namespace tpf::daemon
