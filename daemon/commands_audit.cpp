// The audit log's commands. Whoever reads entries says why, and that is an entry; what takes long goes in steps, and
// commits go on between them.

#include <algorithm>

#include "audit/event_log.h"
#include "audit/witness.h"
#include "base/encoding.h"
#include "daemon/audit_keys.h"
#include "daemon/audit_proof.h"
#include "daemon/commands.h"
#include "daemon/kept_notes.h"
#include "daemon/reason.h"

namespace tpf::daemon {
namespace {

constexpr std::uint64_t kPageDefault = 100;
constexpr std::uint64_t kPageMost = 2000;
constexpr std::uint64_t kWindow = 20'000;  // rows that one question looks at: below 50 ms
constexpr std::size_t kVerifyStep = 2000;
constexpr std::size_t kProvedMost = 10'000;

Json event_json(const audit::LoggedEvent& event) {
    Json json = {{"seq", event.seq}, {"time", format_utc(event.time)}, {"kind", event.kind}, {"actor", event.actor}};
    if (event.message) json["message"] = event.message->str();
    json["fields"] = Json::parse(event.fields, nullptr, false);
    json["leaf"] = hex(event.leaf);
    return json;
}

/// A day, or a moment.
Result<UtcTime> time_arg(const std::string& text) {
    if (const auto time = parse_utc(text)) return time.value();
    const auto day = parse_date(text);
    if (!day) return fail(Code::usage, "not a time: YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ, UTC");
    return UtcTime(day.value());
}

Result<AuditKind> kind_arg(const std::string& text) {
    for (int i = 0; i <= static_cast<int>(AuditKind::segment_closed); ++i) {
        if (to_string(static_cast<AuditKind>(i)) == text) return static_cast<AuditKind>(i);
    }
    return fail(Code::usage, "no kind of entry is called that", "docs/audit-log.md lists them");
}

/// The filters, which are the same on every page.
Result<audit::EventFilter> filter_of(const Json& args, queue::Journal& journal) {
    audit::EventFilter filter;
    filter.newest_first = args.value("newest_first", false);
    TPF_TRY(const std::string message, text_arg(args, "message", false));
    TPF_TRY(const std::string from, text_arg(args, "from", false));
    TPF_TRY(const std::string to, text_arg(args, "to", false));
    TPF_TRY(const std::string kind, text_arg(args, "kind", false));
    TPF_TRY(const std::string actor, text_arg(args, "operator", false));
    TPF_TRY(filter.kommune, text_arg(args, "kommune", false));
    TPF_TRY(filter.to_register, text_arg(args, "register", false));
    if (!message.empty()) {
        TPF_TRY(const auto row, journal.resolve(message));
        filter.message = row.id;
    }
    if (!from.empty()) {
        TPF_TRY(filter.from, time_arg(from));
    }
    if (!to.empty()) {
        TPF_TRY(filter.until, time_arg(to));
    }
    if (!kind.empty()) {
        TPF_TRY(filter.kind, kind_arg(kind));
    }
    if (!actor.empty()) filter.actor = actor;
    return filter;
}

/// The next page behind `at`, in windows. `at` is set to where the one after it begins, and 0 at the end.
Result<std::vector<audit::LoggedEvent>> page(queue::Journal& journal, audit::EventFilter filter, std::uint64_t through,
                                             std::uint64_t& at) {
    std::vector<audit::LoggedEvent> events;
    const std::size_t wanted = filter.limit;
    const std::uint64_t window = filter.message ? through : kWindow;
    for (bool more = true; more && events.size() < wanted;) {
        filter.limit = wanted - events.size();
        if (filter.newest_first) {
            filter.through = at;
            filter.after = at > window ? at - window : 0;
        } else {
            filter.after = at;
            filter.through = std::min(through, at + window);
        }
        std::vector<audit::LoggedEvent> some;
        TPF_TRY(journal.ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(some, audit::EventLog::list(db, filter));
            return ok();
        }));
        const bool full = some.size() == filter.limit;
        if (filter.newest_first) {
            at = full ? some.back().seq - 1 : filter.after;
            more = at != 0;
        } else {
            at = full ? some.back().seq : *filter.through;
            more = at < through;
        }
        events.insert(events.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
        if (!more) at = 0;
    }
    return events;
}

/// A register's name on a note means that register: nobody else's key may stand under it.
Status not_in_place_of(Core& core, const audit::NoteKey& key) {
    const auto reg = RegisterName::parse(key.name());
    if (!reg) return ok();
    const auto own = witness_keys(core.keys, reg.value());
    if (std::find(own.begin(), own.end(), key) != own.end()) return ok();
    const bool configured = core.config.now()->reloadable.registers.contains(reg.value());
    if (!configured && former_witness_keys(core.keys, reg.value()).empty()) return ok();
    return fail(Code::usage, key.name() + " is a register, and this is not its receipt key in force",
                "another witness has another name; `tpfctl audit key` prints the registers' keys");
}

}  // namespace

