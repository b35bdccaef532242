#include "daemon/coordinator.h"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <thread>
#include <utility>

#include "base/log.h"
#include "daemon/segments.h"

namespace tpf::daemon {
namespace {

constexpr std::chrono::seconds kFirstDelay{1};
constexpr std::chrono::seconds kMostDelay{60};
constexpr std::chrono::seconds kReceiptDelay{5};  // for an answer that could not be dealt with
constexpr std::chrono::seconds kAnswerDelay{5};   // after a round in which a kvittering could not be written
constexpr unsigned kDrainRounds = 3;              // with --drain: that wrote none of those that are due
constexpr std::chrono::seconds kDrainTime{60};    // after SIGTERM: for what runs
constexpr std::chrono::seconds kRemovalEvery{60};
constexpr std::chrono::hours kClockSettles{1};
constexpr std::chrono::seconds kMetricsEvery{15};  // as often as Prometheus usually asks
constexpr std::chrono::milliseconds kDrainPoll{20};
constexpr std::chrono::milliseconds kPausePoll{500};
constexpr std::size_t kBatch = 256;
/// Messages handed to the pool at once: enough to keep it busy, few enough that a stop is quick.
constexpr std::size_t kMostInFlight = 512;
/// Threads for each pass that may run at once, and some more: most of them wait for the disk, and the more wait
/// together, the more share a commit.
constexpr unsigned kThreadsPerPass = 4;
constexpr unsigned kMoreThreads = 24;

/// What a library throws (no memory, no thread) ends here: the process stops and recovers at its next start.
template <class Work>
auto caught(const Work& work) -> decltype(work()) {
    try {
        return work();
    } catch (const std::exception&) {
        return fail(Code::internal, "an exception while working on a message");
    }
}

unsigned passes(const conf::Fixed& fixed) {
    const unsigned configured = fixed.workers.threads;
    return configured != 0 ? configured : std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

Coordinator::Coordinator(Core& core, int wake_fd, int signal_fd)
    : core_(core),
      wake_fd_(wake_fd),
      signal_fd_(signal_fd),
      inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      pipeline_(core),
      receipts_(core),
      metrics_file_(core, core.clock.utc()),
      pool_(passes(core.config.fixed) * kThreadsPerPass + kMoreThreads, std::max(1U, passes(core.config.fixed) - 1)) {
    watch(core_.spool.folders().inbox_new);
    watch(core_.spool.folders().receipts_new);
    for (const auto& [name, source] : core_.config.fixed.sources) {
        if (source.kind != conf::SourceKind::drop) continue;
        watch(source.path);
        const auto admit = [this](const queue::DropSettings& settings, std::uint64_t) {
            return core_.journal.check_quota(quota_of(*core_.config.now()), settings.sender);
        };
        drops_.emplace_back(core_.spool, core_.clock,
                            queue::DropSettings{name, source.path, source.sender, source.settle_seconds}, admit);
    }
}

Coordinator::~Coordinator() = default;

/// Without a watch the folder is still looked at every poll_seconds.
void Coordinator::watch(const Path& folder) {
    if (::inotify_add_watch(inotify_.get(), folder.c_str(), IN_MOVED_TO | IN_CLOSE_WRITE) < 0) {
        log::warning("folder cannot be watched, it is polled", {{"path", folder.string()}});
    }
}

void Coordinator::report(const Status& status) {
    if (status) return;
    if (status.error().disposition() == Disposition::stop) {
        core_.lifecycle.fatal(status.error());
    } else {
        log::warning("could not look for work", {{"code", status.error().name()}, {"error", status.error().text()}});
    }
}

bool Coordinator::run(Mode mode) {
    if (auto claimed = core_.journal.ids_in(queue::State::claimed); claimed) {
        for (const SpoolId& id : claimed.value()) submit_message(id, 0);
    } else {
        report(fail(claimed.error()));
    }
    while (!core_.lifecycle.stopping()) {
        const auto poll = mode == Mode::drain ? kDrainPoll : core_.config.now()->reloadable.workers.poll_seconds;
        if (core_.clock.steady() - folders_looked_at_ >= poll) folders_changed_ = true;
        resting_ = paused_ > 0;
        if (resting_) {
            wait(kPausePoll);
            continue;
        }
        const bool looked = folders_changed_;
        look_around();
        if (mode == Mode::drain && idle()) {
            if (looked) break;
            folders_changed_ = true;
            continue;
        }
        wait(poll);
    }
    pool_.clear();
    stop_by_ = core_.clock.steady() + kDrainTime;
    while (pool_.busy() > 0) {
        wait(std::chrono::milliseconds(100));
        if (!core_.lifecycle.cut() && core_.clock.steady() > stop_by_) {
            log::warning("stopping: what still runs is left for the next start");
            core_.lifecycle.cut_short();
        }
    }
    if (!core_.lifecycle.fatal_error()) {
        {
            // A kvittering that could not be written gets its next try now, not after the next start.
            const std::lock_guard lock(mutex_);
            if (answers_retry_ && core_.lifecycle.stopping()) answers_retry_ = core_.clock.steady();
        }
        housekeeping();
    }
    while (pool_.busy() > 0) wait(std::chrono::milliseconds(20));
    return !core_.lifecycle.fatal_error() && !left_over();
}

bool Coordinator::left_over() {
    const auto claimed = core_.journal.ids_in(queue::State::claimed);
    const auto inbox = core_.spool.list_inbox();
    const auto due = core_.journal.answers_due(1);
    if (!claimed || !claimed.value().empty() || !inbox || !inbox.value().ids.empty()) return true;
    const std::lock_guard lock(mutex_);
    return !due || !due.value().empty() || !receipts_later_.empty();
}

void Coordinator::look_around() {
    // A folder is listed when something was put there, not each time that a message is done.
    if (std::exchange(folders_changed_, false)) {
        folders_looked_at_ = core_.clock.steady();
        take_drops();
        take_inbox();
        take_receipts();
    }
    take_ripe();
    housekeeping();
}

bool Coordinator::idle() const {
    if (pool_.busy() > 0) return false;
    const std::lock_guard lock(mutex_);
    const bool answers_rest =
        !answers_in_flight_ && !answers_wanted_ && !(answers_retry_ && answers_stuck_ < kDrainRounds);
    return in_flight_.empty() && receipts_in_flight_.empty() && answers_rest && !settling_;
}

void Coordinator::take_drops() {
    settling_ = false;
    for (queue::DropSource& drop : drops_) {
        const auto scan = drop.scan();
        if (!scan) {
            // A drop folder that is not there is its owner's business, not a reason to stop.
            if (scan.error().code() == Code::not_found) {
                log::warning("drop folder is missing", {{"error", scan.error().text()}});
            } else {
                report(fail(scan.error()));
            }
            continue;
        }
        settling_ = settling_ || scan.value().settling > 0;
        for (const SpoolId& id : scan.value().taken) submit_message(id, 0);
    }
}

void Coordinator::take_inbox() {
    {
        const std::lock_guard lock(mutex_);
        inbox_more_ = in_flight_.size() >= kMostInFlight;
        if (inbox_more_) return;
    }
    const auto listing = core_.spool.list_inbox();
    if (!listing) return report(fail(listing.error()));
    for (const SpoolId& id : listing.value().ids) {
        {
            const std::lock_guard lock(mutex_);
            inbox_more_ = in_flight_.size() >= kMostInFlight;
            if (inbox_more_) return;
            if (in_flight_.contains(id)) continue;
        }
        const auto look = core_.spool.look(id);
        submit_message(id, look ? look.value().size : 0);
    }
}

void Coordinator::take_ripe() {
    std::vector<SpoolId> ripe;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, later] : later_) {
            if (later.next <= core_.clock.steady()) ripe.push_back(id);
        }
    }
    for (const SpoolId& id : ripe) submit_message(id, 0);
}

