#pragma once
// The configuration in force: what a reload may change, and what stays as it was at the start.

#include <memory>
#include <mutex>
#include <utility>

#include "conf/config.h"

namespace tpf::daemon {

/// Thread-safe.
class LiveConfig {
  public:
    explicit LiveConfig(conf::Config start)
        : fixed(start.fixed), now_(std::make_shared<const conf::Config>(std::move(start))) {}
    /// As it was at the start, until the end.
    const conf::Fixed fixed;
    /// All of it as it is now; whoever holds it keeps seeing the same. Hold it for as long as a reference into it is
    /// used: `const auto config = live.now();`.
    [[nodiscard]] std::shared_ptr<const conf::Config> now() const {
        const std::lock_guard lock(mutex_);
        return now_;
    }
    /// From now on these.
    void take(const conf::Reloadable& reloadable) {
        auto next = std::make_shared<const conf::Config>(conf::Config{fixed, reloadable});
        const std::lock_guard lock(mutex_);
        now_ = std::move(next);
    }

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<const conf::Config> now_;
};

}  // namespace tpf::daemon
