#pragma once
// The core's main loop: watches inbox, receipts and drop folders, hands messages to the workers, writes kvitteringer,
// removes what retention lets go, and ends when it should.

#include <atomic>
#include <functional>
#include <map>
#include <set>

#include "base/unique_fd.h"
#include "daemon/pipeline.h"
#include "daemon/receipts.h"
#include "daemon/status.h"
#include "daemon/watchdog.h"
#include "daemon/worker_pool.h"
#include "queue/drop_source.h"

namespace tpf::daemon {

/// Runs on one thread; enqueue() from any.
class Coordinator {
  public:
    /// `wake_fd`: the lifecycle's eventfd. `signal_fd`: a signalfd with SIGTERM, SIGINT and SIGHUP.
    Coordinator(Core& core, int wake_fd, int signal_fd);
    ~Coordinator();
    Coordinator(const Coordinator&) = delete;
    Coordinator& operator=(const Coordinator&) = delete;

    enum class Mode {
        serve,  ///< until told to stop
        drain,  ///< until nothing is left that can be done now; kvitteringer that cannot be written get a few rounds
    };
    /// True: nothing waits. False: messages, answers or kvitteringer remain that could not be worked off.
    [[nodiscard]] bool run(Mode mode);
    /// A message whose state became claimed outside the loop (an operator's retry).
    void enqueue(const SpoolId& id);
    /// While it lives no message, answer or kvittering is taken up: what waits goes on afterwards.
    class Pause {
      public:
        explicit Pause(Coordinator& coordinator);
        ~Pause();
        Pause(const Pause&) = delete;
        Pause& operator=(const Pause&) = delete;
        /// False: something is still being worked on after `most`, or `go_on` (asked each second) said no.
        [[nodiscard]] bool wait_until_quiet(std::chrono::seconds most, const std::function<bool()>& go_on) const;

      private:
        Coordinator& coordinator_;
    };
    /// What SIGHUP asks for; called from the loop. Before run().
    void on_hangup(std::function<void()> reload) { reload_ = std::move(reload); }
    /// A row changed outside the loop: its sender may be due a kvittering.
    void look_for_answers();

  private:
    void look_around();
    void take_inbox();
    void take_ripe();
    void take_drops();
    void take_receipts();
    void housekeeping();
    void submit_message(const SpoolId& id, std::uint64_t size);
    void work_on(const SpoolId& id);
    void hand_out(WorkerPool::Size size, WorkerPool::Job job);
    void wait(std::chrono::milliseconds most);
    void read_signals();
    [[nodiscard]] bool idle() const;
    [[nodiscard]] bool quiet() const;
    [[nodiscard]] bool left_over();
    void watch(const Path& folder);
    void report(const Status& status);

    Core& core_;
    int wake_fd_;
    int signal_fd_;
    UniqueFd inotify_;
    Pipeline pipeline_;
    Receipts receipts_;
    MetricsFile metrics_file_;
    bool metrics_in_flight_ = false;
    std::chrono::steady_clock::time_point metrics_next_{};
    std::vector<queue::DropSource> drops_;
    struct Later {
        std::chrono::steady_clock::time_point next;
        std::chrono::seconds delay;
    };
    mutable std::mutex mutex_;
    std::set<SpoolId> in_flight_;     // handed to the pool
    std::map<SpoolId, Later> later_;  // waits for something that is not its fault
    std::set<SpoolId> again_;         // of those in flight: asked for once more meanwhile
    std::set<SpoolId> receipts_in_flight_;
    std::map<SpoolId, std::chrono::steady_clock::time_point> receipts_later_;  // not before then
    bool answers_wanted_ = true;  // a row changed since kvitteringer were last looked for
    bool answers_in_flight_ = false;
    std::optional<std::chrono::steady_clock::time_point> answers_retry_;  // not before then; one could not be written
    unsigned answers_stuck_ = 0;                                          // rounds in a row in which none was written
    bool removal_in_flight_ = false;
    bool settling_ = false;
    bool inbox_more_ = false;  // not all of it was handed to the pool
    // The loop's own: a source may have changed something since the folders were looked at.
    bool folders_changed_ = true;
    std::chrono::steady_clock::time_point folders_looked_at_{};
    std::chrono::steady_clock::time_point removal_next_{};
    const std::chrono::steady_clock::time_point began_ = core_.clock.steady();
    std::function<void()> reload_;
    std::atomic<unsigned> paused_{0};
    std::atomic<bool> resting_{false};  ///< the loop has seen the pause
    unsigned signals_ = 0;
    std::chrono::steady_clock::time_point stop_by_{};
    Watchdog watchdog_;
    WorkerPool pool_;  // last: its threads end before the rest goes
};

}  // namespace tpf::daemon
