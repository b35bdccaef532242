#pragma once
// Ends of attempts on their way from the endpoints' threads to the dispatcher's, and stop requests from signal
// handlers.

#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "base/types.h"
#include "base/unique_fd.h"
#include "forward/poster.h"

namespace tpf::forward {

/// Thread-safe.
class Completions {
  public:
    /// Throws std::system_error when the system has no descriptor left.
    Completions();
    void push(const SpoolId& id, Outcome outcome);
    /// What came since the last call; fd() is quiet after it.
    [[nodiscard]] std::vector<std::pair<SpoolId, Outcome>> take();
    /// Readable when there is something new, a stop request among it.
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    /// May be called from a signal handler.
    void request_stop() noexcept;
    /// How often that was.
    [[nodiscard]] unsigned stop_requests() const noexcept { return stop_requests_.load(); }

  private:
    void wake() noexcept;
    UniqueFd fd_;
    std::atomic<unsigned> stop_requests_{0};
    std::mutex mutex_;
    std::vector<std::pair<SpoolId, Outcome>> ended_;
};
static_assert(std::atomic<unsigned>::is_always_lock_free, "a signal handler counts in it");

}  // namespace tpf::forward
