#include <unistd.h>

#include <cstdio>
#include <sstream>

#include "base/log.h"
#include "daemon/status.h"

namespace tpf::daemon {
namespace {

using Labels = std::vector<std::pair<std::string_view, std::string>>;

std::string number_text(double value) {
    // As short as it goes while it stays the same number.
    char text[32];
    for (const int digits : {6, 15, 17}) {
        std::snprintf(text, sizeof text, "%.*g", digits, value);
        if (std::strtod(text, nullptr) == value) break;
    }
    return text;
}

class Writer {
  public:
    explicit Writer(MetricsForm form) : form_(form) {}

    /// `name` with its unit, without "_total".
    void family(std::string_view name, std::string_view type, std::string_view help) {
        const bool plain_counter = form_ == MetricsForm::prometheus && type == "counter";
        const std::string shown = std::string(name) + (plain_counter ? "_total" : "");
        out_ << "# HELP " << shown << ' ' << help << "\n# TYPE " << shown << ' ' << type << '\n';
        if (form_ == MetricsForm::openmetrics) {
            for (const std::string_view unit : {"seconds", "bytes"}) {
                if (name.size() > unit.size() && name.ends_with(unit)) out_ << "# UNIT " << name << ' ' << unit << '\n';
            }
        }
    }
    void sample(std::string_view name, std::string_view suffix, const Labels& labels, const std::string& value) {
        out_ << name << suffix;
        const char* before = "{";
        for (const auto& [label, text] : labels) {
            // Registers, codes, states, versions: their grammars need no escape.
            out_ << before << label << "=\"" << text << '"';
            before = ",";
        }
        out_ << (labels.empty() ? " " : "} ") << value << '\n';
    }
    void gauge(std::string_view name, std::string_view help, double value) {
        family(name, "gauge", help);
        sample(name, "", {}, number_text(value));
    }
    [[nodiscard]] std::string finish() {
        if (form_ == MetricsForm::openmetrics) out_ << "# EOF\n";
        return out_.str();
    }