/// What is asked for and why stands in the entry; what a filter says may not be somebody's number.
AuditEntry Commands::reading_entry(const Call& call, const char* command, const std::string& reason) const {
    AuditEntry entry(AuditKind::operator_action, call.who.name);
    entry.with("command", command).with("reason", reason);
    for (const char* name : {"message", "from", "to", "kind", "operator", "kommune", "register"}) {
        const auto found = call.args.find(name);
        if (found != call.args.end() && found->is_string() && check_reason(found->get<std::string>()))
            entry.with(name, found->get<std::string>());
    }
    // Of `audit export`: the entries themselves, or their hashes.
    if (call.args.value("entries", false)) entry.with("entries", "true");
    return entry;
}

/// The reading that this request begins or goes on with.
Result<std::pair<std::string, Reading>> Commands::reading(const Call& call, const char* command) {
    TPF_TRY(const std::string name, text_arg(call.args, "reading", false));
    if (!name.empty()) {
        TPF_TRY(Reading found, readings_.find(name, call.who.name, command, core_.clock.utc()));
        return std::pair(name, std::move(found));
    }
    TPF_TRY(const std::string reason, reason_arg(call.args));
    TPF_TRY(core_.journal.record(reading_entry(call, command, reason)));
    Reading begun{call.who.name, command, call.args, 0, {}, core_.clock.utc()};
    TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(begun.through, audit::EventLog().size(db));
        TPF_TRY(const auto newest, audit::newest_note(db));
        if (newest && newest->head.size == begun.through) begun.checkpoint = newest->note;
        return ok();
    }));
    std::string made = readings_.begin(begun);
    return std::pair(std::move(made), std::move(begun));
}

Result<Json> Commands::audit_show(const Call& call) {
    return entries_page(call, "audit show");
}

/// The same reading under its own name in the log.
Result<Json> Commands::audit_report(const Call& call) {
    return entries_page(call, "audit report");
}

Result<Json> Commands::entries_page(const Call& call, const char* command) {
    TPF_TRY(const auto begun, reading(call, command));
    const auto& [name, what] = begun;
    TPF_TRY(auto filter, filter_of(what.args, core_.journal));
    TPF_TRY(const std::uint64_t limit, number_arg(call.args, "limit", kPageDefault));
    filter.limit = std::clamp<std::uint64_t>(limit, 1, kPageMost);
    TPF_TRY(std::uint64_t at, number_arg(call.args, "after", filter.newest_first ? what.through : 0));
    at = std::min(at, what.through);
    TPF_TRY(const auto events, page(core_.journal, filter, what.through, at));
    Json list = Json::array();
    for (const auto& event : events) list.push_back(event_json(event));
    Json json{{"entries", std::move(list)}, {"reading", name}};
    if (at != 0) json["next"] = at;
    return json;
}

