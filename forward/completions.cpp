#include "forward/completions.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace tpf::forward {

Completions::Completions() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!fd_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void Completions::wake() noexcept {
    const std::uint64_t one = 1;
    // It can fail only when the counter is full, and then the reader is awake already.
    [[maybe_unused]] const ssize_t written = ::write(fd_.get(), &one, sizeof one);
}

void Completions::push(const SpoolId& id, Outcome outcome) {
    {
        const std::lock_guard lock(mutex_);
        ended_.emplace_back(id, std::move(outcome));
    }
    wake();
}

std::vector<std::pair<SpoolId, Outcome>> Completions::take() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t size = ::read(fd_.get(), &count, sizeof count);
    const std::lock_guard lock(mutex_);
    return std::exchange(ended_, {});
}

void Completions::request_stop() noexcept {
    const int saved = errno;
    stop_requests_.fetch_add(1);
    wake();
    errno = saved;
}

}  // namespace tpf::forward
