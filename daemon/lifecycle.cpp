#include "daemon/lifecycle.h"

#include <unistd.h>

#include <cstdint>

#include "base/log.h"

namespace tpf::daemon {

void Lifecycle::wake() noexcept {
    const std::uint64_t one = 1;
    // Fails only when the counter is full, and then the loop wakes anyway.
    [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof one);
}

void Lifecycle::request_stop() noexcept {
    stopping_ = true;
    wake();
}

void Lifecycle::cut_short() noexcept {
    cut_ = true;
    request_stop();
}

void Lifecycle::fatal(const Error& error) {
    {
        const std::lock_guard lock(mutex_);
        if (fatal_) return;
        fatal_ = error;
    }
    log::error("stopping: the process must not go on",
               {{"code", error.name()}, {"error", error.text()}, {"hint", error.hint()}});
    cut_short();
}

std::optional<Error> Lifecycle::fatal_error() const {
    const std::lock_guard lock(mutex_);
    return fatal_;
}

}  // namespace tpf::daemon
