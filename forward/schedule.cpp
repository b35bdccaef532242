#include "forward/schedule.h"

#include <algorithm>

namespace tpf::forward {

Schedule::Schedule(ScheduleLimits limits, const std::map<RegisterName, unsigned>& connections, Draw draw)
    : limits_(limits), draw_(std::move(draw)) {
    configure(limits, connections, Time{});
}

void Schedule::configure(ScheduleLimits limits, const std::map<RegisterName, unsigned>& connections, Time now) {
    limits_ = limits;
    for (auto& [name, home] : registers_) {
        if (home.named && !connections.contains(name)) close(home);
    }
    for (const auto& [name, count] : connections) {
        const auto [at, added] = registers_.try_emplace(name);
        Register& home = at->second;
        if (!home.named && home.in_flight == 0) ++idle_registers_;
        home.named = true;
        home.connections = std::max(count, 1U);
        home.open_at = std::min(home.open_at, now);
        wake(home, Time::max());
        if (!added) continue;
        turns_.push_back(&home);
        ++idle_registers_;
    }
    limits_.overall = std::max(limits_.overall, static_cast<unsigned>(turns_.size()));
}

/// It stays, for what is in flight, and in case that it comes back.
void Schedule::close(Register& home) {
    home.named = false;
    if (home.in_flight == 0) --idle_registers_;
    for (const SpoolId& id : all()) {
        if (messages_.at(id).home == &home) remove(id);
    }
    home.failures = 0;
    home.message_failures = 0;
}

bool Schedule::add(const SpoolId& id, const RegisterName& register_name, std::uint64_t bytes) {
    const auto home = registers_.find(register_name);
    if (home == registers_.end() || !home->second.named) return false;
    const auto [at, added] = messages_.try_emplace(id);
    if (!added) return false;
    at->second.home = &home->second;
    at->second.large = bytes > limits_.large_bytes;
    ++home->second.messages;
    make_ready(id, at->second);
    return true;
}

void Schedule::remove(const SpoolId& id) {
    const auto at = messages_.find(id);
    if (at == messages_.end()) return;
    if (at->second.state == State::in_flight) {
        at->second.removed = true;
        return;
    }
    leave_queue(id, at->second);
    forget(id);
}

void Schedule::forget(const SpoolId& id) {
    const auto at = messages_.find(id);
    --at->second.home->messages;
    messages_.erase(at);
}

void Schedule::make_ready(const SpoolId& id, Message& message) {
    message.state = State::ready;
    message.place = ++places_;
    (message.large ? message.home->large : message.home->small).emplace(message.place, id);
}

void Schedule::requeue(const SpoolId& id, Message& message) {
    if (limits_.once) {
        message.state = State::spent;
    } else {
        make_ready(id, message);
    }
}

void Schedule::delay(const SpoolId& id, Message& message, Time now) {
    ++message.failures;
    if (limits_.once) {
        message.state = State::spent;
        return;
    }
    message.state = State::delayed;
    message.due = now + limits_.backoff.after(message.failures, draw_());
    message.home->delayed.emplace(message.due, id);
}

void Schedule::leave_queue(const SpoolId& id, const Message& message) {
    Register& home = *message.home;
    switch (message.state) {
        case State::ready:
            (message.large ? home.large : home.small).erase({message.place, id});
            break;
        case State::delayed:
            home.delayed.erase({message.due, id});
            break;
        case State::handed_over:
            --home.handed_over;
            break;
        case State::in_flight:
        case State::spent:
            break;
    }
}

void Schedule::wake(Register& home, Time now) {
    while (!home.delayed.empty() && home.delayed.begin()->first <= now) {
        const SpoolId id = home.delayed.begin()->second;
        home.delayed.erase(home.delayed.begin());
        make_ready(id, messages_.at(id));
    }
}

bool Schedule::given_up(const Register& home) const {
    return limits_.once && home.failures >= kAwayAfter;
}

bool Schedule::has_slot(const Register& home) const {
    if (!home.named || given_up(home) || home.in_flight >= home.connections) return false;
    if (home.failures > 0 && home.probe) return false;
    return home.in_flight == 0 || total_in_flight_ + idle_registers_ < limits_.overall;
}

std::optional<SpoolId> Schedule::pick(const Register& home) const {
    const unsigned large_slots = std::max(home.connections - 1, 1U);
    const bool large = !home.large.empty() && home.large_in_flight < large_slots;
    const bool small = !home.small.empty();
    // A small one probes: while a probe is out everything else waits.
    const bool probing = home.failures > 0;
    if (large && (!small || (!home.large_was_last && !probing))) return home.large.begin()->second;
    if (small) return home.small.begin()->second;
    return std::nullopt;
}

void Schedule::launch(const SpoolId& id) {
    Message& message = messages_.at(id);
    Register& home = *message.home;
    leave_queue(id, message);
    message.state = State::in_flight;
    message.incident = home.incident;
    if (home.failures > 0) home.probe = id;
    if (home.in_flight++ == 0) --idle_registers_;
    if (message.large) ++home.large_in_flight;
    home.large_was_last = message.large;
    ++total_in_flight_;
}

std::optional<SpoolId> Schedule::start(Time now) {
    for (std::size_t i = 0; i < turns_.size(); ++i) {
        Register& home = *turns_[(turn_ + i) % turns_.size()];
        wake(home, now);
        if (!has_slot(home) || (home.failures > 0 && now < home.open_at)) continue;
        const auto id = pick(home);
        if (!id) continue;
        launch(*id);
        turn_ = (turn_ + i + 1) % turns_.size();
        return id;
    }
    return std::nullopt;
}

std::optional<Schedule::Time> Schedule::next_time() const {
    std::optional<Time> soonest;
    for (const Register* home : turns_) {
        // Without a slot it is the end of a flight that makes room, not time.
        if (!has_slot(*home)) continue;
        std::optional<Time> due;
        if (pick(*home)) {
            due = Time::min();
        } else if (!home->delayed.empty()) {
            due = home->delayed.begin()->first;
        }
        if (!due) continue;
        if (home->failures > 0) due = std::max(*due, home->open_at);
        soonest = soonest ? std::min(*soonest, *due) : *due;
    }
    return soonest;
}

Schedule::Message& Schedule::land(const SpoolId& id) {
    Message& message = messages_.at(id);
    Register& home = *message.home;
    if (--home.in_flight == 0 && home.named) ++idle_registers_;
    if (message.large) --home.large_in_flight;
    if (home.probe == id) home.probe.reset();
    --total_in_flight_;
    return message;
}

void Schedule::keep_handed_over(const SpoolId& id, Message& message) {
    if (message.removed) return forget(id);
    message.state = State::handed_over;
    ++message.home->handed_over;
}

void Schedule::answered(const SpoolId& id) {
    Message& message = land(id);
    message.home->failures = 0;
    message.home->message_failures = 0;
    keep_handed_over(id, message);
}

void Schedule::set_aside(const SpoolId& id) {
    keep_handed_over(id, land(id));
}

void Schedule::charge_register(Register& home, const Message& message, Time now,
                               std::optional<std::chrono::seconds> asked) {
    const bool counted = message.incident == home.incident;
    if (counted) {
        ++home.failures;
        ++home.incident;
    }
    if (!counted && !asked) return;
    const auto wait = asked ? limits_.backoff.bounded(*asked) : limits_.backoff.after(home.failures, draw_());
    home.open_at = counted ? now + wait : std::max(home.open_at, now + wait);
}

void Schedule::register_failed(const SpoolId& id, Time now, std::optional<std::chrono::seconds> asked) {
    Message& message = land(id);
    charge_register(*message.home, message, now, asked);
    if (message.removed) return forget(id);
    requeue(id, message);
}

void Schedule::message_failed(const SpoolId& id, Time now) {
    Message& message = land(id);
    Register& home = *message.home;
    ++home.message_failures;
    if (home.failures > 0 || home.message_failures >= kAwayAfter) charge_register(home, message, now, {});
    if (message.removed) return forget(id);
    delay(id, message, now);
}

void Schedule::local_failed(const SpoolId& id, Time now) {
    Message& message = land(id);
    if (message.removed) return forget(id);
    delay(id, message, now);
}

void Schedule::not_accepted(const SpoolId& id, Time now) {
    Message& message = messages_.at(id);
    leave_queue(id, message);
    delay(id, message, now);
}

bool Schedule::in_flight(const SpoolId& id) const {
    const auto at = messages_.find(id);
    return at != messages_.end() && at->second.state == State::in_flight;
}

bool Schedule::is_handed_over(const SpoolId& id) const {
    const auto at = messages_.find(id);
    return at != messages_.end() && at->second.state == State::handed_over;
}

std::vector<SpoolId> Schedule::all() const {
    std::vector<SpoolId> ids;
    ids.reserve(messages_.size());
    for (const auto& [id, message] : messages_) ids.push_back(id);
    return ids;
}

Schedule::RegisterState Schedule::state(const RegisterName& register_name) const {
    const Register& home = registers_.at(register_name);
    RegisterState state;
    state.failures = home.failures;
    state.handed_over = home.handed_over;
    state.in_flight = home.in_flight;
    state.waiting = home.messages - home.in_flight - home.handed_over;
    if (home.failures > 0 && !home.probe) state.next_attempt = home.open_at;
    return state;
}

}  // namespace tpf::forward
