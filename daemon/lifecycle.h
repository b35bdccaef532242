#pragma once
// When the process goes on and when it stops: one place that every thread asks.

#include <atomic>
#include <mutex>
#include <optional>

#include "base/result.h"

namespace tpf::daemon {

/// Thread-safe.
class Lifecycle {
  public:
    /// `wake_fd`: an eventfd that is written to whenever something happens that the main loop should look at.
    explicit Lifecycle(int wake_fd) noexcept : wake_fd_(wake_fd) {}
    /// Take no new work; finish what runs.
    void request_stop() noexcept;
    /// Leave what runs at the next safe point: nothing is lost, it is done again at the next start.
    void cut_short() noexcept;
    /// An error with disposition stop: logged, and the process ends with it. The first one counts.
    void fatal(const Error& error);
    /// Makes the main loop look around now.
    void wake() noexcept;

    [[nodiscard]] bool stopping() const noexcept { return stopping_; }
    [[nodiscard]] bool cut() const noexcept { return cut_; }
    [[nodiscard]] std::optional<Error> fatal_error() const;

  private:
    int wake_fd_;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> cut_{false};
    mutable std::mutex mutex_;
    std::optional<Error> fatal_;
};

}  // namespace tpf::daemon