/// Leaf hashes, or the entries' bytes, for `audit export`: binary, in base64.
Result<Json> Commands::audit_leaves(const Call& call) {
    TPF_TRY(const auto begun, reading(call, "audit export"));
    const auto& [name, what] = begun;
    const std::uint64_t through = what.through;  // a lambda may not have a structured binding
    const bool entries = what.args.value("entries", false);
    TPF_TRY(const std::uint64_t after, number_arg(call.args, "after", 0));
    Bytes leaves;
    Json bytes = Json::array();
    TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
        const audit::EventFilter filter{.after = after, .through = through, .limit = kPageMost};
        TPF_TRY(const auto events, audit::EventLog::list(db, filter));
        for (const auto& event : events) {
            leaves.insert(leaves.end(), event.leaf.begin(), event.leaf.end());
            if (!entries) continue;
            TPF_TRY(std::string canonical, audit::canonical_entry(event));
            bytes.push_back(std::move(canonical));
        }
        return ok();
    }));
    Json json{{"leaves", base64(leaves)}, {"reading", name}};
    if (entries) json["entries"] = std::move(bytes);
    json["checkpoint"] = what.checkpoint;
    return json;
}

Result<Json> Commands::audit_verify(const Call& call) {
    TPF_TRY(const std::string text, text_arg(call.args, "checkpoint", false));
    TPF_TRY(const std::string reason, reading_reason(call.args));
    AuditEntry entry(AuditKind::operator_action, call.who.name);
    entry.with("command", "audit verify").with("reason", reason);
    TPF_TRY(core_.journal.record(entry));
    audit::EventLog log;
    CompactRange at;
    std::uint64_t of = 0;
    TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(of, log.size(db));
        return ok();
    }));
    const bool show_progress = call.args.value("progress", false);
    for (std::uint64_t done = 1; done != 0;) {
        if (core_.lifecycle.stopping()) return fail(Code::unavailable, "the service stops");
        TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(done, log.verify(db, at, kVerifyStep));
            return ok();
        }));
        if (show_progress) {
            const Json now{{"part", "audit log"}, {"done", at.size}, {"of", std::max(of, at.size)}};
            static_cast<void>(call.stream.write_line({{"progress", now}}).has_value());
        }
    }
    const TreeHead head = audit::head_of(at);
    Json json{{"good", true}, {"entries", head.size}, {"root", base64(head.root)}};
    TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(const auto origin, audit::log_origin(db));
        if (origin) json["origin"] = *origin;
        return ok();
    }));
    TPF_TRY(add_notes(json));
    TPF_TRY(add_lists(json, head.size, show_progress, call.stream));
    if (!text.empty()) {
        TPF_TRY(add_foreign(json, text));
    }
    return json;
}

/// What is kept beside the log, in pages: each must be signed, and of this log.
Status Commands::add_notes(Json& json) {
    KeptNotes kept(core_.keys);
    for (bool more = true; more;) {
        TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(more, kept.judge_some(db));
            return ok();
        }));
    }
    kept.tell(json);
    return ok();
}

/// A checkpoint that somebody else kept.
Status Commands::add_foreign(Json& json, const std::string& text) {
    const auto opened = audit::open_note(text, {"", log_keys(core_.keys)}, {}, NoteVerifier());
    Json told = Json::object();
    std::string fault;
    if (!opened) {
        fault = "it is no checkpoint that a key of this log signed: " + opened.error().detail();
    } else {
        const auto& [origin, head, extensions] = opened.value().checkpoint;
        told = {{"origin", origin}, {"entries", head.size}, {"root", base64(head.root)}};
        told["cosigned"] = Json::array();
        const auto config = core_.config.now();
        for (const auto& [reg, settings] : config->reloadable.registers) {
            const auto keys = witness_keys(core_.keys, reg);
            const auto cosigned = audit::open_note(text, {"", log_keys(core_.keys)}, keys, NoteVerifier());
            if (keys.empty() || !cosigned) continue;
            told["cosigned"].push_back(
                {{"witness", reg.str()}, {"at", format_utc(cosigned.value().cosigned_at.value_or(UtcTime()))}});
        }
        TPF_TRY(core_.journal.ask([&, head = head](sqlite::Database& db) -> Status {
            audit::EventLog log;
            TPF_TRY(const std::uint64_t size, log.size(db));
            if (head.size > size) {
                fault = "it has " + std::to_string(head.size) + " entries, this log " + std::to_string(size) +
                        ": entries at its end are missing";
                return ok();
            }
            TPF_TRY(const TreeHead now, log.head(db, head.size));
            if (now != head) fault = "the first " + std::to_string(head.size) + " entries of this log are others";
            return ok();
        }));
    }
    json["checkpoint"] = std::move(told);
    if (fault.empty()) return ok();
    json["good"] = false;
    json["faults"].push_back("the given checkpoint: " + fault);
    return ok();
}

