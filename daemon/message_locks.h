#pragma once
// One message at a time: journal and spool are changed in two steps, so whoever changes a message (a worker, an answer,
// an operator) holds its lock over both.

#include <array>
#include <functional>
#include <mutex>
#include <string_view>

#include "base/types.h"

namespace tpf::daemon {

/// Thread-safe. Ids share a few mutexes: two messages can wait for each other, never for themselves, so hold one at a
/// time.
class MessageLocks {
  public:
    [[nodiscard]] std::unique_lock<std::mutex> hold(const SpoolId& id) {
        return std::unique_lock(mutexes_[std::hash<std::string_view>()(id.view()) % mutexes_.size()]);
    }

  private:
    std::array<std::mutex, 1024> mutexes_;
};

}  // namespace tpf::daemon
