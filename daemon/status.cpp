#include "daemon/status.h"

#include "audit/event_log.h"
#include "base/encoding.h"
#include "daemon/commands.h"
#include "daemon/key_warnings.h"

namespace tpf::daemon {
namespace {

using crypto::KeyKind;
using crypto::KeyState;

constexpr std::size_t kShown = 20;
constexpr std::size_t kMostForwardStatus = std::size_t{64} << 10;
constexpr std::size_t kMostListed = 1000;
constexpr std::chrono::minutes kQuotaShown{5};

/// What tpf-forward wrote of itself; null where it has not, or what stands there is not of its form.
Json forward_word(Core& core) {
    const auto text = read_small(core.fs, core.spool.folders().receipts / kForwardStatus, kMostForwardStatus);
    if (!text) return nullptr;
    Json json = Json::parse(text.value(), nullptr, false);
    const bool of_form = json.is_object() && json.contains("updated") && json["updated"].is_string() &&
                         parse_utc(json["updated"].get<std::string>()) && json.contains("registers") &&
                         json["registers"].is_array();
    return of_form ? json : Json(nullptr);
}

/// One member of that word, when it is a time or a number: nothing else of it is shown.
void keep_time(Json& to, const char* name, const Json& from, const char* member) {
    const auto found = from.find(member);
    if (found == from.end() || !found->is_string()) return;
    const auto time = parse_utc(found->get<std::string>());
    if (time) to[name] = format_utc(time.value());
}
void keep_number(Json& to, const char* name, const Json& from, const char* member) {
    const auto found = from.find(member);
    if (found != from.end() && found->is_number_unsigned()) to[name] = found->get<std::uint64_t>();
}

Json register_json(const RegisterName& name, const std::vector<queue::RegisterHealth>& all, const Json& word) {
    Json json = {{"register", name.str()}};
    for (const queue::RegisterHealth& health : all) {
        if (health.name != name) continue;
        json["since"] = format_utc(health.since);
        json["state"] = health.trouble ? "trouble" : "well";
        if (health.trouble) {
            json["code"] = info(*health.trouble).name;
            json["attempts"] = health.attempts;
            json["hint"] = info(*health.trouble).remedy;
        }
    }
    if (!json.contains("state")) json["state"] = "unknown";
    if (word.is_null()) return json;
    for (const Json& one : word["registers"]) {
        if (!one.is_object() || one.value("register", Json()) != name.str()) continue;
        keep_time(json, "last_success", one, "lastSuccess");
        keep_time(json, "next_attempt", one, "nextAttempt");
        keep_time(json, "certificate_ends", one, "certificateEnds");
        keep_time(json, "authorities_end", one, "authoritiesEnd");
        keep_number(json, "waiting", one, "waiting");
        keep_number(json, "in_flight", one, "inFlight");
    }
    return json;
}

Json registers_json(Core& core, const conf::Config& config, const Json& word) {
    const auto health = core.spool.register_health();
    Json list = Json::array();
    for (const auto& [name, settings] : config.reloadable.registers) list.push_back(register_json(name, health, word));
    return list;
}

Json forwarder_json(Core& core, const Json& word) {
    if (word.is_null()) return {{"state", "unknown"}};
    const UtcTime seen = parse_utc(word["updated"].get<std::string>()).value();
    return {{"state", core.clock.utc() - seen > kForwardSilence ? "silent" : "runs"}, {"seen", format_utc(seen)}};
}

/// What an installation cannot do its work without, per configured register.
Json missing_keys(const std::vector<crypto::KeyFacts>& keys, const conf::Config& config) {
    const auto usable = [&](KeyKind kind, const RegisterName& reg, std::optional<unsigned> version) {
        return std::any_of(keys.begin(), keys.end(), [&](const crypto::KeyFacts& key) {
            return key.kind == kind && key.reg == reg && (!version || key.version == *version) &&
                   (key.state == KeyState::active || key.state == KeyState::accepting);
        });
    };
    Json missing = Json::array();
    for (const auto& [name, reg] : config.reloadable.registers) {
        for (const unsigned version : reg.pseudonym_versions) {
            if (!usable(KeyKind::pseudonym, name, version))
                missing.push_back({{"kind", "pseudonym"}, {"register", name.str()}, {"version", version}});
        }
        for (const KeyKind kind : {KeyKind::register_, KeyKind::receipt}) {
            if (!usable(kind, name, std::nullopt))
                missing.push_back({{"kind", crypto::to_string(kind)}, {"register", name.str()}});
        }
    }
    return missing;
}

Json token_json(const crypto::Pkcs11Token::State& state) {
    Json json = {{"state", state.present ? "there" : "away"}, {"since", format_utc(state.since)}};
    if (!state.present) json["error"] = state.trouble;
    return json;
}

Json keys_json(Core& core, const conf::Config& config) {
    const auto keys = core.keys.list();
    const UtcTime now = core.clock.utc();
    Json json = {{"message_key", core.keys.has_message_key()}, {"signing_key", core.keys.signing_key().has_value()}};
    json["missing"] = missing_keys(keys, config);
    if (core.token != nullptr) json["token"] = token_json(core.token->state());
    json["warnings"] = Json::array();
    json["ends"] = Json::array();
    for (const crypto::KeyFacts& key : keys) {
        if (crypto::is_suspended(key)) json["suspended"].push_back(key.id.str());
        for (const std::string& text : key_warnings(key, keys, now))
            json["warnings"].push_back({{"key", key.id.str()}, {"text", text}});
        if (key.state != KeyState::active || (key.kind != KeyKind::message && key.kind != KeyKind::register_)) continue;
        Json ends = {{"key", key.id.str()},
                     {"kind", crypto::to_string(key.kind)},
                     {"valid_to", format_date(key.valid_to)},
                     {"days", (key.valid_to - norwegian_date(now)).count()}};
        if (key.reg) ends["register"] = key.reg->str();
        json["ends"].push_back(std::move(ends));
    }
    return json;
}

/// When the oldest message of each state that waits for somebody was received.
Result<Json> oldest_json(Core& core) {
    Json json = Json::object();
    for (const auto state :
         {queue::State::claimed, queue::State::committed, queue::State::held, queue::State::quarantined}) {
        TPF_TRY(const auto rows, core.journal.list({.state = state, .limit = 1}));
        if (!rows.empty()) json[std::string(queue::to_string(state))] = format_utc(rows.front().received);
    }
    return json;
}

Result<std::size_t> old_quarantine(Core& core) {
    const UtcTime before = core.clock.utc() - kOldQuarantine;
    TPF_TRY(const auto rows,
            core.journal.list({.state = queue::State::quarantined, .received_before = before, .limit = kMostListed}));
    return static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), [&](const queue::MessageRow& row) {
        return row.quarantined && *row.quarantined <= before;
    }));
}

