#pragma once
// When the process goes on and when it stops: one place that every thread asks.

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "base/result.h"

namespace tpf::daemon {

/// Thread-safe.
class Lifecycle {
    struct Sign;

  public:
    using Duration = std::chrono::steady_clock::duration;

    /// This thread is at a piece of work, from here to the end of the scope: silence() then wants signs of life from
    /// it. One at a time in a thread.
    class Work {
      public:
        explicit Work(Lifecycle& lifecycle);
        ~Work();
        Work(const Work&) = delete;
        Work& operator=(const Work&) = delete;

      private:
        Lifecycle& lifecycle_;
        std::unique_ptr<Sign> sign_;
    };
    /// A sign of life of this thread's piece of work; nothing where it has none. Cheap.
    static void progress() noexcept;
    /// For how long the piece of work has given no sign that has been silent longest; where none runs but some
    /// `waits`, since when none runs; zero where there is nothing to do.
    [[nodiscard]] Duration silence(bool waits) const;

    /// `wake_fd`: an eventfd that is written to whenever something happens that the main loop should look at.
    explicit Lifecycle(int wake_fd) noexcept : wake_fd_(wake_fd) {}
    /// Take no new work; finish what runs. systemd is told.
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
    using Time = std::chrono::steady_clock::time_point;
    struct Sign {
        std::atomic<Time> last;
    };

    int wake_fd_;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> cut_{false};
    mutable std::mutex mutex_;
    std::optional<Error> fatal_;
    mutable std::mutex work_mutex_;
    std::set<const Sign*> working_;
    Time last_work_ = std::chrono::steady_clock::now();
};

}  // namespace tpf::daemon
