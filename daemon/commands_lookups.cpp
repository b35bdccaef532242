// Who is in which messages: questions that could undo every pseudonym, so two operators with names are needed for each,
// within a daily limit. Each step is an entry; neither a number nor a pseudonym is in it.

#include <algorithm>

#include "base/encoding.h"
#include "daemon/commands.h"
#include "daemon/list_place.h"
#include "daemon/lookups.h"
#include "daemon/reason.h"
#include "pseudonym/derivation.h"

namespace tpf::daemon {
namespace {

AuditEntry entry_of(const Operator& who, const Proposal& request, const char* step) {
    AuditEntry entry(AuditKind::operator_action, who.name);
    entry.with("command", request.what).with("step", step).with("request", request.subject);
    return entry;
}

Json shown(const Proposal& request) {
    return {{"request", request.subject},
            {"command", request.what},
            {"operator", request.asked.by.name},
            {"reason", request.asked.by.reason},
            {"at", format_utc(request.asked.at)},
            {"until", format_utc(request.asked.at + kApproveWithin)},
            {"approved_by", request.approved ? request.approved->by.name : "nobody yet"}};
}

/// Every kind that there is, under both rules.
pseudonym::NumberRules all_rules(Installation installation) {
    pseudonym::NumberRules rules;
    rules.h_nummer = true;
    rules.npid = true;
    rules.installation = installation;
    return rules;
}

}  // namespace

/// Refused look-ups are in the audit log too.
Result<Json> Commands::ask_lookup(const Call& call, const Lookup& lookup) {
    const Proposal& request = lookup.request;
    AuditEntry entry = entry_of(call.who, request, "requested");
    entry.with("reason", request.asked.by.reason).with("uid", std::uint64_t{call.who.uid});
    if (!has_name(request.asked.by)) {
        TPF_TRY(core_.journal.record(entry.with("refused", info(Code::denied).name)));
        return fail(Code::denied, "a look-up is asked for by a person with a name, not by root or the service",
                    "log in as yourself");
    }
    TPF_TRY(core_.journal.record(entry));
    TPF_TRY(lookups_.ask(lookup));
    Json json = shown(request);
    const std::string id = request.subject.substr(0, 8);
    json["next"] = "another operator: tpfctl audit approve " + id + " --reason TEXT; then: tpfctl audit answer " + id;
    return json;
}

Lookup Commands::new_lookup(const Call& call, std::string_view command, std::string reason) const {
    const Actor first{call.who.name, std::move(reason), call.who.uid};
    return {{std::string(command), SpoolId::random().str(), {core_.clock.utc(), first}}};
}

Result<Json> Commands::audit_pseudonym(const Call& call) {
    TPF_TRY(const std::string text, text_arg(call.args, "pseudonym", true));
    TPF_TRY(std::string reason, reason_arg(call.args));
    TPF_TRY(const auto pseudonym, audit::parse_pseudonym(text));
    Lookup lookup = new_lookup(call, kPseudonymLookup, std::move(reason));
    lookup.pseudonyms.push_back(pseudonym);
    return ask_lookup(call, lookup);
}

/// The number goes no further than this: what is kept of it are its pseudonyms.
Result<Json> Commands::audit_person(const Call& call) {
    TPF_TRY(const std::string number, text_arg(call.args, "number", true));
    TPF_TRY(std::string reason, reason_arg(call.args));
    const auto judged = pseudonym::IdentityNumber::judge(number, all_rules(core_.config.fixed.installation.kind));
    if (!judged.number) return fail(Code::usage, "that is no identity number that is valid here");
    Lookup lookup = new_lookup(call, kPersonLookup, std::move(reason));
    TPF_TRY(lookup.pseudonyms, pseudonyms_of(*judged.number));
    if (lookup.pseudonyms.empty()) return fail(Code::no_key, "the key ring has no pseudonym key");
    return ask_lookup(call, lookup);
}

/// Under every key that is kept, retired ones too. An H-nummer is another one in each enterprise: of every sender.
Result<std::vector<audit::Pseudonym>> Commands::pseudonyms_of(const pseudonym::IdentityNumber& number) {
    std::vector<std::string> enterprises{""};
    if (number.kind() == pseudonym::NumberKind::h_nummer) {
        enterprises.clear();
        TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(auto statement, db.prepare("SELECT DISTINCT substr(avsender, 9) FROM names"));
            while (true) {
                TPF_TRY(const bool more, statement.step());
                if (!more) return ok();
                enterprises.push_back(statement.text(0));
            }
        }));
    }
    std::vector<audit::Pseudonym> all;
    for (const auto& key : core_.keys.list()) {
        const bool kept = key.state != crypto::KeyState::destroyed && key.state != crypto::KeyState::prepared;
        if (key.kind != crypto::KeyKind::pseudonym || !kept) continue;
        TPF_TRY(auto mac, core_.keys.pseudonym_mac(*key.reg, key.version, true));
        pseudonym::PseudonymDeriver deriver(std::move(mac), key.version, key.reg->str());
        for (const std::string& enterprise : enterprises) {
            std::string text;
            TPF_TRY(deriver.append(number, enterprise, text));
            TPF_TRY(const auto one, audit::parse_pseudonym(text));
            all.push_back(one);
        }
    }
    return all;
}