Result<Json> held_json(Core& core) {
    TPF_TRY(const auto rows, core.journal.list({.state = queue::State::held, .limit = kMostListed}));
    std::map<std::string, std::uint64_t> senders;
    for (const queue::MessageRow& row : rows) ++senders[row.sender ? row.sender->str() : "-"];
    Json list = Json::array();
    for (const auto& [sender, messages] : senders) list.push_back({{"sender", sender}, {"messages", messages}});
    return list;
}

Result<Json> audit_json(Core& core) {
    TreeHead head;
    TPF_TRY(core.journal.ask([&](sqlite::Database& db) -> Status {
        audit::EventLog log;
        TPF_TRY(const std::uint64_t size, log.size(db));
        TPF_TRY(head, log.head(db, size));
        return ok();
    }));
    return Json{{"entries", head.size}, {"root", base64(head.root)}};
}

/// How far each register has cosigned the audit log, and whether it holds another one.
Json witnesses_json(Core& core) {
    Json all = Json::array();
    for (const auto& [reg, state] : core.witnesses.states()) {
        Json one{{"register", reg.str()}, {"cosigned", state.cosigned.size}};
        if (state.conflict) {
            one["code"] = info(Code::checkpoint_conflict).name;
            one["error"] = *state.conflict;
        }
        if (state.unusable) one["unusable"] = *state.unusable;
        all.push_back(std::move(one));
    }
    return all;
}

Json over_quota_json(const Metrics::Snapshot& counted, UtcTime now) {
    Json list = Json::array();
    for (const auto& [sender, last] : counted.over_quota) {
        if (now - last <= kQuotaShown) list.push_back(sender.str());
    }
    return list;
}

