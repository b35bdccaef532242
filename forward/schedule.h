#pragma once
// Which message goes next: pure bookkeeping, no clock, no files, no network, so that fairness and back-off are tested
// by saying what time it is. Times are the steady clock's: a jump of the wall clock changes nothing.
//
// - Each register has its own connections, and its own queues of small and large messages, first in, first out.
// Registers
//   take turns; the last slots of the overall limit are kept for registers that have none, so a slow one can use up its
//   own share only.
// - Large messages use at most connections - 1 of a register's slots (1 of 1), so there is always one that the small
// ones
//   come round to; where both could go, they take turns.
// - A failure is charged to whom it speaks of. A message that failed waits by itself. A register that failed waits as a
//   whole; then one message at a time probes it, a small one if there is one, each time another, until one is answered.
//   kAwayAfter failures of messages in a row, with no answer between them, count as the register's.
// - Several messages that fail over one incident count once: only one that was started after the last counted failure
//   makes the wait longer.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/types.h"
#include "forward/backoff.h"

namespace tpf::forward {

struct ScheduleLimits {
    unsigned overall = 32;                 ///< messages in flight at once; raised to the number of registers
    std::uint64_t large_bytes = 8U << 20;  ///< a body of more is large
    Backoff backoff;
    bool once = false;  ///< each message is tried once, and a register given up after kAwayAfter failures in a row
};

/// Not thread-safe.
class Schedule {
  public:
    using Time = std::chrono::steady_clock::time_point;
    static constexpr unsigned kAwayAfter = 3;

    /// `connections`: for each register, at least 1.
    Schedule(ScheduleLimits limits, const std::map<RegisterName, unsigned>& connections, Draw draw);

    /// Other limits, and other connections for registers that it knows or comes to know; the messages of one that is
    /// not named any more are forgotten, those in flight when they end. What waits for time to pass is due at `now`.
    void configure(ScheduleLimits limits, const std::map<RegisterName, unsigned>& connections, Time now);

    /// A message to send. False: there is no such register (any more), or it is known already.
    bool add(const SpoolId& id, const RegisterName& register_name, std::uint64_t bytes);
    /// It is not to be sent any more. One in flight is forgotten when it ends.
    void remove(const SpoolId& id);
    [[nodiscard]] bool knows(const SpoolId& id) const { return messages_.contains(id); }

    /// The next message to start at `now`, which is then in flight until one of the five below ends that.
    [[nodiscard]] std::optional<SpoolId> start(Time now);
    /// When start() may have something again although nothing was added and nothing ended. Nothing in flight and no
    /// such time: there is nothing left to do.
    [[nodiscard]] std::optional<Time> next_time() const;

    /// The register answered, and the answer was handed over: the message waits for the core to take it away.
    void answered(const SpoolId& id);
    /// It was handed over for a local reason; nothing is said of the register.
    void set_aside(const SpoolId& id);
    /// This message failed, for a reason of its own.
    void message_failed(const SpoolId& id, Time now);
    /// The register failed; `asked` is its Retry-After.
    void register_failed(const SpoolId& id, Time now, std::optional<std::chrono::seconds> asked = {});
    /// Neither failed: a local reason ended it. The message waits, nothing is said of the register.
    void local_failed(const SpoolId& id, Time now);
    /// The core did not accept what was handed over: the message is to be sent again, after a wait.
    void not_accepted(const SpoolId& id, Time now);

    [[nodiscard]] bool in_flight(const SpoolId& id) const;
    [[nodiscard]] bool is_handed_over(const SpoolId& id) const;
    [[nodiscard]] std::vector<SpoolId> all() const;
    [[nodiscard]] unsigned total_in_flight() const noexcept { return total_in_flight_; }

    struct RegisterState {
        unsigned failures = 0;  ///< in a row; 0: in order
        std::size_t waiting = 0;
        std::size_t handed_over = 0;
        unsigned in_flight = 0;
        std::optional<Time> next_attempt;  ///< while failures > 0: when it is probed next; unset while a probe is out
    };
    [[nodiscard]] RegisterState state(const RegisterName& register_name) const;

  private:
    using Ready = std::set<std::pair<std::uint64_t, SpoolId>>;
    enum class State { ready, delayed, in_flight, handed_over, spent };
    struct Register {
        unsigned connections = 1;
        bool named = true;  ///< by the last configure()
        unsigned in_flight = 0;
        unsigned large_in_flight = 0;
        std::size_t handed_over = 0;
        std::size_t messages = 0;
        bool large_was_last = false;
        unsigned message_failures = 0;  ///< in a row, over all its messages
        unsigned failures = 0;          ///< its own, in a row
        std::uint64_t incident = 0;     ///< counts its own failures; never goes back
        Time open_at{};
        std::optional<SpoolId> probe;
        Ready small;
        Ready large;
        std::set<std::pair<Time, SpoolId>> delayed;
    };
    struct Message {
        Register* home = nullptr;
        bool large = false;
        bool removed = false;
        State state = State::ready;
        unsigned failures = 0;
        std::uint64_t place = 0;     ///< ready: its key in the queue
        Time due{};                  ///< delayed: its key there
        std::uint64_t incident = 0;  ///< in flight: the register's when it was started
    };

    void make_ready(const SpoolId& id, Message& message);
    /// To the queue's end, or nowhere when each is tried once only.
    void requeue(const SpoolId& id, Message& message);
    void delay(const SpoolId& id, Message& message, Time now);
    void leave_queue(const SpoolId& id, const Message& message);
    void forget(const SpoolId& id);
    void wake(Register& home, Time now);
    void close(Register& home);
    /// Ends the flight of `id`.
    Message& land(const SpoolId& id);
    void charge_register(Register& home, const Message& message, Time now, std::optional<std::chrono::seconds> asked);
    void keep_handed_over(const SpoolId& id, Message& message);
    [[nodiscard]] bool given_up(const Register& home) const;
    [[nodiscard]] bool has_slot(const Register& home) const;
    [[nodiscard]] std::optional<SpoolId> pick(const Register& home) const;
    void launch(const SpoolId& id);

    ScheduleLimits limits_;
    Draw draw_;
    std::map<RegisterName, Register> registers_;
    std::vector<Register*> turns_;  ///< round robin
    std::size_t turn_ = 0;
    std::map<SpoolId, Message> messages_;
    unsigned total_in_flight_ = 0;
    std::size_t idle_registers_ = 0;  ///< named, with nothing in flight
    std::uint64_t places_ = 0;
};

}  // namespace tpf::forward