Result<Json> Commands::audit_prove(const Call& call) {
    TPF_TRY(const std::string message, text_arg(call.args, "message", true));
    TPF_TRY(const std::string reason, reason_arg(call.args));
    TPF_TRY(const auto row, core_.journal.resolve(message));
    TPF_TRY(core_.journal.record(reading_entry(call, "audit prove", reason).message(row.id)));
    AuditProof proof{row.id, {}, {}};
    std::string witness;
    TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
        audit::EventFilter filter;
        filter.message = row.id;
        filter.limit = kProvedMost;
        TPF_TRY(const auto events, audit::EventLog::list(db, filter));
        TPF_TRY(auto note, audit::newest_witnessed(db));
        // That somebody holds it is worth more than that it has the last entries.
        if (!note || note->head.size < events.front().seq) {
            TPF_TRY(note, audit::newest_note(db));
        }
        if (!note) return fail(Code::no_key, "there is no checkpoint: the ring has no active signing key");
        proof.checkpoint = note->note;
        witness = note->witness;
        audit::StoredNodes nodes(db);
        for (const auto& event : events) {
            if (event.seq > note->head.size) continue;
            TPF_TRY(auto path, audit::inclusion_proof(nodes, event.seq - 1, note->head.size));
            TPF_TRY(std::string canonical, audit::canonical_entry(event));
            proof.entries.push_back({std::move(canonical), std::move(path)});
        }
        return ok();
    }));
    return Json{{"message", row.id.str()},
                {"entries", proof.entries.size()},
                {"cosigned_by", witness.empty() ? "nobody yet" : witness},
                {"proof", write_audit_proof(proof)}};
}

Result<Json> Commands::audit_consistency(const Call& call) {
    TPF_TRY(const std::uint64_t old_size, number_arg(call.args, "old", 0));
    TPF_TRY(const std::uint64_t size, number_arg(call.args, "new", 0));
    TPF_TRY(const std::string reason, reading_reason(call.args));
    AuditEntry entry(AuditKind::operator_action, call.who.name);
    entry.with("command", "audit consistency").with("reason", reason).with("old", old_size).with("new", size);
    TPF_TRY(core_.journal.record(entry));
    audit::Proof proof;
    TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(const std::uint64_t all, audit::EventLog().size(db));
        if (old_size > size || size > all)
            return fail(Code::usage, "this log has " + std::to_string(all) + " entries",
                        "the older checkpoint comes first");
        audit::StoredNodes nodes(db);
        TPF_TRY(proof, audit::consistency_proof(nodes, old_size, size));
        return ok();
    }));
    return Json{{"old", old_size}, {"new", size}, {"proof", audit::proof_text(proof)}};
}

/// The keys by which others verify this log.
Result<Json> Commands::audit_key(const Call&) {
    Json keys = Json::array();
    std::optional<std::string> origin;
    std::optional<audit::KeptNote> newest;
    TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(origin, audit::log_origin(db));
        TPF_TRY(newest, audit::newest_note(db));
        return ok();
    }));
    for (const auto& raw : log_keys(core_.keys)) {
        TPF_TRY(const auto key, audit::NoteKey::create(origin.value_or("-"), audit::NoteType::ed25519, raw));
        keys.push_back(key.str());
    }
    Json witnesses = Json::array();
    const auto config = core_.config.now();
    for (const auto& [reg, settings] : config->reloadable.registers) {
        for (const auto& key : witness_keys(core_.keys, reg)) witnesses.push_back(key.str());
    }
    Json json{{"origin", origin.value_or("")}, {"keys", std::move(keys)}, {"witnesses", std::move(witnesses)}};
    if (newest) json["checkpoint"] = newest->note;
    return json;
}