/// Since the start, over all labels; for `tpfctl top`.
Json totals_json(const Metrics::Snapshot& counted) {
    Json json = Json::object();
    for (std::size_t i = 0; i < counted.counts.size(); ++i) {
        std::uint64_t sum = 0;
        for (const auto& [label, count] : counted.counts[i]) sum += count;
        json[std::string(count_families()[i].name.substr(4))] = sum;
    }
    return json;
}

Json proposals_json(const Core& core) {
    Json list = Json::array();
    for (const Proposal& one : core.proposals.list(core.clock.utc())) {
        list.push_back({{"what", one.what},
                        {"subject", one.subject},
                        {"by", one.asked.by.name},
                        {"until", format_utc(one.asked.at + kApproveWithin)},
                        {"approved", one.approved.has_value()}});
    }
    return list;
}

Status add_queue(Core& core, Json& json) {
    TPF_TRY(const auto counts, core.journal.counts());
    json["messages"] = Json::object();
    for (const queue::State state : queue::kStates) {
        const auto found = counts.find(state);
        json["messages"][std::string(queue::to_string(state))] = found == counts.end() ? 0 : found->second;
    }
    TPF_TRY(const auto inbox, core.spool.list_inbox());
    json["inbox"] = inbox.ids.size();
    TPF_TRY(const auto oldest, core.journal.oldest_waiting());
    if (oldest) json["oldest_waiting"] = format_utc(*oldest);
    TPF_TRY(json["oldest"], oldest_json(core));
    TPF_TRY(json["old_quarantine"], old_quarantine(core));
    TPF_TRY(json["held"], held_json(core));
    TPF_TRY(const auto trouble, core.journal.in_trouble(kShown));
    json["waiting"] = Json::array();
    for (const auto& row : trouble)
        json["waiting"].push_back(
            {{"id", row.id.str()}, {"code", info(*row.attempt_code).name}, {"reason", row.attempt_reason}});
    const auto blocked = core.spool.blocked().summary(kShown);
    json["left"] = {{"count", blocked.count}, {"entries", blocked.some}};
    return ok();
}

}  // namespace

Json forwarder_certificates(Core& core) {
    Json list = Json::array();
    for (const Json& reg : registers_json(core, *core.config.now(), forward_word(core))) {
        if (!reg.contains("certificate_ends")) continue;
        const auto ends = parse_utc(reg["certificate_ends"].get<std::string>());
        Json one{{"register", reg["register"]}, {"certificate_ends", reg["certificate_ends"]}};
        if (reg.contains("authorities_end")) one["authorities_end"] = reg["authorities_end"];
        if (ends) one["ends_in_days"] = std::chrono::floor<std::chrono::days>(ends.value() - core.clock.utc()).count();
        list.push_back(std::move(one));
    }
    return list;
}

Result<Json> read_status(Core& core, UtcTime started) {
    const auto config = core.config.now();
    const auto counted = core.metrics.snapshot();
    const Json word = forward_word(core);
    Json json = {{"version", TPF_VERSION}, {"since", format_utc(started)}, {"time", format_utc(core.clock.utc())}};
    json["forwarder"] = forwarder_json(core, word);
    TPF_TRY(add_queue(core, json));
    json["over_quota"] = over_quota_json(counted, core.clock.utc());
    json["registers"] = registers_json(core, *config, word);
    json["alarm_after_seconds"] = config->reloadable.forward.alarm_after_seconds.count();
    TPF_TRY(const auto room, core.spool.room());
    const std::uint64_t reserve = config->reloadable.disk.reserve_bytes;
    json["disk"] = {{"at", room.at.string()},
                    {"free_bytes", room.bytes},
                    {"reserve_bytes", reserve},
                    {"intake", room.bytes > reserve ? "open" : "stopped"}};
    json["keys"] = keys_json(core, *config);
    TPF_TRY(json["audit"], audit_json(core));
    json["proposals"] = proposals_json(core);
    json["witnesses"] = witnesses_json(core);
    const auto statistics = core.journal.statistics();
    json["journal"] = {{"commits", statistics.commits},
                       {"changes", statistics.changes},
                       {"waiting", statistics.waiting},
                       {"copy", copy_json(core.journal.copy_state())}};
    json["totals"] = totals_json(counted);
    json["findings"] = findings(json);
    json["health"] = health_of(json["findings"]);
    return json;
}

}  // namespace tpf::daemon
