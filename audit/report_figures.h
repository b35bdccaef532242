#pragma once
// What a stretch of the log says in figures, for the report that auditors read (audit/report_page.h). Nothing but the
// entries is asked: what is reported is what is proven. Days are those of UTC, as in the log.

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"

namespace tpf::audit {

/// An entry as a reader of the log gets it.
struct ReportEntry {
    std::uint64_t seq = 0;
    UtcTime time;
    std::string kind;
    std::string actor;
    std::string message;  ///< empty: it concerns none
    std::map<std::string, std::string> fields;
};

struct MessageCounts {
    std::uint64_t received = 0;
    std::uint64_t delivered = 0;
    std::uint64_t quarantined = 0;
    std::uint64_t duplicates = 0;
    std::uint64_t discarded = 0;
    std::uint64_t persons = 0;  ///< of what was pseudonymised
    std::uint64_t e30 = 0;      ///< of these, the number missing
    std::uint64_t e31 = 0;      ///< of these, the number wrong
    friend bool operator==(const MessageCounts&, const MessageCounts&) = default;
};

/// Something that somebody did, or that happened to the service: a line of the report.
struct ReportedAct {
    std::uint64_t seq = 0;
    UtcTime time;
    std::string actor;
    std::string what;
    std::string reason;
};

/// Not thread-safe. Memory grows by some 300 bytes a message of the period, and by the acts: of each actor and kind
/// the first kActsOfAKind are kept, of all kActsMost, and none whose reason is `routine`.
class ReportFigures {
  public:
    static constexpr std::size_t kActsMost = 10'000;
    static constexpr std::size_t kActsOfAKind = 200;

    /// Each entry of the period once, in the log's order.
    void take(const ReportEntry& entry);

    std::uint64_t entries = 0;
    std::uint64_t first_seq = 0;
    std::uint64_t last_seq = 0;
    MessageCounts all;
    std::map<std::chrono::sys_days, MessageCounts> days;
    /// By the sender's four digits; "?" for what no entry of the period tells it of.
    std::map<std::string, MessageCounts> kommuner;
    std::map<std::string, std::map<std::chrono::sys_days, std::uint64_t>> received_by;  ///< kommune, day
    std::map<std::string, MessageCounts> registers;
    std::map<std::string, std::uint64_t> causes;  ///< of quarantine, by code
    std::vector<std::uint64_t> delays;            ///< seconds from receipt to delivery, in no order
    std::uint64_t received_before = 0;            ///< delivered, but received before the period: no delay known
    std::map<std::string, std::map<std::string, std::uint64_t>> actions;  ///< operator, action, how often
    std::vector<ReportedAct> acts;  ///< by operators, and starts, stops, keys, configurations
    std::uint64_t acts_left_out = 0;

    /// The delay that `share` (0 to 1) of the deliveries did not pass; 0 where there are none. Reorders `delays`.
    [[nodiscard]] std::uint64_t delay_within(double share);

  private:
    struct Known {
        std::string kommune;
        UtcTime received;
    };
    [[nodiscard]] std::string kommune_of(const ReportEntry& entry) const;
    void count(const ReportEntry& entry, std::uint64_t MessageCounts::*what, std::uint64_t by = 1);
    void act(const ReportEntry& entry, std::string what);

    std::map<std::string, Known> known_;   // by message
    std::set<std::string> pseudonymised_;  // messages
    std::map<std::string, std::map<std::string, std::size_t>> listed_;
};

}  // namespace tpf::audit
