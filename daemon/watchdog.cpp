#include "daemon/watchdog.h"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdint>

#include "daemon/process.h"

namespace tpf::daemon {
namespace {

constexpr int kPingsPerInterval = 4;

std::optional<std::chrono::microseconds> asked_for() {
    std::uint64_t interval = 0;
    if (::sd_watchdog_enabled(0, &interval) <= 0) return std::nullopt;
    return std::chrono::microseconds(interval);
}

}  // namespace

Watchdog::Watchdog() : Watchdog(asked_for()) {}

void Watchdog::alive(Duration silence) {
    if (!interval_ || silence > *interval_ / 2) return;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    // A loop that waits for at_most() comes a little late each time: half of that is soon enough to say it again.
    next_ = now + *interval_ / kPingsPerInterval / 2;
    notify_systemd("WATCHDOG=1");
}

std::chrono::milliseconds Watchdog::at_most(std::chrono::milliseconds most) const noexcept {
    if (!interval_) return most;
    const auto part = std::chrono::ceil<std::chrono::milliseconds>(*interval_ / kPingsPerInterval);
    return std::min(most, part);
}

}  // namespace tpf::daemon
