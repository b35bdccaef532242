#include "audit/report_figures.h"

#include <algorithm>
#include <charconv>

namespace tpf::audit {
namespace {

constexpr std::string_view kService = "tpfd";
constexpr std::size_t kKommuneDigits = 4;

std::string text(const ReportEntry& entry, const char* name) {
    const auto found = entry.fields.find(name);
    return found == entry.fields.end() ? std::string() : found->second;
}

std::uint64_t number(const ReportEntry& entry, const char* name) {
    const std::string digits = text(entry, name);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size() ? value : 0;
}

/// A sender, or a message's name, which begins with it.
std::string kommune_in(const std::string& sender) {
    const bool digits = sender.size() > kKommuneDigits && sender[kKommuneDigits] == '-' &&
                        sender.find_first_not_of("0123456789") == kKommuneDigits;
    return digits ? sender.substr(0, kKommuneDigits) : std::string();
}

/// The parts that are there, with a blank between.
std::string joined(std::initializer_list<std::string> parts) {
    std::string out;
    for (const std::string& part : parts) {
        if (part.empty()) continue;
        if (!out.empty()) out += ' ';
        out += part;
    }
    return out;
}

/// What an operator, or the service by itself, did with this entry; empty: it is a message's own life.
std::string action_of(const ReportEntry& entry) {
    const std::string refused = text(entry, "refused").empty() ? "" : "refused (" + text(entry, "refused") + ")";
    const std::string failed = text(entry, "failed").empty() ? "" : "failed (" + text(entry, "failed") + ")";
    if (entry.kind == "operator") return joined({text(entry, "command"), text(entry, "step"), refused, failed});
    if (entry.kind == "key") return joined({"key", text(entry, "action"), refused, failed});
    if (entry.kind == "retried") return "queue retry";
    if (entry.kind == "discarded") return "queue discard";
    if (entry.kind == "list-deleted") return "audit delete-list";
    if (entry.kind == "log-origin") return "new origin of the log";
    for (const char* kind : {"start", "stop", "configuration", "rebuilt", "witnessed", "contradicted"}) {
        if (entry.kind == kind) return entry.kind;
    }
    return {};
}

}  // namespace

std::string ReportFigures::kommune_of(const ReportEntry& entry) const {
    const auto found = known_.find(entry.message);
    if (found != known_.end() && !found->second.kommune.empty()) return found->second.kommune;
    for (const char* field : {"sender", "name"}) {
        std::string kommune = kommune_in(text(entry, field));
        if (!kommune.empty()) return kommune;
    }
    return "?";
}

void ReportFigures::count(const ReportEntry& entry, std::uint64_t MessageCounts::*what, std::uint64_t by) {
    all.*what += by;
    days[std::chrono::floor<std::chrono::days>(entry.time)].*what += by;
    kommuner[kommune_of(entry)].*what += by;
    const std::string reg = text(entry, "register");
    if (!reg.empty()) registers[reg].*what += by;
}

void ReportFigures::act(const ReportEntry& entry, std::string what) {
    if (entry.actor != kService) ++actions[entry.actor][what];
    // What is done day by day, and what somebody does so often that it hides the rest.
    if (text(entry, "reason") == "routine" || ++listed_[entry.actor][what] > kActsOfAKind || acts.size() == kActsMost) {
        ++acts_left_out;
        return;
    }
    const std::string key = entry.kind == "key" ? text(entry, "key") : std::string();
    acts.push_back({entry.seq, entry.time, entry.actor, joined({std::move(what), key}), text(entry, "reason")});
}

void ReportFigures::take(const ReportEntry& entry) {
    if (entries++ == 0) first_seq = entry.seq;
    last_seq = entry.seq;
    if (entry.kind == "received") {
        known_[entry.message] = {kommune_in(text(entry, "sender")), entry.time};
        count(entry, &MessageCounts::received);
        ++received_by[kommune_of(entry)][std::chrono::floor<std::chrono::days>(entry.time)];
    } else if (entry.kind == "pseudonymised" && pseudonymised_.insert(entry.message).second) {
        // Once a message, however often it was done again.
        count(entry, &MessageCounts::persons, number(entry, "persons"));
        count(entry, &MessageCounts::e30, number(entry, "marked_e30"));
        count(entry, &MessageCounts::e31, number(entry, "marked_e31"));
    } else if (entry.kind == "delivered") {
        count(entry, &MessageCounts::delivered);
        const auto found = known_.find(entry.message);
        if (found == known_.end()) {
            ++received_before;
        } else {
            // A clock that was set back would make it negative.
            delays.push_back(
                static_cast<std::uint64_t>(std::max<std::int64_t>(0, (entry.time - found->second.received).count())));
        }
    } else if (entry.kind == "quarantined") {
        count(entry, &MessageCounts::quarantined);
        ++causes[text(entry, "code")];
    } else if (entry.kind == "duplicate") {
        count(entry, &MessageCounts::duplicates);
    } else if (entry.kind == "discarded") {
        count(entry, &MessageCounts::discarded);
    }
    std::string what = action_of(entry);
    if (!what.empty()) act(entry, std::move(what));
}

std::uint64_t ReportFigures::delay_within(double share) {
    if (delays.empty()) return 0;
    const auto at = static_cast<std::size_t>(share * static_cast<double>(delays.size() - 1));
    std::nth_element(delays.begin(), delays.begin() + static_cast<std::ptrdiff_t>(at), delays.end());
    return delays[at];
}

}  // namespace tpf::audit
