#pragma once
// What the core counts while it runs. Counters begin at zero with each start, as Prometheus expects; what is true at a
// moment (messages by state, room on the disk) is asked for when it is shown (status.h). Labels are registers of the
// configuration and codes of the catalogue: never a sender, a message or a person.

#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/types.h"

namespace tpf::daemon {

enum class Count {
    received,          ///< claimed from the inbox
    received_bytes,    ///< of them
    pseudonymised,     ///< by register: committed, on the way out
    persons,           ///< by register: in them
    persons_without,   ///< by register: of these, without a pseudonym
    output_bytes,      ///< by register
    delivered,         ///< by register: with a verified receipt
    quarantined,       ///< by code
    held,              ///< over the persons per day
    duplicates,        ///< answered from the journal
    waits,             ///< by code: tries that something kept which is not the message's fault
    quota_refusals,    ///< tries to take an entry of a sender that has too much here
    receipts_refused,  ///< by register: answers that were no receipts
};
enum class Measure {
    message_bytes,     ///< of submissions
    pass_seconds,      ///< one pass, all of it
    register_seconds,  ///< from the commit to the verified receipt
    delivery_seconds,  ///< from the hand-over to the verified receipt
};

/// A family's facts, for whoever renders it.
struct CountFacts {
    std::string_view name;  ///< without "_total"
    std::string_view help;
    std::string_view label;  ///< its one label's name; empty: none
};
struct MeasureFacts {
    std::string_view name;
    std::string_view help;
    std::span<const double> bounds;  ///< upper ones, ascending, +Inf left out
};
[[nodiscard]] std::span<const CountFacts> count_families() noexcept;
[[nodiscard]] std::span<const MeasureFacts> measure_families() noexcept;

/// Thread-safe; a call costs a lock and a look-up.
class Metrics {
  public:
    void add(Count what, std::uint64_t by = 1, std::string_view label = {});
    void observe(Measure what, double value);
    /// A sender is refused for its quota; status says so for a while.
    void over_quota(const Avsender& sender, UtcTime now);

    struct Histogram {
        std::vector<std::uint64_t> buckets;  ///< one per bound, and one above: not cumulated
        std::uint64_t count = 0;
        double sum = 0;
    };
    struct Snapshot {
        std::vector<std::map<std::string, std::uint64_t>> counts;  ///< by family, then by label ("" where it has none)
        std::vector<Histogram> measures;                           ///< by family
        std::map<Avsender, UtcTime> over_quota;                    ///< last time
    };
    [[nodiscard]] Snapshot snapshot() const;

  private:
    mutable std::mutex mutex_;
    Snapshot now_ = empty();
    [[nodiscard]] static Snapshot empty();
};

}  // namespace tpf::daemon