Result<Json> Commands::audit_requests(const Call&) {
    Json list = Json::array();
    for (const Proposal& request : lookups_.waiting()) list.push_back(shown(request));
    return Json{{"requests", std::move(list)}};
}

Result<Json> Commands::audit_approve(const Call& call) {
    TPF_TRY(const std::string id, text_arg(call.args, "request", true));
    TPF_TRY(std::string reason, reason_arg(call.args));
    TPF_TRY(const Lookup lookup, lookups_.find(id));
    const Actor second{call.who.name, std::move(reason), call.who.uid};
    AuditEntry entry = entry_of(call.who, lookup.request, "approved");
    entry.with("reason", second.reason);
    if (const Status may = check_second(lookup.request.asked, second, core_.clock.utc()); !may) {
        TPF_TRY(core_.journal.record(entry.with("refused", may.error().name())));
        return fail(may.error());
    }
    TPF_TRY(core_.journal.record(entry));
    TPF_TRY(lookups_.approve(lookup, second));
    Json json = shown(lookup.request);
    json["approved_by"] = second.name;
    return json;
}

/// To the one who asked, once.
Result<Json> Commands::audit_answer(const Call& call) {
    TPF_TRY(const std::string id, text_arg(call.args, "request", true));
    const std::lock_guard one_at_a_time(answering_);
    TPF_TRY(const Lookup lookup, lookups_.find(id));
    const auto refused = [&](const Error& error) -> Result<Json> {
        AuditEntry entry = entry_of(call.who, lookup.request, "refused");
        TPF_TRY(core_.journal.record(entry.with("refused", error.name())));
        return fail(error);
    };
    const Actor& first = lookup.request.asked.by;
    if (first.uid != call.who.uid || first.name != call.who.name)
        return refused(Error(Code::denied, "it is answered to who asked for it"));
    if (!lookup.request.approved)
        return refused(Error(Code::denied, "nobody has approved it yet", "another operator: `tpfctl audit approve`"));
    const std::uint64_t limit = core_.config.now()->reloadable.audit.daily_lookups;
    TPF_TRY(const std::uint64_t today, lookups_.answered_today());
    if (today >= limit)
        return refused(Error(Code::denied, std::to_string(today) + " look-ups were answered today, which is the limit",
                             "tomorrow (UTC); or `daily_lookups` in [audit]"));
    const bool show_progress = call.args.value("progress", false);
    TPF_TRY(const auto found, lookups_.occurrences(lookup, [&](std::uint64_t done, std::uint64_t of) {
        const Json now{{"part", "occurrence index"}, {"done", done}, {"of", of}};
        if (show_progress) static_cast<void>(call.stream.write_line({{"progress", now}}).has_value());
        return !core_.lifecycle.stopping();
    }));
    TPF_TRY(const auto earlier, lookups_.earlier(lookup));
    TPF_TRY(const std::string record, lookups_.record(lookup));
    // First: an entry says that it was answered, so from there on nothing may keep it back.
    TPF_TRY(lookups_.take(lookup));
    AuditEntry entry = entry_of(call.who, lookup.request, "answered");
    entry.with("reason", first.reason)
        .with("approved_by", lookup.request.approved->by.name)
        .with("messages", found.messages.size())
        .with("lookup_sha256", record);
    TPF_TRY(core_.journal.record(entry));
    return answer_json(found, earlier);
}

/// No pseudonym is in it.
Result<Json> Commands::answer_json(const audit::Occurrences& found, const std::vector<EarlierLookup>& earlier) {
    Json messages = Json::array();
    for (const SpoolId& id : found.messages) {
        TPF_TRY(const auto row, core_.journal.find(id));
        if (!row) continue;
        Json json{{"id", id.str()}, {"received", format_utc(row->received)}, {"state", to_string(row->state)}};
        if (row->name) json["from"] = row->name->avsender.str();
        if (row->to) json["register"] = row->to->str();
        if (row->committed) json["pseudonymised"] = format_utc(*row->committed);
        if (row->delivered) json["delivered"] = format_utc(*row->delivered);
        if (row->register_kvittering) json["receipt"] = *row->register_kvittering;
        messages.push_back(std::move(json));
    }
    std::stable_sort(messages.begin(), messages.end(), [](const Json& a, const Json& b) {
        return a["received"].get_ref<const std::string&>() < b["received"].get_ref<const std::string&>();
    });
    Json json{{"messages", std::move(messages)}, {"entries", found.through}};
    json["not_recorded"] = found.not_recorded;
    json["unreadable_lists"] = found.unreadable;
    TPF_TRY(const auto deleted, deleted_messages(core_.journal));
    json["deleted_lists"] = deleted.size();
    json["looked_before"] = Json::array();
    for (const EarlierLookup& one : earlier) {
        json["looked_before"].push_back({{"at", format_utc(one.at)},
                                         {"operator", one.by},
                                         {"approved_by", one.approved_by},
                                         {"command", one.command},
                                         {"reason", one.reason}});
        if (one.uncertain) json["looked_before"].back()["uncertain"] = true;
    }
    return json;
}

}  // namespace tpf::daemon
