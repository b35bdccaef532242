#include <algorithm>

#include "base/log.h"
#include "conf/output_settings.h"
#include "daemon/commands.h"
#include "daemon/credentials.h"
#include "daemon/key_warnings.h"
#include "daemon/status.h"

namespace tpf::daemon {
namespace {

using crypto::KeyFacts;
using crypto::KeyKind;
using crypto::KeyState;

std::string algorithm(const KeyFacts& key) {
    if (key.kind == KeyKind::message || key.kind == KeyKind::register_) return "RSA-" + std::to_string(key.bits);
    return key.kind == KeyKind::pseudonym ? "HMAC-SHA-256" : "Ed25519";
}

Json facts_json(const KeyFacts& key) {
    Json json = {{"id", key.id.str()}, {"kind", crypto::to_string(key.kind)}, {"state", crypto::to_string(key.state)}};
    json["since"] = format_utc(crypto::in_state_since(key));
    if (key.reg) json["register"] = key.reg->str();
    if (key.kind == KeyKind::pseudonym) json["version"] = key.version;
    if (key.kind == KeyKind::message || key.kind == KeyKind::register_) {
        json["valid_from"] = format_date(key.valid_from);
        json["valid_to"] = format_date(key.valid_to);
        json["profile"] = key.policy.profile();
    }
    if (key.place != crypto::KeyPlace::file) json["place"] = crypto::to_string(key.place);
    json["algorithm"] = algorithm(key);
    json["bits"] = key.bits;
    json["check_value"] = key.check_value;
    json["created"] = format_utc(key.created);
    if (key.failures != 0) json["failures"] = key.failures;
    if (crypto::is_suspended(key)) json["suspended"] = true;
    if (key.destroy_request) json["destroy_request"] = request_json(*key.destroy_request);
    return json;
}

/// With what an operator should do about it, if anything.
Json facts_json(const KeyFacts& key, const std::vector<KeyFacts>& all, UtcTime now) {
    Json json = facts_json(key);
    const auto warnings = key_warnings(key, all, now);
    if (!warnings.empty()) json["warnings"] = warnings;
    return json;
}

Result<KeyId> id_arg(const Json& args) {
    TPF_TRY(const std::string text, text_arg(args, "id", true));
    return KeyId::parse(text);
}

Result<std::optional<RegisterName>> register_arg(const Json& args) {
    TPF_TRY(const std::string text, text_arg(args, "register", false));
    if (text.empty()) return std::optional<RegisterName>();
    TPF_TRY(auto reg, RegisterName::parse(text));
    return std::optional<RegisterName>(std::move(reg));
}

/// Dates that a key has without being told: from today to the end of March of the year after next (a sender can lag).
Result<std::chrono::sys_days> date_arg(const Json& args, const char* name, std::chrono::sys_days fallback) {
    TPF_TRY(const std::string text, text_arg(args, name, false));
    if (text.empty()) return fallback;
    return parse_date(text);
}

std::chrono::sys_days default_end(std::chrono::sys_days from) {
    const auto year = std::chrono::year_month_day(from).year();
    return std::chrono::sys_days((year + std::chrono::years(2)) / std::chrono::March / 31);
}

bool flag(const Json& args, const char* name) {
    const auto found = args.find(name);
    return found != args.end() && found->is_boolean() && found->get<bool>();
}

KeyState first_state(const Json& args) {
    return flag(args, "prepared") ? KeyState::prepared : KeyState::active;
}

Result<crypto::KeyActor> maker(const Json& args, const Operator& who) {
    TPF_TRY(auto reason, reason_arg(args));
    return crypto::KeyActor{who.name, std::move(reason), who.uid};
}

AuditEntry entry_of(const Operator& who, std::string_view action, const KeyId& id) {
    AuditEntry entry(AuditKind::key_event, who.name);
    entry.with("action", action).with("id", id.str());
    return entry;
}

AuditEntry& with_reason(AuditEntry& entry, const crypto::KeyActor& actor) {
    return actor.reason.empty() ? entry : entry.with("reason", actor.reason);
}

/// Nothing was done, for a reason that lies in the request.
bool is_refusal(const Error& error) {
    return error.code() == Code::usage || error.code() == Code::denied || error.code() == Code::not_found;
}

void with_state_of(AuditEntry& entry, const KeyId& id, const std::vector<KeyFacts>& all) {
    for (const KeyFacts& key : all) {
        if (key.id == id) entry.with("state", to_string(key.state)).with("check_value", key.check_value);
    }
}

}  // namespace

Result<Json> Commands::keys_list(const Call&) {
    Json list = Json::array();
    const auto all = core_.keys.list();
    for (const KeyFacts& key : all) list.push_back(facts_json(key, all, core_.clock.utc()));
    return Json{{"keys", std::move(list)}, {"forwarder", forwarder_certificates(core_)}};
}

Result<Json> Commands::keys_show(const Call& call) {
    TPF_TRY(const KeyId id, id_arg(call.args));
    const auto all = core_.keys.list();
    const auto key = std::find_if(all.begin(), all.end(), [&](const KeyFacts& each) { return each.id == id; });
    if (key == all.end()) return fail(Code::not_found, "the ring has no such key", "`tpfctl keys list`");
    Json json = facts_json(*key, all, core_.clock.utc());
    json["history"] = Json::array();
    for (const auto& change : key->history) {
        Json item = {{"state", crypto::to_string(change.state)}, {"at", format_utc(change.at)}, {"by", change.by}};
        if (!change.reason.empty()) item["reason"] = change.reason;
        json["history"].push_back(std::move(item));
    }
    if (!key->public_pem.empty()) json["public"] = key->public_pem;
    return json;
}

Commands::KeyStep Commands::making(const Call& call, const char* action, const char* done, const KeyId& id,
                                   const std::string& kind) {
    KeyStep step{action, entry_of(call.who, action, id), entry_of(call.who, done, id)};
    step.begun.with("kind", kind);
    step.ended.with("kind", kind);
    return step;
}

/// One that an earlier installation used. It never passes over the socket: the service has it as a credential.
Result<Json> Commands::import_pseudonym_key(const Call& call) {
    TPF_TRY(const std::string credential, text_arg(call.args, "credential", true));
    TPF_TRY(check_raw_key_name(credential));
    return make_key(call, credential);
}

Result<Json> Commands::keys_generate(const Call& call) {
    return make_key(call, {});
}

Result<Json> Commands::make_key(const Call& call, const std::string& credential) {
    TPF_TRY(const std::string kind_text, text_arg(call.args, "kind", true));
    TPF_TRY(const KeyKind kind, crypto::parse_key_kind(kind_text));
    TPF_TRY(const KeyId id, id_arg(call.args));
    TPF_TRY(auto actor, maker(call.args, call.who));
    TPF_TRY(auto reg, register_arg(call.args));
    TPF_TRY(const std::uint64_t version, number_arg(call.args, "version", kind == KeyKind::pseudonym ? 1 : 0));
    TPF_TRY(const std::uint64_t bits, number_arg(call.args, "bits", crypto::kMinModernRsaBits));
    TPF_TRY(const auto from, date_arg(call.args, "from", norwegian_date(core_.clock.utc())));
    TPF_TRY(const auto to, date_arg(call.args, "to", default_end(from)));
    TPF_TRY(std::string profile, text_arg(call.args, "profile", false));
    TPF_TRY(const auto policy, crypto::KeyPolicy::parse_profile(profile.empty() ? "modern" : profile));
    TPF_TRY(std::string place_text, text_arg(call.args, "place", false));
    TPF_TRY(const auto place, crypto::parse_key_place(place_text.empty() ? "file" : place_text));
    if (version > 9999 || bits > 16384) return fail(Code::usage, "version or bits is too large");
    const bool is_new = credential.empty();
    KeyStep step = making(call, is_new ? "generate" : "import", is_new ? "generated" : "imported", id, kind_text);
    step.begun.with("place", to_string(place));
    if (reg) step.begun.with("register", reg->str());
    if (version != 0) step.begun.with("version", version);
    if (!is_new) step.begun.with("credential", credential);
    with_reason(step.begun, actor);
    TPF_TRY(const KeyFacts facts, carry_out(call, id, step, [&]() -> Result<KeyFacts> {
                std::shared_ptr<const crypto::SecretBytes> existing;
                if (!is_new) {
                    TPF_TRY(auto raw, read_raw_key(credential));
                    existing = std::make_shared<const crypto::SecretBytes>(std::move(raw));
                }
                return core_.keys.generate({kind, id, std::move(reg), static_cast<unsigned>(version), from, to, policy,
                                            static_cast<std::size_t>(bits), first_state(call.args), std::move(actor),
                                            place, std::move(existing)},
                                           core_.clock.utc());
            }));
    return facts_json(facts);
}

Result<Json> Commands::keys_import(const Call& call) {
    TPF_TRY(const std::string kind_text, text_arg(call.args, "kind", true));
    TPF_TRY(const KeyKind kind, crypto::parse_key_kind(kind_text));
    if (kind == KeyKind::pseudonym) return import_pseudonym_key(call);
    TPF_TRY(const KeyId id, id_arg(call.args));
    TPF_TRY(auto actor, maker(call.args, call.who));
    TPF_TRY(auto reg, register_arg(call.args));
    if (!reg) return fail(Code::usage, "register is missing", "give --register IPLOS");
    TPF_TRY(std::string pem, text_arg(call.args, "pem", true));
    TPF_TRY(const auto from, date_arg(call.args, "from", norwegian_date(core_.clock.utc())));
    TPF_TRY(const auto to, date_arg(call.args, "to", default_end(from)));
    TPF_TRY(std::string profile, text_arg(call.args, "profile", false));
    TPF_TRY(const auto policy, crypto::KeyPolicy::parse_profile(profile.empty() ? "modern" : profile));
    KeyStep step = making(call, "import", "imported", id, kind_text);
    step.begun.with("register", reg->str());
    with_reason(step.begun, actor);
    TPF_TRY(const KeyFacts facts, carry_out(call, id, step, [&] {
                return core_.keys.import({kind, id, std::move(*reg), std::move(pem), from, to, policy,
                                          first_state(call.args), std::move(actor)},
                                         core_.clock.utc());
            }));
    return facts_json(facts);
}

Result<Json> Commands::keys_publish(const Call& call) {
    std::optional<unsigned> edition;
    if (call.args.contains("edition")) {
        TPF_TRY(const std::uint64_t wanted, number_arg(call.args, "edition", 0));
        edition = static_cast<unsigned>(std::min<std::uint64_t>(wanted, std::uint64_t{crypto::kMaxEdition} + 1));
    }
    TPF_TRY(const std::string reason, reading_reason(call.args));
    TPF_TRY(const auto file, core_.keys.publish(edition, core_.clock.utc()));
    AuditEntry entry(AuditKind::key_event, call.who.name);
    entry.with("action", "published").with("reason", reason).with("edition", file.edition.edition);
    TPF_TRY(core_.journal.record(entry.with("sha256", file.edition.sha256)));
    return Json{
        {"file", base64(as_bytes(file.content))}, {"edition", file.edition.edition}, {"sha256", file.edition.sha256}};
}

/// The public half of the key that signs messages, or of the one named: registers need it, of a prepared one before it
/// is activated.
Result<Json> Commands::keys_signing(const Call& call) {
    if (!call.args.contains("id")) {
        TPF_TRY(const crypto::SigningKey key, core_.keys.signing_key());
        return Json{{"pem", key.verify_key().pem()}};
    }
    TPF_TRY(const KeyId id, id_arg(call.args));
    for (const KeyFacts& key : core_.keys.list()) {
        if (key.id == id && key.kind == KeyKind::signing) return Json{{"pem", key.public_pem}};
    }
    return fail(Code::not_found, "the ring has no such signing key", "`tpfctl keys list`");
}

Result<std::string> Commands::key_needed_for(const KeyFacts& key) const {
    if (key.kind != KeyKind::pseudonym) return std::string();
    const auto used_by = [&](const conf::OutputSettings& settings) {
        const auto output = settings.registers.find(*key.reg);
        if (output == settings.registers.end()) return false;
        const auto& versions = output->second.pseudonym_versions;
        return std::find(versions.begin(), versions.end(), key.version) != versions.end();
    };
    if (used_by(conf::output_settings(*core_.config.now()))) {
        return "pseudonym_versions of register " + key.reg->str() + " names version " + std::to_string(key.version) +
               " in the configuration; take it out there and restart tpfd first";
    }
    TPF_TRY(const auto all, core_.journal.bound_settings());
    for (const auto& bound : all) {
        if (bound.to && *bound.to != *key.reg) continue;
        TPF_TRY(const auto settings, conf::parse_pinned(bound.json));
        if (!used_by(settings)) continue;
        return "message " + bound.example.str() +
               (bound.messages > 1 ? " (and " + std::to_string(bound.messages - 1) + " more)" : std::string()) +
               " was taken under settings that name version " + std::to_string(key.version) +
               "; wait until it is delivered, or discard it";
    }
    return std::string();
}

/// The intention is logged before anything changes: what cannot be logged is not done. Refusals are in the audit log
/// too. What failed on the way is no refusal: the key may have its new state already.
Result<KeyFacts> Commands::carry_out(const Call& call, const KeyId& id, const KeyStep& step,
                                     const std::function<Result<KeyFacts>()>& change) {
    TPF_TRY(core_.journal.record(step.begun));
    auto changed = change();
    if (!changed) {
        AuditEntry ended = entry_of(call.who, step.action, id);
        ended.with(is_refusal(changed.error()) ? "refused" : "failed", changed.error().name());
        with_state_of(ended, id, core_.keys.list());
        TPF_TRY(core_.journal.record(ended));
        return changed;
    }
    const KeyFacts& facts = changed.value();
    AuditEntry ended = step.ended;
    TPF_TRY(core_.journal.record(ended.with("state", to_string(facts.state)).with("check_value", facts.check_value)));
    log::info("key changed", {{"key", id.str()}, {"action", step.action}, {"operator", call.who.name}});
    core_.lifecycle.wake();
    return changed;
}

Result<Json> Commands::audited_change(const Call& call, const char* action, const KeyChanger& change) {
    TPF_TRY(const KeyId id, id_arg(call.args));
    TPF_TRY(auto reason, reason_arg(call.args));
    const crypto::KeyActor actor{call.who.name, std::move(reason), call.who.uid};
    KeyStep step{action, entry_of(call.who, action, id), entry_of(call.who, action, id)};
    with_reason(step.begun, actor);
    TPF_TRY(const KeyFacts facts, carry_out(call, id, step, [&] { return change(id, actor); }));
    return facts_json(facts, core_.keys.list(), core_.clock.utc());
}

Result<Json> Commands::keys_activate(const Call& call) {
    return audited_change(call, "activate", [this](const KeyId& id, const crypto::KeyActor& actor) {
        return core_.keys.change(id, KeyState::active, actor, core_.clock.utc());
    });
}

Result<Json> Commands::keys_accept(const Call& call) {
    return audited_change(call, "accept", [this](const KeyId& id, const crypto::KeyActor& actor) {
        return core_.keys.change(id, KeyState::accepting, actor, core_.clock.utc());
    });
}

Result<Json> Commands::keys_retire(const Call& call) {
    return audited_change(call, "retire", [this](const KeyId& id, const crypto::KeyActor& actor) -> Result<KeyFacts> {
        for (const KeyFacts& key : core_.keys.list()) {
            if (key.id != id) continue;
            TPF_TRY(const std::string why, key_needed_for(key));
            if (!why.empty()) return fail(Code::usage, "without " + id.str() + " messages would wait: " + why);
        }
        return core_.keys.change(id, KeyState::retired, actor, core_.clock.utc());
    });
}

Result<Json> Commands::keys_resume(const Call& call) {
    return audited_change(call, "resume",
                          [this](const KeyId& id, const crypto::KeyActor&) { return core_.keys.resume(id); });
}

Result<Json> Commands::keys_destroy(const Call& call) {
    // Without the key nobody can be found in the lists that are kept under it.
    const auto needed = [this](const KeyFacts& key) -> Result<std::string> {
        TPF_TRY(std::string why, key_needed_for(key));
        if (!why.empty() || key.kind != KeyKind::pseudonym) return why;
        TPF_TRY(const std::string message, list_under(*key.reg, key.version));
        if (message.empty()) return std::string();
        return "the pseudonym log keeps lists under it, among them that of message " + message;
    };
    if (flag(call.args, "confirm")) {
        return audited_change(call, "destroy, confirmed", [&](const KeyId& id, const crypto::KeyActor& actor) {
            return core_.keys.confirm_destroy(id, actor, needed, core_.clock.utc());
        });
    }
    return audited_change(call, "destroy, requested", [&](const KeyId& id, const crypto::KeyActor& actor) {
        return core_.keys.request_destroy(id, actor, needed, core_.clock.utc());
    });
}

Result<Json> Commands::keys_check(const Call& call) {
    TPF_TRY(const std::string reason, reading_reason(call.args));
    AuditEntry entry(AuditKind::operator_action, call.who.name);
    entry.with("command", "keys check").with("reason", reason);
    TPF_TRY(core_.journal.record(entry));
    TPF_TRY(const auto report, core_.keys.check());
    bool good = report.as_loaded;
    Json keys = Json::array();
    for (const auto& key : report.keys) {
        Json item = {{"id", key.id.str()}, {"state", crypto::to_string(key.state)}, {"good", !key.fault.has_value()}};
        if (key.fault) item["error"] = error_json(*key.fault);
        good = good && !key.fault;
        keys.push_back(std::move(item));
    }
    return Json{
        {"good", good}, {"keys", std::move(keys)}, {"as_loaded", report.as_loaded}, {"strangers", report.strangers}};
}

/// tpfctl makes the backup itself, from the folder: no secret goes over the socket, and no operator who cannot read the
/// folder gets one. The core says it in the audit log, before ("backup") and after it is proved ("backed up").
Result<Json> Commands::keys_backup(const Call& call) {
    TPF_TRY(const std::string reason, reason_arg(call.args));
    TPF_TRY(const std::uint64_t shares, number_arg(call.args, "shares", 0));
    TPF_TRY(const std::uint64_t threshold, number_arg(call.args, "threshold", 0));
    TPF_TRY(const std::string backup, text_arg(call.args, "backup", false));
    AuditEntry entry(AuditKind::key_event, call.who.name);
    entry.with("action", backup.empty() ? "backup" : "backed up").with("reason", reason);
    entry.with("shares", shares).with("threshold", threshold);
    if (!backup.empty()) {
        TPF_TRY(const KeyId id, KeyId::parse(backup));
        entry.with("backup", id.str());
    }
    TPF_TRY(core_.journal.record(entry));
    return Json::object();
}

}  // namespace tpf::daemon