  private:
    MetricsForm form_;
    std::ostringstream out_;
};

double seconds_of(const Json& json, const char* name) {
    const auto found = json.find(name);
    if (found == json.end() || !found->is_string()) return 0;
    const auto time = parse_utc(found->get<std::string>());
    return time ? static_cast<double>(time.value().time_since_epoch().count()) : 0;
}

void write_counts(Writer& out, const Metrics::Snapshot& counted) {
    for (std::size_t i = 0; i < count_families().size(); ++i) {
        const CountFacts& facts = count_families()[i];
        out.family(facts.name, "counter", facts.help);
        for (const auto& [label, count] : counted.counts[i])
            out.sample(facts.name, "_total", facts.label.empty() ? Labels{} : Labels{{facts.label, label}},
                       std::to_string(count));
    }
}

void write_measures(Writer& out, const Metrics::Snapshot& counted) {
    for (std::size_t i = 0; i < measure_families().size(); ++i) {
        const MeasureFacts& facts = measure_families()[i];
        const Metrics::Histogram& histogram = counted.measures[i];
        out.family(facts.name, "histogram", facts.help);
        std::uint64_t cumulated = 0;
        for (std::size_t bucket = 0; bucket < histogram.buckets.size(); ++bucket) {
            cumulated += histogram.buckets[bucket];
            const bool last = bucket == facts.bounds.size();
            out.sample(facts.name, "_bucket", {{"le", last ? "+Inf" : number_text(facts.bounds[bucket])}},
                       std::to_string(cumulated));
        }
        out.sample(facts.name, "_sum", {}, number_text(histogram.sum));
        out.sample(facts.name, "_count", {}, std::to_string(histogram.count));
    }
}

void write_queue(Writer& out, const Json& status) {
    out.family("tpf_messages", "gauge", "Messages in the journal, by state.");
    for (const auto& [state, count] : status["messages"].items())
        out.sample("tpf_messages", "", {{"state", state}}, count.dump());
    out.gauge("tpf_inbox_messages", "Messages that are not taken yet.", status["inbox"].get<double>());
    out.family("tpf_oldest_message_timestamp_seconds", "gauge",
               "When the oldest message of a state was received; no sample: there is none.");
    for (const auto& [state, time] : status["oldest"].items())
        out.sample("tpf_oldest_message_timestamp_seconds", "", {{"state", state}},
                   number_text(seconds_of(status["oldest"], state.c_str())));
    out.gauge("tpf_quarantine_old_messages", "Messages in quarantine for more than 90 days.",
              status["old_quarantine"].get<double>());
    out.gauge("tpf_spool_blocked_entries", "Entries of the spool that can be neither moved nor removed.",
              status["left"]["count"].get<double>());
    out.gauge("tpf_senders_over_quota", "Senders that have as much here as they may.",
              static_cast<double>(status["over_quota"].size()));
}

/// One family with a sample for each register that has something to say.
template <class Value>
void per_register(Writer& out, const Json& status, std::string_view name, std::string_view help, const Value& value) {
    out.family(name, "gauge", help);
    for (const Json& reg : status["registers"]) {
        const std::optional<double> found = value(reg);
        if (found) out.sample(name, "", {{"register", reg["register"].get<std::string>()}}, number_text(*found));
    }
}

void write_registers(Writer& out, const Json& status) {
    const auto time = [](const char* member) {
        return [member](const Json& reg) {
            return reg.contains(member) ? std::optional(seconds_of(reg, member)) : std::nullopt;
        };
    };
    const auto number = [](const char* member) {
        return [member](const Json& reg) {
            return reg.contains(member) ? std::optional(reg[member].get<double>()) : std::nullopt;
        };
    };
    per_register(out, status, "tpf_register_up", "1: the last try succeeded, 0: it did not.", [](const Json& reg) {
        const std::string state = reg["state"];
        return state == "unknown" ? std::nullopt : std::optional(state == "well" ? 1.0 : 0.0);
    });
    per_register(out, status, "tpf_register_since_timestamp_seconds", "Since when it is up or not.", time("since"));
    per_register(out, status, "tpf_register_last_success_timestamp_seconds", "Last answer.", time("last_success"));
    per_register(out, status, "tpf_register_failures", "Failed tries in a row.", number("attempts"));
    per_register(out, status, "tpf_register_waiting_messages", "Messages to be sent.", number("waiting"));
    per_register(out, status, "tpf_register_certificate_expiry_timestamp_seconds",
                 "When our TLS certificate for the register ends.", time("certificate_ends"));
    per_register(out, status, "tpf_register_authorities_expiry_timestamp_seconds",
                 "When the last of the authorities that vouch for the register ends.", time("authorities_end"));
}

void write_keys(Writer& out, const Json& status) {
    out.family("tpf_key_expiry_timestamp_seconds", "gauge",
               "When an active key's last day is over, the soonest of its kind.");
    std::map<std::pair<std::string, std::string>, double> soonest;
    for (const Json& ends : status["keys"]["ends"]) {
        const auto day = parse_date(ends["valid_to"].get<std::string>());
        if (!day) continue;
        const auto over = static_cast<double>(UtcTime(day.value() + std::chrono::days(1)).time_since_epoch().count());
        const auto at = std::pair(ends["kind"].get<std::string>(), ends.value("register", ""));
        const auto [found, added] = soonest.try_emplace(at, over);
        if (!added) found->second = std::min(found->second, over);
    }
    for (const auto& [of, over] : soonest) {
        Labels labels = {{"kind", of.first}};
        if (!of.second.empty()) labels.emplace_back("register", of.second);
        out.sample("tpf_key_expiry_timestamp_seconds", "", labels, number_text(over));
    }
    out.gauge("tpf_keys_missing", "Keys that a configured register needs and that are not there.",
              static_cast<double>(status["keys"]["missing"].size()) + (status["keys"]["message_key"] ? 0 : 1) +
                  (status["keys"]["signing_key"] ? 0 : 1));
}

void write_service(Writer& out, const Json& status) {
    out.family("tpf_build_info", "gauge", "Which version runs.");
    out.sample("tpf_build_info", "", {{"version", status["version"].get<std::string>()}}, "1");
    out.gauge("tpf_start_timestamp_seconds", "When the core started.", seconds_of(status, "since"));
    out.gauge("tpf_written_timestamp_seconds", "When these numbers were written.", seconds_of(status, "time"));
    const std::string health = status["health"];
    out.gauge("tpf_health", "What tpfctl status says: 0 well, 1 warning, 2 critical.",
              health == "ok"        ? 0
              : health == "warning" ? 1
                                    : 2);
    out.gauge("tpf_forwarder_up", "1: tpf-forward was heard of in the last minutes.",
              status["forwarder"]["state"] == "runs" ? 1 : 0);
    out.gauge("tpf_disk_free_bytes", "Room on the spool's or the journal's file system: the one with less.",
              status["disk"]["free_bytes"].get<double>());
    out.gauge("tpf_disk_reserve_bytes", "Below it nothing new is taken.",
              status["disk"]["reserve_bytes"].get<double>());
    out.gauge("tpf_audit_entries", "Entries of the audit log.", status["audit"]["entries"].get<double>());
    out.gauge("tpf_journal_copy_current", "0: the journal's copy cannot be written.",
              status["journal"]["copy"].value("state", "current") == "away" ? 0 : 1);
    out.gauge("tpf_journal_waiting_calls", "Calls that the journal's writer has not taken yet.",
              status["journal"]["waiting"].get<double>());
    out.family("tpf_journal_commits", "counter", "Transactions of the journal.");
    out.sample("tpf_journal_commits", "_total", {}, status["journal"]["commits"].dump());
}

}  // namespace

std::string metrics_text(const Json& status, const Metrics::Snapshot& counted, MetricsForm form) {
    Writer out(form);
    write_service(out, status);
    write_queue(out, status);
    write_registers(out, status);
    write_keys(out, status);
    write_counts(out, counted);
    write_measures(out, counted);
    return out.finish();
}

Status MetricsFile::try_write(const Path& file) {
    TPF_TRY(const Json status, read_status(core_, started_));
    const std::string text = metrics_text(status, core_.metrics.snapshot(), MetricsForm::prometheus);
    const Path beside = file.string() + ".tmp";
    if (Status gone = core_.fs.remove_file(beside); !gone && gone.error().code() != Code::not_found) return gone;
    TPF_TRY(const auto out, core_.fs.create(beside, 0644));
    TPF_TRY(out->write(as_bytes(text)));
    return core_.fs.replace(beside, file);
}

void MetricsFile::write() {
    const Path file = core_.config.now()->reloadable.metrics.file;
    if (file.empty()) return;
    const Status written = try_write(file);
    if (!written && !said_)
        log::warning("the metrics could not be written",
                     {{"path", file.string()}, {"code", written.error().name()}, {"error", written.error().text()}});
    said_ = !written;
}

}  // namespace tpf::daemon
