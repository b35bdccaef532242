#include "daemon/metrics.h"

#include <algorithm>
#include <array>

namespace tpf::daemon {
namespace {

constexpr std::array kSeconds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0};
constexpr std::array kLongSeconds = {0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0, 604800.0};
constexpr std::array kBytes = {1e4, 1e5, 1e6, 1e7, 5e7, 1e8, 1e9, 1e10, 1e11};

// In the order of the enums.
constexpr std::array kCounts = {
    CountFacts{"tpf_messages_received", "Submissions taken from the inbox.", ""},
    CountFacts{"tpf_received_bytes", "Bytes of the submissions taken from the inbox.", ""},
    CountFacts{"tpf_messages_pseudonymised", "Messages committed and on their way to a register.", "register"},
    CountFacts{"tpf_persons", "Persons in the messages committed.", "register"},
    CountFacts{"tpf_persons_without_pseudonym", "Of these, persons whose number was missing or wrong.", "register"},
    CountFacts{"tpf_output_bytes", "Bytes of the messages committed.", "register"},
    CountFacts{"tpf_messages_delivered", "Messages with a verified receipt of the register.", "register"},
    CountFacts{"tpf_messages_quarantined", "Messages put into quarantine.", "code"},
    CountFacts{"tpf_messages_held", "Messages held because their sender is over its persons per day.", ""},
    CountFacts{"tpf_messages_duplicate", "Messages that were here before, answered from the journal.", ""},
    CountFacts{"tpf_waits", "Tries that ended in waiting for something that is not the message's fault.", "code"},
    CountFacts{"tpf_quota_refusals", "Tries to take a message of a sender that has as much here as it may.", ""},
    CountFacts{"tpf_receipts_refused", "Answers of a register that were no valid receipt.", "register"},
};
constexpr std::array kMeasures = {
    MeasureFacts{"tpf_message_size_bytes", "Size of the submissions taken.", kBytes},
    MeasureFacts{"tpf_pass_duration_seconds", "Time of one pass over a message.", kSeconds},
    MeasureFacts{"tpf_register_duration_seconds", "Time from the commit to the register's verified receipt.",
                 kLongSeconds},
    MeasureFacts{"tpf_delivery_duration_seconds", "Time from the hand-over by the source to the verified receipt.",
                 kLongSeconds},
};
static_assert(kCounts.size() == static_cast<std::size_t>(Count::receipts_refused) + 1);
static_assert(kMeasures.size() == static_cast<std::size_t>(Measure::delivery_seconds) + 1);

}  // namespace

std::span<const CountFacts> count_families() noexcept {
    return kCounts;
}
std::span<const MeasureFacts> measure_families() noexcept {
    return kMeasures;
}

Metrics::Snapshot Metrics::empty() {
    Snapshot snapshot;
    snapshot.counts.resize(kCounts.size());
    for (std::size_t i = 0; i < kCounts.size(); ++i) {
        if (kCounts[i].label.empty()) snapshot.counts[i][""] = 0;
    }
    for (const MeasureFacts& facts : kMeasures)
        snapshot.measures.push_back({std::vector<std::uint64_t>(facts.bounds.size() + 1), 0, 0});
    return snapshot;
}

void Metrics::add(Count what, std::uint64_t by, std::string_view label) {
    const std::lock_guard lock(mutex_);
    now_.counts[static_cast<std::size_t>(what)][std::string(label)] += by;
}

void Metrics::observe(Measure what, double value) {
    const auto family = static_cast<std::size_t>(what);
    const auto bounds = kMeasures[family].bounds;
    const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), value) - bounds.begin();
    const std::lock_guard lock(mutex_);
    Histogram& histogram = now_.measures[family];
    ++histogram.buckets[static_cast<std::size_t>(bucket)];
    ++histogram.count;
    histogram.sum += value;
}

void Metrics::over_quota(const Avsender& sender, UtcTime now) {
    const std::lock_guard lock(mutex_);
    now_.over_quota.insert_or_assign(sender, now);
}

Metrics::Snapshot Metrics::snapshot() const {
    const std::lock_guard lock(mutex_);
    return now_;
}

}  // namespace tpf::daemon