void Coordinator::enqueue(const SpoolId& id) {
    {
        const std::lock_guard lock(mutex_);
        later_.erase(id);
        // A worker may be about to leave it: then it takes it up again.
        if (in_flight_.contains(id)) {
            again_.insert(id);
            return;
        }
    }
    submit_message(id, 0);
}

void Coordinator::look_for_answers() {
    {
        const std::lock_guard lock(mutex_);
        answers_wanted_ = true;
    }
    core_.lifecycle.wake();
}

/// `size` 0: not known; looked up where the message lies in work/.
void Coordinator::submit_message(const SpoolId& id, std::uint64_t size) {
    {
        const std::lock_guard lock(mutex_);
        const auto waits = later_.find(id);
        if (waits != later_.end() && waits->second.next > core_.clock.steady()) return;
        // take_ripe() finds it when the pause is over.
        if (paused_ > 0) {
            later_.try_emplace(id, Later{core_.clock.steady(), kFirstDelay});
            return;
        }
        if (!in_flight_.insert(id).second) return;
    }
    if (size == 0) {
        for (const Path& folder : {core_.spool.folders().work, core_.spool.folders().inbox_new}) {
            const auto info = core_.fs.info(folder / id.str() / queue::kInnsending);
            if (info) size = std::max(size, info.value().size);
        }
    }
    const bool large = size >= core_.config.now()->reloadable.workers.large_message_bytes;
    hand_out(large ? WorkerPool::Size::large : WorkerPool::Size::small, [this, id] { work_on(id); });
}

