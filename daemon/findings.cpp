// What a status means. One place decides for `tpfctl status`, its exit status, and the metric tpf_health.

#include <algorithm>
#include <array>

#include "daemon/lookups.h"
#include "daemon/status.h"

namespace tpf::daemon {
namespace {

constexpr std::chrono::days kCertificateWarns{30};
constexpr std::chrono::days kCertificateUrgent{7};
constexpr std::int64_t kKeyUrgentDays = 7;
constexpr std::chrono::hours kOldest{24};
constexpr std::array kAlarms = {"REGISTER_TLS", "REGISTER_ADGANG", "KVITTERING_UGYLDIG"};

class Findings {
  public:
    explicit Findings(const Json& status) : status_(status), now_(time_of(status, "time").value_or(UtcTime{})) {}
    [[nodiscard]] Json all() {
        of_processes();
        of_registers();
        of_witnesses();
        of_keys();
        of_queue();
        of_proposals();
        of_disk();
        std::stable_sort(found_.begin(), found_.end(), [](const Json& a, const Json& b) { return rank(a) < rank(b); });
        return found_;
    }

  private:
    static int rank(const Json& finding) {
        const std::string level = finding["level"];
        return level == "critical" ? 0 : level == "warning" ? 1 : 2;
    }
    static std::optional<UtcTime> time_of(const Json& json, const char* name) {
        const auto found = json.find(name);
        if (found == json.end() || !found->is_string()) return std::nullopt;
        const auto time = parse_utc(found->get<std::string>());
        return time ? std::optional(time.value()) : std::nullopt;
    }
    static std::uint64_t number_of(const Json& json, const char* name) {
        const auto found = json.find(name);
        return found != json.end() && found->is_number() ? found->get<std::uint64_t>() : 0;
    }
    void say(const char* level, const std::string& what, const std::string& remedy) {
        found_.push_back({{"level", level}, {"what", what}, {"do", remedy}});
    }

    void of_processes() {
        const std::string state = status_["forwarder"].value("state", "unknown");
        if (state == "silent")
            say("critical", "tpf-forward is silent since " + status_["forwarder"].value("seen", "?"),
                "systemctl status tpf-forward");
        if (state == "unknown") say("warning", "nothing was heard of tpf-forward yet", "systemctl start tpf.target");
        const Json copy = status_["journal"].value("copy", Json::object());
        if (copy.value("state", "current") == "away")
            say("warning", "the journal's copy cannot be written: " + copy.value("error", ""),
                "the journal itself has everything; see [paths] journal_copy and docs/recovery.md");
    }

    void of_witnesses() {
        for (const Json& one : status_.value("witnesses", Json::array())) {
            const std::string name = one.value("register", "?");
            if (one.contains("error"))
                say("critical", "register " + name + " holds another audit log: " + one.value("error", ""),
                    "nothing is delivered there: docs/recovery.md, \"A register holds another audit log\"");
            if (one.contains("unusable"))
                say("warning",
                    "register " + name + " sends no cosignature that can be used: " + one.value("unusable", ""),
                    "is its present receipt key in the ring? tpfctl keys list; docs/audit-log.md, \"Witnesses\"");
        }
    }

    void of_registers() {
        for (const Json& reg : status_["registers"]) {
            const std::string name = reg.value("register", "?");
            if (reg.value("state", "") == "trouble") {
                const std::string code = reg.value("code", "?");
                const auto since = time_of(reg, "since").value_or(now_);
                const bool alarm = std::find(kAlarms.begin(), kAlarms.end(), code) != kAlarms.end();
                const auto after = std::chrono::seconds(number_of(status_, "alarm_after_seconds"));
                say(alarm || now_ - since > after ? "critical" : "warning",
                    "register " + name + ": " + code + " since " + format_utc(since) + ", next try " +
                        reg.value("next_attempt", "under way"),
                    reg.value("hint", ""));
            }
            of_end(reg, "certificate_ends", "our certificate for register " + name,
                   "renew it, then systemctl reload tpf-forward");
            of_end(reg, "authorities_end", "ca_file of register " + name,
                   "get the register's new authorities, then systemctl reload tpf-forward");
        }
    }
    void of_end(const Json& reg, const char* member, const std::string& what, const std::string& remedy) {
        const auto end = time_of(reg, member);
        if (!end || *end - now_ > kCertificateWarns) return;
        say(*end - now_ <= kCertificateUrgent ? "critical" : "warning",
            what + (*end <= now_ ? " ended on " : " ends on ") + format_utc(*end), remedy);
    }

