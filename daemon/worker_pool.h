#pragma once
// Threads that work on messages. There are more of them than cores, since a small message spends much of its time
// waiting for the disk and shares its flushes with the others; how many passes of large messages run at once is
// bounded, so that big messages never starve small ones.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tpf::daemon {

/// Thread-safe.
class WorkerPool {
  public:
    enum class Size { small, large };
    using Job = std::function<void()>;
    /// `large_at_once`: of `threads`, how many may work on large messages; at least one, fewer than all where there is
    /// more than one thread.
    WorkerPool(unsigned threads, unsigned large_at_once);
    /// Waits for running jobs; drops those that wait.
    ~WorkerPool();
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;
    void submit(Size size, Job job);
    /// Jobs that wait or run.
    [[nodiscard]] std::size_t busy() const;
    /// Drops jobs that wait.
    void clear();

  private:
    void run();
    bool take(std::unique_lock<std::mutex>& lock, Job& job, Size& size);

    const unsigned large_at_once_;
    mutable std::mutex mutex_;
    std::condition_variable work_;
    std::deque<Job> small_;
    std::deque<Job> large_;
    unsigned large_running_ = 0;
    std::size_t running_ = 0;
    bool ending_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace tpf::daemon