void Coordinator::work_on(const SpoolId& id) {
    const bool run = !core_.lifecycle.cut();
    const auto outcome =
        run ? caught([&] { return pipeline_.process(id); }) : Result<Pipeline::Outcome>(Pipeline::Outcome::later);
    if (!outcome) report(fail(outcome.error()));
    const bool answer_due = !outcome || outcome.value() != Pipeline::Outcome::published;
    bool again = false;
    bool wake = answer_due;
    {
        const std::lock_guard lock(mutex_);
        in_flight_.erase(id);
        answers_wanted_ = answers_wanted_ || answer_due;
        wake = wake || in_flight_.empty() || (inbox_more_ && in_flight_.size() <= kMostInFlight / 2);
        again = again_.erase(id) > 0;
        if (again) {
            later_.erase(id);
        } else if (!outcome || outcome.value() == Pipeline::Outcome::later) {
            // An error is not the message's end: whatever kept it, it is tried again.
            Later& later = later_.try_emplace(id, Later{{}, kFirstDelay / 2}).first->second;
            later.delay = std::clamp(later.delay * 2, kFirstDelay, kMostDelay);
            later.next = core_.clock.steady() + later.delay;
        } else {
            later_.erase(id);
        }
    }
    if (again) submit_message(id, 0);
    if (wake) core_.lifecycle.wake();
}

void Coordinator::take_receipts() {
    const auto listing = core_.spool.list_receipts();
    if (!listing) return report(fail(listing.error()));
    for (const SpoolId& id : listing.value().ids) {
        {
            const std::lock_guard lock(mutex_);
            const auto waits = receipts_later_.find(id);
            if (waits != receipts_later_.end() && waits->second > core_.clock.steady()) continue;
            if (!receipts_in_flight_.insert(id).second) continue;
        }
        hand_out(WorkerPool::Size::small, [this, id] {
            const auto processed = caught([&] { return receipts_.process(id); });
            report(processed);
            {
                const std::lock_guard lock(mutex_);
                receipts_in_flight_.erase(id);
                if (processed) {
                    receipts_later_.erase(id);
                } else {
                    receipts_later_[id] = core_.clock.steady() + kReceiptDelay;
                }
                answers_wanted_ = true;
            }
            core_.lifecycle.wake();
        });
    }
}

