#include "daemon/worker_pool.h"

namespace tpf::daemon {

WorkerPool::WorkerPool(unsigned threads, unsigned large_at_once) : large_at_once_(large_at_once) {
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

WorkerPool::~WorkerPool() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        small_.clear();
        large_.clear();
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::submit(Size size, Job job) {
    {
        const std::lock_guard lock(mutex_);
        (size == Size::large ? large_ : small_).push_back(std::move(job));
    }
    work_.notify_one();
}

std::size_t WorkerPool::busy() const {
    const std::lock_guard lock(mutex_);
    return small_.size() + large_.size() + running_;
}

void WorkerPool::clear() {
    const std::lock_guard lock(mutex_);
    small_.clear();
    large_.clear();
}

/// The next job that may run; false: the pool ends.
bool WorkerPool::take(std::unique_lock<std::mutex>& lock, Job& job, Size& size) {
    work_.wait(lock,
               [&] { return ending_ || !small_.empty() || (!large_.empty() && large_running_ < large_at_once_); });
    if (ending_) return false;
    const bool large = !large_.empty() && large_running_ < large_at_once_;
    auto& queue = large ? large_ : small_;
    job = std::move(queue.front());
    queue.pop_front();
    size = large ? Size::large : Size::small;
    ++running_;
    if (large) ++large_running_;
    return true;
}

void WorkerPool::run() {
    std::unique_lock lock(mutex_);
    Job job;
    Size size{};
    while (take(lock, job, size)) {
        lock.unlock();
        job();
        job = nullptr;
        lock.lock();
        --running_;
        if (size == Size::large) {
            --large_running_;
            work_.notify_all();
        }
    }
}

}  // namespace tpf::daemon