    void of_keys() {
        const Json& keys = status_["keys"];
        if (!keys.value("message_key", false))
            say("critical", "no message key: messages wait", "tpfctl keys generate --kind message");
        if (!keys.value("signing_key", false))
            say("critical", "no signing key: messages wait", "tpfctl keys generate --kind signing");
        if (keys.contains("token") && keys["token"].value("state", "") == "away")
            say("critical",
                "the token is away since " + keys["token"].value("since", "?") + ": " +
                    keys["token"].value("error", ""),
                "messages wait; docs/key-management.md, about the token");
        for (const Json& id : keys.value("suspended", Json::array()))
            say("critical", "key " + id.get<std::string>() + " is suspended after too many failures: its messages wait",
                "find out who sends what, then tpfctl keys resume " + id.get<std::string>());
        for (const Json& key : keys["missing"]) {
            const std::string kind = key.value("kind", "?");
            const std::string version = key.contains("version") ? ", version " + key["version"].dump() : "";
            say("critical", "no " + kind + " key for register " + key.value("register", "?") + version,
                std::string("tpfctl keys ") + (kind == "pseudonym" ? "generate" : "import") + " --kind " + kind);
        }
        for (const Json& warning : keys["warnings"]) {
            const auto urgent = [&](const Json& ends) {
                return ends["key"] == warning["key"] && ends["days"].get<std::int64_t>() <= kKeyUrgentDays;
            };
            const std::string text = warning.value("text", "");
            const bool settled = text.find(" is active, for senders") != std::string::npos;
            const bool near = std::any_of(keys["ends"].begin(), keys["ends"].end(), urgent);
            say(settled ? "note"
                : near  ? "critical"
                        : "warning",
                "key " + warning.value("key", "?") + ": " + text, "docs/key-management.md; tpfctl keys list");
        }
    }

    void of_queue() {
        for (const Json& row : status_["waiting"]) {
            const CodeInfo* code = find_code(row.value("code", ""));
            say("warning",
                "message " + row.value("id", "?") + " waits: " + row.value("code", "?") + ", " +
                    row.value("reason", ""),
                code != nullptr ? std::string(code->remedy) : std::string());
        }
        if (const auto oldest = time_of(status_, "oldest_waiting"); oldest && now_ - *oldest > kOldest)
            say("warning", "a message waits since " + format_utc(*oldest), "tpfctl queue list --state committed");
        for (const Json& held : status_["held"])
            say("warning",
                held["messages"].dump() + " messages of sender " + held.value("sender", "?") +
                    " are held: over its persons per day",
                "is the volume expected? then tpfctl queue retry; otherwise ask the sender");
        for (const Json& sender : status_["over_quota"])
            say("warning", "sender " + sender.get<std::string>() + " has as much here as it may, the rest waits",
                "tpfctl queue list --sender " + sender.get<std::string>());
        if (const auto old = number_of(status_, "old_quarantine"); old != 0)
            say("warning", std::to_string(old) + " messages are in quarantine for more than 90 days",
                "tpfctl queue list --state quarantined, then retry or discard them");
        const auto quarantined = number_of(status_["messages"], "quarantined");
        if (quarantined != 0)
            say("note", std::to_string(quarantined) + " messages are in quarantine",
                "tpfctl queue list --state quarantined");
        const auto left = number_of(status_["left"], "count");
        if (left != 0)
            say("warning", std::to_string(left) + " entries of the spool can be neither moved nor removed",
                "check their owner, mode and content: they are listed below");
    }

    void of_proposals() {
        for (const Json& one : status_.value("proposals", Json::array())) {
            if (one.value("approved", false)) continue;
            const std::string what = one.value("what", "?");
            const std::string subject = one.value("subject", "?");
            const bool lookup = what == kPseudonymLookup || what == kPersonLookup;
            const std::string confirm = lookup ? "audit approve " + subject : what + " " + subject + " --confirm";
            say("note", one.value("by", "?") + " asked for " + what + " " + subject,
                "another operator: tpfctl " + confirm + ", until " + one.value("until", "?"));
        }
    }

    void of_disk() {
        const Json& disk = status_["disk"];
        const std::string at = disk.value("at", "the spool");
        const auto free = number_of(disk, "free_bytes");
        const auto reserve = number_of(disk, "reserve_bytes");
        if (disk.value("intake", "") == "stopped")
            say("critical", "no room at " + at + ": nothing new is taken", "make room; intake goes on by itself");
        else if (free < 2 * reserve)
            say("warning", "room at " + at + " gets short", "make room before it falls below the reserve");
    }

    const Json& status_;
    UtcTime now_;
    Json found_ = Json::array();
};

}  // namespace

Json findings(const Json& status) {
    return Findings(status).all();
}

std::string health_of(const Json& findings) {
    std::string worst = "ok";
    for (const Json& finding : findings) {
        std::string level = finding.value("level", "");
        if (level == "critical") return level;
        if (level == "warning") worst = level;
    }
    return worst;
}

}  // namespace tpf::daemon
