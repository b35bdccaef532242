#include "base/log.h"
#include "daemon/commands.h"

namespace tpf::daemon {
namespace {

using crypto::KeyFacts;
using crypto::KeyKind;

Json facts_json(const KeyFacts& key) {
    Json json = {{"id", key.id.str()}, {"kind", crypto::to_string(key.kind)}, {"state", crypto::to_string(key.state)}};
    if (key.reg) json["register"] = key.reg->str();
    if (key.kind == KeyKind::pseudonym) json["version"] = key.version;
    if (key.kind == KeyKind::message || key.kind == KeyKind::register_) {
        json["valid_from"] = format_date(key.valid_from);
        json["valid_to"] = format_date(key.valid_to);
        json["profile"] = key.policy.profile();
    }
    if (key.bits != 0) json["bits"] = key.bits;
    json["check_value"] = key.check_value;
    json["created"] = format_utc(key.created);
    return json;
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

}  // namespace

Result<Json> Commands::keys_list(const Call&) {
    Json list = Json::array();
    for (const KeyFacts& key : core_.keys.list()) list.push_back(facts_json(key));
    return Json{{"keys", std::move(list)}};
}

/// The intention is logged before anything changes: what cannot be logged is not done.
Result<Json> Commands::keys_generate(const Call& call) {
    TPF_TRY(const std::string kind_text, text_arg(call.args, "kind", true));
    TPF_TRY(const std::string id_text, text_arg(call.args, "id", true));
    TPF_TRY(const KeyKind kind, crypto::parse_key_kind(kind_text));
    TPF_TRY(KeyId id, KeyId::parse(id_text));
    TPF_TRY(auto reg, register_arg(call.args));
    TPF_TRY(const std::uint64_t version, number_arg(call.args, "version", kind == KeyKind::pseudonym ? 1 : 0));
    TPF_TRY(const std::uint64_t bits, number_arg(call.args, "bits", 3072));
    TPF_TRY(const auto from, date_arg(call.args, "from", norwegian_date(core_.clock.utc())));
    TPF_TRY(const auto to, date_arg(call.args, "to", default_end(from)));
    TPF_TRY(std::string profile, text_arg(call.args, "profile", false));
    TPF_TRY(const auto policy, crypto::KeyPolicy::parse_profile(profile.empty() ? "modern" : profile));
    if (version > 9999 || bits > 16384) return fail(Code::usage, "version or bits is too large");
    AuditEntry begun(AuditKind::key_event, call.who.name);
    begun.with("action", "generate").with("kind", kind_text).with("id", id_text);
    TPF_TRY(core_.journal.record(begun));
    TPF_TRY(const KeyFacts facts,
            core_.keys.generate({kind, std::move(id), std::move(reg), static_cast<unsigned>(version), from, to, policy,
                                 static_cast<std::size_t>(bits)},
                                core_.clock.utc()));
    AuditEntry done(AuditKind::key_event, call.who.name);
    done.with("action", "generated").with("kind", kind_text).with("id", id_text).with("check_value", facts.check_value);
    TPF_TRY(core_.journal.record(done));
    log::info("key generated", {{"key", id_text}, {"operator", call.who.name}});
    core_.lifecycle.wake();
    return facts_json(facts);
}

Result<Json> Commands::keys_import(const Call& call) {
    TPF_TRY(const std::string kind_text, text_arg(call.args, "kind", true));
    TPF_TRY(const std::string id_text, text_arg(call.args, "id", true));
    TPF_TRY(const KeyKind kind, crypto::parse_key_kind(kind_text));
    TPF_TRY(KeyId id, KeyId::parse(id_text));
    TPF_TRY(auto reg, register_arg(call.args));
    if (!reg) return fail(Code::usage, "register is missing", "give --register IPLOS");
    TPF_TRY(std::string pem, text_arg(call.args, "pem", true));
    TPF_TRY(const auto from, date_arg(call.args, "from", norwegian_date(core_.clock.utc())));
    TPF_TRY(const auto to, date_arg(call.args, "to", default_end(from)));
    TPF_TRY(std::string profile, text_arg(call.args, "profile", false));
    TPF_TRY(const auto policy, crypto::KeyPolicy::parse_profile(profile.empty() ? "modern" : profile));
    AuditEntry begun(AuditKind::key_event, call.who.name);
    begun.with("action", "import").with("kind", kind_text).with("id", id_text).with("register", reg->str());
    TPF_TRY(core_.journal.record(begun));
    TPF_TRY(
        const KeyFacts facts,
        core_.keys.import({kind, std::move(id), std::move(*reg), std::move(pem), from, to, policy}, core_.clock.utc()));
    AuditEntry done(AuditKind::key_event, call.who.name);
    done.with("action", "imported").with("kind", kind_text).with("id", id_text).with("check_value", facts.check_value);
    TPF_TRY(core_.journal.record(done));
    log::info("key imported", {{"key", id_text}, {"operator", call.who.name}});
    core_.lifecycle.wake();
    return facts_json(facts);
}

Result<Json> Commands::keys_publish(const Call& call) {
    TPF_TRY(const std::uint64_t edition, number_arg(call.args, "edition", 1));
    if (edition == 0 || edition > 1'000'000) return fail(Code::usage, "the edition is a number from 1 on");
    TPF_TRY(const std::string file, core_.keys.publish(static_cast<unsigned>(edition), core_.clock.utc()));
    AuditEntry entry(AuditKind::key_event, call.who.name);
    entry.with("action", "published").with("edition", edition).with("sha256", hex(sha256(file)));
    TPF_TRY(core_.journal.record(entry));
    return Json{{"file", base64(as_bytes(file))}, {"sha256", hex(sha256(file))}};
}

/// The public half of the key that signs messages: registers need it.
Result<Json> Commands::keys_signing(const Call&) {
    TPF_TRY(const crypto::SigningKey key, core_.keys.signing_key());
    return Json{{"pem", key.verify_key().pem()}};
}

}  // namespace tpf::daemon
