#include "daemon/lifecycle.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/log.h"
#include "daemon/process.h"

namespace tpf::daemon {
namespace {

/// Where the running thread's piece of work keeps its last sign of life.
thread_local std::atomic<std::chrono::steady_clock::time_point>* last_sign = nullptr;

}  // namespace

Lifecycle::Work::Work(Lifecycle& lifecycle) : lifecycle_(lifecycle), sign_(std::make_unique<Sign>()) {
    sign_->last = std::chrono::steady_clock::now();
    last_sign = &sign_->last;
    const std::lock_guard lock(lifecycle_.work_mutex_);
    lifecycle_.working_.insert(sign_.get());
}

Lifecycle::Work::~Work() {
    last_sign = nullptr;
    const std::lock_guard lock(lifecycle_.work_mutex_);
    lifecycle_.working_.erase(sign_.get());
    lifecycle_.last_work_ = std::chrono::steady_clock::now();
}

void Lifecycle::progress() noexcept {
    if (last_sign != nullptr) *last_sign = std::chrono::steady_clock::now();
}

Lifecycle::Duration Lifecycle::silence(bool waits) const {
    const std::lock_guard lock(work_mutex_);
    const Time now = std::chrono::steady_clock::now();
    Duration longest{};
    for (const Sign* sign : working_) longest = std::max(longest, now - sign->last.load());
    if (working_.empty() && waits) longest = now - last_work_;
    return longest;
}

void Lifecycle::wake() noexcept {
    const std::uint64_t one = 1;
    // Fails only when the counter is full, and then the loop wakes anyway.
    [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof one);
}

void Lifecycle::request_stop() noexcept {
    if (!stopping_.exchange(true)) notify_systemd("STOPPING=1");
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
