#include "forward/dispatcher.h"

#include <poll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "base/encoding.h"
#include "base/log.h"

namespace tpf::forward {
namespace {

constexpr std::chrono::seconds kHealthEvery{1};
constexpr std::chrono::seconds kHealthAtLeast{30};

std::map<RegisterName, unsigned> connections_of(const std::map<RegisterName, Dispatcher::Route>& routes) {
    std::map<RegisterName, unsigned> connections;
    for (const auto& [name, route] : routes) connections.emplace(name, route.connections);
    return connections;
}

ScheduleLimits limits_of(const DispatcherSettings& settings) {
    ScheduleLimits limits = settings.limits;
    limits.once = settings.drain;
    return limits;
}

/// An error of the outbox: one that says stop ends the forwarder, any other is said and waited out.
Status tolerate(const Error& error, std::string_view what) {
    if (error.disposition() == Disposition::stop && error.code() != Code::not_found) return fail(error);
    log::warning(what, {{"code", error.name()}, {"error", error.detail()}});
    return ok();
}

bool is_signature(std::string_view text) {
    const auto bytes = from_base64(text);
    return bytes && bytes.value().size() == 64;
}

}  // namespace

// The routes are moved out of the map, which clang-tidy does not see.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
Dispatcher::Dispatcher(DispatcherSettings settings, std::map<RegisterName, Route> routes, Outbox& outbox,
                       const Clock& clock, Draw draw)
    : settings_(settings),
      outbox_(&outbox),
      clock_(&clock),
      schedule_(limits_of(settings), connections_of(routes), std::move(draw)) {
    for (auto& [name, route] : routes) {
        Standing& standing = registers_[name];
        standing.route = std::move(route);
        standing.since = clock.utc();
    }
}

Dispatcher::~Dispatcher() = default;

Result<Dispatcher::Report> Dispatcher::run(const std::function<void()>& heartbeat, int signal_fd) {
    signal_fd_ = signal_fd;
    if (!settings_.drain) {
        auto watch = FolderWatch::open(outbox_->watched_folder());
        if (!watch)
            log::warning("the outbox cannot be watched, it is listed from time to time",
                         {{"error", watch.error().detail()}});
        if (watch) watch_.emplace(std::move(watch).value());
    }
    TPF_TRY(sweep());
    for (;;) {
        TPF_TRY(turn());
        heartbeat();
        if (finished()) break;
        wait();
    }
    TPF_TRY(tell_health(true));
    return report();
}

std::chrono::milliseconds Dispatcher::silence() const {
    std::chrono::milliseconds longest{0};
    for (const auto& [name, standing] : registers_) longest = std::max(longest, standing.route.poster->silence());
    return longest;
}

Status Dispatcher::turn() {
    for (auto& [id, outcome] : completions_->take()) {
        TPF_TRY(finish(id, outcome));
    }
    take_signals();
    obey_stop();
    if (!settings_.drain) {
        TPF_TRY(take_changes());
        if (clock_->steady() >= next_sweep_) {
            TPF_TRY(sweep());
        }
    }
    if (!stop_by_) {
        TPF_TRY(start_what_may());
    }
    sound_alarms();
    return tell_health(false);
}

bool Dispatcher::finished() const {
    if (schedule_.total_in_flight() > 0) return false;
    return stop_by_ || (settings_.drain && !schedule_.next_time());
}

Result<Dispatcher::Report> Dispatcher::report() {
    Report report;
    TPF_TRY(const auto left, outbox_->to_send());
    report.remaining = left.size();
    for (const auto& [name, standing] : registers_) {
        if (standing.trouble) report.away.push_back(name);
    }
    return report;
}

void Dispatcher::wait() const {
    std::array<pollfd, 3> fds = {pollfd{completions_->fd(), POLLIN, 0}, pollfd{watch_ ? watch_->fd() : -1, POLLIN, 0},
                                 pollfd{signal_fd_, POLLIN, 0}};
    // EINTR is as good a reason to look around as any.
    static_cast<void>(::poll(fds.data(), fds.size(), static_cast<int>(patience().count())));
}

std::chrono::milliseconds Dispatcher::patience() const {
    const Time now = clock_->steady();
    Time until = now + settings_.longest_wait;
    if (!settings_.drain) until = std::min(until, next_sweep_);
    if (stop_by_ && !cut_) until = std::min(until, *stop_by_);
    if (!stop_by_) {
        if (const auto next = schedule_.next_time()) until = std::min(until, *next);
    }
    if (health() != told_) until = std::min(until, next_health_);
    if (until <= now) return std::chrono::milliseconds(0);
    return std::chrono::ceil<std::chrono::milliseconds>(until - now);
}

Status Dispatcher::take_changes() {
    if (!watch_) return ok();
    const auto changes = watch_->changes();
    if (changes.lost) next_sweep_ = clock_->steady();
    for (const std::string& name : changes.appeared) {
        const auto id = SpoolId::parse(name);
        if (!id) continue;
        TPF_TRY(discover(id.value()));
    }
    for (const std::string& name : changes.left) {
        if (const auto id = SpoolId::parse(name)) schedule_.remove(id.value());
    }
    return ok();
}

Status Dispatcher::sweep() {
    next_sweep_ = clock_->steady() + settings_.poll;
    const auto listed = outbox_->to_send();
    if (!listed) return tolerate(listed.error(), "the outbox could not be listed");
    const std::set<SpoolId> to_send(listed.value().begin(), listed.value().end());
    std::erase_if(strange_, [&](const SpoolId& id) { return !to_send.contains(id); });
    review_known(to_send);
    for (const SpoolId& id : to_send) {
        TPF_TRY(discover(id));
    }
    return ok();
}

void Dispatcher::review_known(const std::set<SpoolId>& to_send) {
    for (const SpoolId& id : schedule_.all()) {
        if (schedule_.in_flight(id)) continue;
        const bool handed_over = schedule_.is_handed_over(id);
        if (to_send.contains(id)) {
            if (!handed_over) continue;
            log::info("the core took the answer and left the message: it is sent again", {{"message", id}});
            schedule_.not_accepted(id, clock_->steady());
            continue;
        }
        const auto present = handed_over ? outbox_->is_present(id) : Result<bool>(false);
        if (present && !present.value()) schedule_.remove(id);
    }
}

Status Dispatcher::discover(const SpoolId& id) {
    if (schedule_.knows(id) || strange_.contains(id)) return ok();
    const auto record = outbox_->record(id);
    if (!record) {
        switch (record.error().code()) {
            case Code::not_found:
                return ok();
            case Code::record_damaged:
            case Code::record_form:
                return set_aside(id, record.error());
            default:
                return tolerate(record.error(), "a message's record could not be read");
        }
    }
    if (schedule_.add(id, record.value().register_name, record.value().bytes)) return ok();
    strange_.insert(id);
    log::error("a message for a register that is not configured waits",
               {{"message", id},
                {"register", record.value().register_name.str()},
                {"hint", "add it to the configuration and reload tpf-forward"}});
    return ok();
}

Status Dispatcher::start_what_may() {
    while (const auto id = schedule_.start(clock_->steady())) {
        TPF_TRY(launch(*id));
    }
    return ok();
}

/// Whatever goes wrong before the message is under way ends its flight here.
Status Dispatcher::launch(const SpoolId& id) {
    const auto record = outbox_->record(id);
    auto post = record ? prepare(id, record.value()) : Result<Post>(fail(record.error()));
    if (!post) {
        const Code code = post.error().code();
        if (code == Code::record_damaged || code == Code::record_form) {
            TPF_TRY(set_aside(id, post.error()));
            schedule_.set_aside(id);
            return ok();
        }
        if (code == Code::not_found) schedule_.remove(id);
        schedule_.local_failed(id, clock_->steady());
        return code == Code::not_found ? ok() : tolerate(post.error(), "a message could not be opened");
    }
    const RegisterName& name = record.value().register_name;
    under_way_.emplace(id, name);
    log::info("sending",
              {{"stage", "send"}, {"message", id}, {"register", name.str()}, {"bytes", record.value().bytes}});
    registers_.at(name).route.poster->post(std::move(post).value(), [completions = completions_, id](Outcome outcome) {
        completions->push(id, std::move(outcome));
    });
    return ok();
}

Result<Post> Dispatcher::prepare(const SpoolId& id, const Record& record) {
    if (!registers_.contains(record.register_name))
        return fail(Code::io, "the record names another register than before");
    if (!is_signature(record.signature)) return fail(Code::record_form, "the signature in the record has not its form");
    TPF_TRY(auto body, outbox_->open_body(id));
    return Post{record.name, record.signature, record.bytes, record.sha256, std::move(body), record.checkpoint};
}

Status Dispatcher::finish(const SpoolId& id, const Outcome& outcome) {
    const auto flight = under_way_.extract(id);
    let_go(id);
    const RegisterName& name = flight.mapped();
    const Time now = clock_->steady();
    switch (outcome.kind) {
        case Outcome::Kind::answered: {
            log::info("the register answered", {{"stage", "answer"},
                                                {"message", id},
                                                {"register", name.str()},
                                                {"status", static_cast<std::uint64_t>(outcome.http_status)}});
            note_success(name);
            Receipt receipt;
            receipt.http_status = outcome.http_status;
            receipt.fields = outcome.fields;
            receipt.time = clock_->utc();
            return hand_over(id, receipt);
        }
        case Outcome::Kind::damaged: {
            TPF_TRY(set_aside(id, outcome.error));
            schedule_.set_aside(id);
            return ok();
        }
        case Outcome::Kind::register_failed:
            schedule_.register_failed(id, now, outcome.retry_after);
            note_failure(id, name, outcome);
            return ok();
        case Outcome::Kind::message_failed:
            schedule_.message_failed(id, now);
            note_failure(id, name, outcome);
            return ok();
        case Outcome::Kind::local_failed:
            schedule_.local_failed(id, now);
            return tolerate(outcome.error, "a message could not be sent for a local reason");
        case Outcome::Kind::cut:
            schedule_.local_failed(id, now);
            return ok();
    }
    return ok();
}

Status Dispatcher::hand_over(const SpoolId& id, const Receipt& receipt) {
    if (auto written = outbox_->write_receipt(id, receipt); !written) {
        // The register repeats its answer when the message is sent again.
        schedule_.local_failed(id, clock_->steady());
        return tolerate(written.error(), "an answer could not be handed over");
    }
    schedule_.answered(id);
    return ok();
}

Status Dispatcher::set_aside(const SpoolId& id, const Error& error) {
    log::error("a message was not sent: its files are damaged",
               {{"message", id}, {"code", error.name()}, {"error", error.detail()}, {"hint", error.hint()}});
    Receipt receipt;
    receipt.kind = Receipt::Kind::local;
    receipt.code = error.code();
    receipt.time = clock_->utc();
    if (auto written = outbox_->write_receipt(id, receipt); !written) {
        return tolerate(written.error(), "a finding could not be handed over");
    }
    return ok();
}

void Dispatcher::note_success(const RegisterName& name) {
    const auto at = registers_.find(name);
    if (at == registers_.end()) return;
    Standing& standing = at->second;
    standing.last_success = clock_->utc();
    standing.failures = 0;
    if (!standing.trouble) return;
    standing.trouble.reset();
    standing.since = *standing.last_success;
    standing.alarmed = false;
}

void Dispatcher::count_failure(const RegisterName& name, Standing& standing, Code code) {
    if (!standing.trouble) {
        standing.since = clock_->utc();
        standing.since_steady = clock_->steady();
    }
    standing.trouble = code;
    ++standing.failures;
    if (const auto next = schedule_.state(name).next_attempt) {
        const auto wait = std::chrono::ceil<std::chrono::seconds>(*next - clock_->steady());
        standing.next_attempt = clock_->utc() + std::max(wait, std::chrono::seconds(0));
    }
}

/// The register may have gone from the configuration meanwhile.
void Dispatcher::note_failure(const SpoolId& id, const RegisterName& name, const Outcome& outcome) {
    const auto at = registers_.find(name);
    if (at != registers_.end()) count_failure(name, at->second, outcome.error.code());
    const auto level = outcome.alarm ? log::Level::error : log::Level::warning;
    log::write(level, "not delivered, later again",
               {{"stage", "send"},
                {"message", id},
                {"register", name.str()},
                {"code", outcome.error.name()},
                {"error", outcome.error.detail()},
                {"hint", outcome.error.hint()}});
}

void Dispatcher::take_signals() {
    signalfd_siginfo signal{};
    while (signal_fd_ >= 0 && ::read(signal_fd_, &signal, sizeof signal) == sizeof signal) {
        if (signal.ssi_signo == SIGHUP) {
            reload();
        } else {
            stop();
        }
    }
}

void Dispatcher::reload() {
    if (!reload_ || settings_.drain || stopping()) return;
    auto change = reload_();
    if (!change) return;
    settings_ = change->settings;
    schedule_.configure(limits_of(settings_), connections_of(change->routes), clock_->steady());
    for (auto at = registers_.begin(); at != registers_.end();) {
        if (change->routes.contains(at->first)) {
            ++at;
            continue;
        }
        log::warning("a register is not configured any more: it gets nothing new", {{"register", at->first.str()}});
        retire(at->first, at->second);
        at = registers_.erase(at);
    }
    for (auto& [name, route] : change->routes) {
        const auto [at, added] = registers_.try_emplace(name);
        Standing& standing = at->second;
        if (added) {
            standing.since = clock_->utc();
        } else {
            retire(name, standing);
        }
        standing.route = std::move(route);
    }
    // Messages for a register that was not known are discovered now.
    strange_.clear();
    next_sweep_ = clock_->steady();
}

void Dispatcher::retire(const RegisterName& name, Standing& standing) {
    Retired old{std::move(standing.route.poster), {}};
    for (const auto& [id, to] : under_way_) {
        if (to == name) old.under_way.insert(id);
    }
    if (!old.under_way.empty()) retired_.push_back(std::move(old));
}

/// An endpoint of before a reload goes when the last that it carried has ended.
void Dispatcher::let_go(const SpoolId& id) {
    std::erase_if(retired_,
                  [&](Retired& retired) { return retired.under_way.erase(id) > 0 && retired.under_way.empty(); });
}

void Dispatcher::obey_stop() {
    const unsigned requests = completions_->stop_requests();
    if (requests == 0 || cut_) return;
    const Time now = clock_->steady();
    if (!stop_by_) {
        log::info("stopping", {{"stage", "stop"}});
        stop_by_ = now + settings_.stop_grace;
    }
    if (requests >= 2 || now >= *stop_by_) cut();
}

void Dispatcher::cut() {
    cut_ = true;
    if (schedule_.total_in_flight() > 0)
        log::warning("what was under way is cut; it will be sent again", {{"stage", "stop"}});
    for (auto& [name, standing] : registers_) standing.route.poster->cut();
    for (const Retired& retired : retired_) retired.poster->cut();
}

void Dispatcher::sound_alarms() {
    for (auto& [name, standing] : registers_) {
        if (!standing.trouble || standing.alarmed) continue;
        if (clock_->steady() - standing.since_steady < settings_.alarm_after) continue;
        standing.alarmed = true;
        log::error("a register has been away for long", {{"register", name.str()},
                                                         {"code", info(*standing.trouble).name},
                                                         {"hint", info(*standing.trouble).remedy}});
    }
}

std::vector<RegisterHealth> Dispatcher::health() const {
    std::vector<RegisterHealth> all;
    for (const auto& [name, standing] : registers_) {
        const auto state = schedule_.state(name);
        RegisterHealth health{name,
                              standing.last_success,
                              standing.failures,
                              standing.trouble,
                              standing.since,
                              {},
                              state.in_flight,
                              state.waiting,
                              state.handed_over,
                              standing.route.certificate_ends,
                              standing.route.authorities_end};
        if (state.next_attempt) health.next_attempt = standing.next_attempt;
        all.push_back(std::move(health));
    }
    return all;
}

Status Dispatcher::tell_health(bool now) {
    if (!now && clock_->steady() < next_health_) return ok();
    auto current = health();
    if (current == told_ && clock_->steady() < health_due_) return ok();
    health_due_ = clock_->steady() + kHealthAtLeast;
    next_health_ = clock_->steady() + kHealthEvery;
    if (auto written = outbox_->write_health(current); !written) {
        return tolerate(written.error(), "the registers' standing could not be written");
    }
    told_ = std::move(current);
    return ok();
}

}  // namespace tpf::forward