Result<Json> Commands::audit_witness_export(const Call& call) {
    TPF_TRY(const std::string witness, text_arg(call.args, "witness", false));
    TPF_TRY(const std::string reason, reading_reason(call.args));
    AuditEntry entry(AuditKind::operator_action, call.who.name);
    entry.with("command", "audit witness export").with("reason", reason);
    TPF_TRY(core_.journal.record(entry));
    audit::Offer offer;
    std::uint64_t size = 0;
    TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(const auto newest, audit::newest_note(db));
        if (!newest) return fail(Code::no_key, "there is no checkpoint: the ring has no active signing key");
        if (!witness.empty()) {
            TPF_TRY(const auto last, audit::newest_note(db, witness));
            if (last) offer.old_size = last->head.size;
        }
        audit::StoredNodes nodes(db);
        offer.note = newest->note;
        size = newest->head.size;
        TPF_TRY(offer.proof, audit::consistency_proof(nodes, offer.old_size, size));
        return ok();
    }));
    return Json{{"old", offer.old_size}, {"entries", size}, {"request", audit::offer_text(offer)}};
}

Result<Json> Commands::audit_witness_import(const Call& call) {
    TPF_TRY(const std::string text, text_arg(call.args, "note", true));
    TPF_TRY(const std::string vkey, text_arg(call.args, "key", true));
    TPF_TRY(const std::string reason, reason_arg(call.args));
    const auto key = audit::NoteKey::parse(vkey);
    if (!key || key.value().type() != audit::NoteType::cosignature)
        return fail(Code::usage, "the key is no witness's: NAME+ID+BASE64 of type 0x04");
    TPF_TRY(not_in_place_of(core_, key.value()));
    const std::vector<audit::NoteKey> witnesses{key.value()};
    const auto opened = audit::open_note(text, {"", log_keys(core_.keys)}, witnesses, NoteVerifier());
    if (!opened) return fail(Code::usage, opened.error().detail());
    const TreeHead& head = opened.value().checkpoint.head;
    TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
        audit::EventLog log;
        TPF_TRY(const auto origin, audit::log_origin(db));
        TPF_TRY(const std::uint64_t size, log.size(db));
        if (origin != opened.value().checkpoint.origin) return fail(Code::usage, "the checkpoint is of another log");
        auto now = head.size > size ? Result<TreeHead>(TreeHead()) : log.head(db, head.size);
        if (!now) return fail(now.error());
        if (now.value() != head)
            return fail(Code::usage, "this log does not begin with that checkpoint",
                        "`tpfctl audit verify --checkpoint FILE` says more");
        return ok();
    }));
    AuditEntry entry(AuditKind::witnessed, call.who.name);
    entry.with("witness", key.value().name())
        .with("cosigned_size", head.size)
        .with("key", vkey)
        .with("reason", reason)
        .witnessed({key.value().name(), head.size, opened.value().note});
    TPF_TRY(core_.journal.record(entry));
    return Json{{"witness", key.value().name()}, {"entries", head.size}};
}

/// The log goes on under another name: what witnesses hold of the old one is named in it, for good.
Result<Json> Commands::audit_new_origin(const Call& call) {
    TPF_TRY(const std::string reason, reason_arg(call.args));
    std::optional<std::string> old;
    std::optional<audit::KeptNote> newest;
    TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(old, audit::log_origin(db));
        TPF_TRY(newest, audit::newest_witnessed(db));
        return ok();
    }));
    std::string holder = newest ? newest->witness : "";
    TreeHead held = newest ? newest->head : TreeHead();
    std::vector<RegisterName> registers;
    for (const auto& [reg, state] : core_.witnesses.states()) {
        registers.push_back(reg);
        if (!state.conflict || state.held.size <= held.size) continue;
        holder = reg.str();
        held = state.held;
    }
    const std::string origin = audit::new_origin(core_.config.fixed.installation.name);
    AuditEntry entry = audit::origin_entry(call.who.name, origin);
    entry.with("reason", reason).with("previous", old.value_or(""));
    if (!holder.empty()) {
        entry.with("previous_witness", holder)
            .with("previous_size", held.size)
            .with("previous_root", base64(held.root));
    }
    TPF_TRY(core_.journal.record(entry));
    TPF_TRY(core_.witnesses.begin(registers));
    return Json{{"origin", origin}, {"previous", old.value_or("")}};
}

}  // namespace tpf::daemon
