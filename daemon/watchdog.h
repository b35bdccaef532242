#pragma once
// systemd's watchdog (WatchdogSec=): it restarts a service that has not said for so long that it lives. Ours say so
// only when they looked: a loop that turns, and work that gets on or of which there is none. No timer thread says it
// for them.

#include <chrono>
#include <optional>

namespace tpf::daemon {

/// For one thread.
class Watchdog {
  public:
    using Duration = std::chrono::steady_clock::duration;
    /// As systemd asked for it (WATCHDOG_USEC, WATCHDOG_PID); where it did not, nothing is ever said.
    Watchdog();
    explicit Watchdog(std::optional<std::chrono::microseconds> interval) noexcept : interval_(interval) {}

    /// The loop turned, and its work has been silent for `silence`: said to systemd (WATCHDOG=1), eight times an
    /// interval at most, unless the silence is longer than half an interval. A hang is so ended within twice the
    /// interval.
    void alive(Duration silence);
    /// How long the loop may wait: `most`, or a fourth of the interval if that is shorter.
    [[nodiscard]] std::chrono::milliseconds at_most(std::chrono::milliseconds most) const noexcept;

  private:
    std::optional<std::chrono::microseconds> interval_;
    std::chrono::steady_clock::time_point next_{};
};

}  // namespace tpf::daemon