void Coordinator::housekeeping() {
    const std::lock_guard lock(mutex_);
    const auto now = core_.clock.steady();
    const bool again = answers_retry_ && *answers_retry_ <= now;
    if ((answers_wanted_ || again) && !answers_in_flight_ && (!answers_retry_ || again)) {
        answers_wanted_ = false;
        answers_retry_.reset();
        answers_in_flight_ = true;
        hand_out(WorkerPool::Size::small, [this] {
            const auto written = receipts_.write_answers(kBatch);
            if (!written) report(fail(written.error()));
            {
                const std::lock_guard inner(mutex_);
                answers_in_flight_ = false;
                answers_wanted_ = answers_wanted_ || (written && written.value().written > 0);
                const bool failed = !written || written.value().failed > 0;
                if (failed) answers_retry_ = core_.clock.steady() + kAnswerDelay;
                const bool stuck = failed && !(written && written.value().written > 0);
                answers_stuck_ = stuck ? answers_stuck_ + 1 : 0;
            }
            core_.lifecycle.wake();
        });
    }
    if (!metrics_in_flight_ && now >= metrics_next_) {
        metrics_in_flight_ = true;
        metrics_next_ = now + kMetricsEvery;
        hand_out(WorkerPool::Size::small, [this] {
            metrics_file_.write();
            const std::lock_guard inner(mutex_);
            metrics_in_flight_ = false;
        });
    }
    if (!removal_in_flight_ && core_.clock.steady() >= removal_next_) {
        removal_in_flight_ = true;
        removal_next_ = core_.clock.steady() + kRemovalEvery;
        hand_out(WorkerPool::Size::small, [this] {
            const auto removed = receipts_.remove_expired(kBatch);
            if (!removed) report(fail(removed.error()));
            const bool settled = core_.clock.steady() - began_ > kClockSettles;
            report(close_year(core_.journal, core_.clock, settled ? ClockTrust::settled : ClockTrust::fresh));
            const std::lock_guard inner(mutex_);
            removal_in_flight_ = false;
            if (removed && removed.value() == kBatch) removal_next_ = {};
        });
    }
}

Coordinator::Pause::Pause(Coordinator& coordinator) : coordinator_(coordinator) {
    // Whoever hands something out has said so under this lock before.
    const std::lock_guard lock(coordinator_.mutex_);
    ++coordinator_.paused_;
}

Coordinator::Pause::~Pause() {
    --coordinator_.paused_;
    coordinator_.core_.lifecycle.wake();
}

bool Coordinator::Pause::wait_until_quiet(std::chrono::seconds most, const std::function<bool()>& go_on) const {
    const auto until = std::chrono::steady_clock::now() + most;
    auto next = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while (!coordinator_.quiet()) {
        const auto now = std::chrono::steady_clock::now();
        if (now > until || coordinator_.core_.lifecycle.stopping()) return false;
        if (now > next && !go_on()) return false;
        if (now > next) next = now + std::chrono::seconds(1);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
}

bool Coordinator::quiet() const {
    const std::lock_guard lock(mutex_);
    return resting_ && in_flight_.empty() && pool_.busy() == 0;
}

/// Each piece of work is watched for signs of life.
void Coordinator::hand_out(WorkerPool::Size size, WorkerPool::Job job) {
    pool_.submit(size, [this, job = std::move(job)] {
        const Lifecycle::Work work(core_.lifecycle);
        job();
        crypto::wipe_stack();
    });
}

/// Every loop comes by here: what the watchdog is told is that this one turns, and that the threads get on.
void Coordinator::wait(std::chrono::milliseconds most) {
    watchdog_.alive(core_.lifecycle.silence(pool_.busy() > 0));
    most = watchdog_.at_most(most);
    pollfd fds[] = {{wake_fd_, POLLIN, 0}, {signal_fd_, POLLIN, 0}, {inotify_.get(), POLLIN, 0}};
    const int ready = ::poll(fds, 3, static_cast<int>(most.count()));
    {
        const std::lock_guard lock(mutex_);
        if (inbox_more_ && in_flight_.size() <= kMostInFlight / 2) folders_changed_ = true;
    }
    if (ready <= 0) return;
    if ((fds[1].revents & POLLIN) != 0) read_signals();
    // What exactly happened does not matter: look_around() looks at everything.
    if ((fds[2].revents & POLLIN) != 0) folders_changed_ = true;
    alignas(8) char drop[4096];
    if ((fds[0].revents & POLLIN) != 0) [[maybe_unused]]
        const ssize_t n = ::read(wake_fd_, drop, 8);
    while ((fds[2].revents & POLLIN) != 0 && ::read(inotify_.get(), drop, sizeof drop) > 0) {
    }
}

void Coordinator::read_signals() {
    signalfd_siginfo info{};
    while (::read(signal_fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        if (info.ssi_signo == SIGHUP) {
            if (reload_) reload_();
            folders_changed_ = true;
        } else if (++signals_ == 1) {
            log::info("stopping: what runs is finished first; a second signal cuts it short");
            core_.lifecycle.request_stop();
        } else {
            log::warning("stopping at once: what runs is done again at the next start");
            core_.lifecycle.cut_short();
        }
    }
}

}  // namespace tpf::daemon
