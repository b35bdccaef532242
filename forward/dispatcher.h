#pragma once
// The forwarder's heart: watches the outbox, sends what lies there when the schedule says so, hands answers over.
//
// One thread decides (that of run()); the endpoints have threads of their own and report back. The forwarder keeps no
// state of its own on disk: a message without a receipt is to be sent, whatever happened before, and the register knows
// a repeat by its name. So a crash at any point costs at most a repeat.
//
// The core refuses a receipt by taking it away and leaving the message: it is then sent again after its back-off, which
// goes on from where it was.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "forward/completions.h"
#include "forward/folder_watch.h"
#include "forward/outbox.h"
#include "forward/poster.h"
#include "forward/schedule.h"

namespace tpf::forward {

/// One register's transport.
struct Route {
    unsigned connections = 1;
    std::unique_ptr<Poster> poster;
    std::optional<UtcTime> certificate_ends{};  ///< ours; none: it has none
    std::optional<UtcTime> authorities_end{};   ///< those that vouch for the register's
};

struct DispatcherSettings {
    ScheduleLimits limits;  ///< `once` is set from `drain`
    /// --drain: sends what lies in the outbox at the start, each message once, and ends. A register is given up for
    /// this run after Schedule::kAwayAfter failures in a row, with the back-off between them; what waits for it then
    /// stays where it is, untried.
    bool drain = false;
    std::chrono::milliseconds longest_wait{5'000};  ///< between two turns, and so between two heartbeats
    std::chrono::milliseconds poll{30'000};         ///< how often the outbox is listed, whatever inotify said
    std::chrono::milliseconds alarm_after{
        3'600'000};                                ///< a register in trouble for so long is logged as an error, once
    std::chrono::milliseconds stop_grace{20'000};  ///< how long what is under way may go on after stop()
};

/// What a reload brings.
struct DispatcherChange {
    DispatcherSettings settings;
    std::map<RegisterName, Route> routes;
};

class Dispatcher {
  public:
    using Route = forward::Route;
    /// `outbox` and `clock` outlive it.
    Dispatcher(DispatcherSettings settings, std::map<RegisterName, Route> routes, Outbox& outbox, const Clock& clock,
               Draw draw);
    ~Dispatcher();

    struct Report {
        std::size_t remaining = 0;       ///< messages in the outbox without a receipt
        std::vector<RegisterName> away;  ///< registers whose last attempt failed
    };
    /// Until stop(), or when draining until there is nothing left to do. An error (always Disposition::stop) ends it at
    /// once; what was under way is cut. `heartbeat` is called after every turn, at least every `longest_wait`.
    /// `signal_fd`: a signalfd(2), not blocking, each signal from which but SIGHUP is a stop(); -1: none. Once only.
    [[nodiscard]] Result<Report> run(const std::function<void()>& heartbeat, int signal_fd = -1);

    /// What SIGHUP asks for; nothing: all stays as it is. Called in run()'s thread. What is under way ends over the old
    /// routes; every register that is named is tried at once, whatever it waited for. One that is not named any more
    /// gets nothing new: its messages wait in the outbox, like those of a register that was never named. Before
    /// run().
    void on_hangup(std::function<std::optional<DispatcherChange>()> reload) { reload_ = std::move(reload); }

    /// First call: nothing new is started, and what is under way is cut after `stop_grace`. Second call: cut now.
    /// Thread-safe; may be called from a signal handler.
    void stop() noexcept { completions_->request_stop(); }

    /// For `heartbeat`: it was told to stop.
    [[nodiscard]] bool stopping() const noexcept { return stop_by_.has_value(); }
    /// For `heartbeat`: for how long a register's transport has not got on (Poster::silence()), the longest.
    [[nodiscard]] std::chrono::milliseconds silence() const;

  private:
    using Time = Schedule::Time;
    struct Standing {
        Route route;
        std::optional<UtcTime> last_success;
        std::optional<Code> trouble;
        std::uint64_t failures = 0;  ///< attempts, since the last success
        UtcTime since;
        std::optional<UtcTime> next_attempt;  ///< as it stood after the last failure
        Time since_steady{};
        bool alarmed = false;
    };

    [[nodiscard]] Status turn();
    [[nodiscard]] bool finished() const;
    [[nodiscard]] Result<Report> report();
    void wait() const;
    [[nodiscard]] std::chrono::milliseconds patience() const;

    // What lies in the outbox.
    [[nodiscard]] Status take_changes();
    [[nodiscard]] Status sweep();
    [[nodiscard]] Status discover(const SpoolId& id);
    void review_known(const std::set<SpoolId>& to_send);

    // One attempt.
    [[nodiscard]] Status start_what_may();
    [[nodiscard]] Status launch(const SpoolId& id);
    [[nodiscard]] Result<Post> prepare(const SpoolId& id, const Record& record);
    [[nodiscard]] Status finish(const SpoolId& id, const Outcome& outcome);
    [[nodiscard]] Status hand_over(const SpoolId& id, const Receipt& receipt);
    [[nodiscard]] Status set_aside(const SpoolId& id, const Error& error);
    void note_success(const RegisterName& name);
    void count_failure(const RegisterName& name, Standing& standing, Code code);
    void note_failure(const SpoolId& id, const RegisterName& name, const Outcome& outcome);

    void take_signals();
    void reload();
    void retire(const RegisterName& name, Standing& standing);
    void let_go(const SpoolId& id);
    void obey_stop();
    void cut();
    void sound_alarms();
    [[nodiscard]] Status tell_health(bool now);
    [[nodiscard]] std::vector<RegisterHealth> health() const;

    DispatcherSettings settings_;
    Outbox* outbox_;
    const Clock* clock_;
    std::map<RegisterName, Standing> registers_;
    Schedule schedule_;
    std::shared_ptr<Completions> completions_ = std::make_shared<Completions>();
    std::map<SpoolId, RegisterName> under_way_;
    struct Retired {
        std::unique_ptr<Poster> poster;
        std::set<SpoolId> under_way;
    };
    std::vector<Retired> retired_;  ///< of before a reload
    std::function<std::optional<DispatcherChange>()> reload_;
    std::set<SpoolId> strange_;  ///< for registers that are not configured: said once
    std::optional<FolderWatch> watch_;
    int signal_fd_ = -1;
    Time next_sweep_{};
    Time next_health_{};
    Time health_due_{};  ///< written anew then, changed or not: that we live
    std::vector<RegisterHealth> told_;
    std::optional<Time> stop_by_;
    bool cut_ = false;
};

}  // namespace tpf::forward
