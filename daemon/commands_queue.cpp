#include "base/log.h"
#include "conf/output_settings.h"
#include "daemon/commands.h"
#include "daemon/reason.h"
#include "daemon/socket_file.h"
#include "pseudonym/pass.h"
#include "queue/kvittering.h"

namespace tpf::daemon {
namespace {

using queue::MessageRow;

template <class T>
void put(Json& json, const char* name, const std::optional<T>& value) {
    if (value) json[name] = *value;
}
void put_time(Json& json, const char* name, const std::optional<UtcTime>& time) {
    if (time) json[name] = format_utc(*time);
}
void put_text(Json& json, const char* name, const std::string& text) {
    if (!text.empty()) json[name] = text;
}

/// What two operators do, in daemon/proposals.h.
constexpr std::string_view kDiscard = "queue discard";

AuditEntry discard_entry(const MessageRow& row, const Actor& actor, bool confirms) {
    AuditEntry entry(AuditKind::operator_action, actor.name);
    entry.message(row.id).with("command", confirms ? "queue discard, confirmed" : "queue discard, requested");
    entry.with("reason", actor.reason).with("was", queue::to_string(row.state));
    return entry;
}

}  // namespace

Result<std::string> reason_arg(const Json& args) {
    TPF_TRY(std::string reason, text_arg(args, "reason", true));
    TPF_TRY(check_reason(reason));
    return reason;
}

Result<std::string> reading_reason(const Json& args) {
    return args.contains("reason") ? reason_arg(args) : Result<std::string>(std::string("routine"));
}

Json marks_json(const PersonMarks& marks) {
    Json list = Json::array();
    for (auto one = marks.next(0); one && list.size() < kMarksShown; one = marks.next(one->person)) {
        list.push_back({{"person", one->person}, {"code", to_string(one->kode)}});
    }
    return list;
}

Json row_json(const MessageRow& row) {
    Json json = {{"id", row.id.str()}, {"state", queue::to_string(row.state)}, {"source", row.source}};
    if (row.sender) json["sender"] = row.sender->str();
    json["received"] = format_utc(row.received);
    json["bytes"] = row.size;
    if (row.name) json["name"] = row.name->str();
    if (row.to) json["register"] = row.to->str();
    put_text(json, "type", row.meldingstype);
    put_text(json, "created", row.opprettet);
    put_text(json, "period_from", row.periode_fra);
    put_text(json, "period_to", row.periode_til);
    put(json, "persons", row.persons);
    if (row.marked != 0) json["persons_without_pseudonym"] = row.marked;
    put(json, "input_sha256", row.input_sha256);
    put(json, "output_sha256", row.output_sha256);
    put(json, "output_bytes", row.output_size);
    put_time(json, "committed", row.committed);
    if (row.code) json["code"] = info(*row.code).name;
    put_text(json, "reason", row.reason);
    put_time(json, "quarantined", row.quarantined);
    if (row.duplicate_of) json["duplicate_of"] = row.duplicate_of->str();
    put(json, "register_receipt", row.register_kvittering);
    put(json, "register_code", row.register_kode);
    put(json, "register_received", row.register_mottatt);
    put_time(json, "delivered", row.delivered);
    put_time(json, "payloads_removed", row.removed);
    if (row.attempt_code) {
        json["waits_for"] = {
            {"code", info(*row.attempt_code).name}, {"reason", row.attempt_reason}, {"attempts", row.attempts}};
        put_time(json["waits_for"], "since", row.attempt_since);
        json["waits_for"]["hint"] = info(*row.attempt_code).remedy;
    }
    return json;
}

Result<Json> Commands::submit(const Call& call) {
    TPF_TRY(const std::string reason, reason_arg(call.args));
    TPF_TRY(const std::string sender_text, text_arg(call.args, "sender", true));
    auto sender = Avsender::parse(sender_text);
    if (!sender) return fail(Code::usage, "sender: " + sender.error().detail(), "give --sender 0301-00-974761076");
    if (call.body == 0) return fail(Code::usage, "an empty file");
    const auto config = core_.config.now();
    if (call.body > config->reloadable.limits.message_bytes)
        return fail(Code::usage, "the file is larger than [limits] message_bytes");
    TPF_TRY(core_.journal.check_quota(quota_of(*config), sender.value()));
    TPF_TRY(auto writer, queue::InboxWriter::begin(core_.spool, call.body));
    SocketFile body(call.stream, call.body);
    Bytes block(pseudonym::Pass::kPiece);
    while (true) {
        TPF_TRY(const std::size_t size, body.read(block));
        if (size == 0) break;
        TPF_TRY(writer.write({block.data(), size}));
    }
    TPF_TRY(const auto record,
            writer.commit({kOperatorSource, sender.value(), call.who.name, reason, core_.clock.utc()}));
    core_.lifecycle.wake();
    log::info("submitted by an operator",
              {{"stage", "submit"}, {"message", record.id}, {"operator", call.who.name}, {"sender", sender_text}});
    return Json{{"id", record.id.str()}, {"bytes", record.size}, {"sha256", record.sha256}};
}

Result<Json> Commands::queue_list(const Call& call) {
    queue::ListQuery query;
    TPF_TRY(const std::string state, text_arg(call.args, "state", false));
    if (!state.empty()) {
        query.state = queue::parse_state(state);
        if (!query.state)
            return fail(Code::usage, "there is no such state",
                        "claimed, committed, delivered, quarantined, held, discarded or duplicate");
    }
    TPF_TRY(const std::string sender, text_arg(call.args, "sender", false));
    if (!sender.empty()) {
        TPF_TRY(query.sender, Avsender::parse(sender));
    }
    TPF_TRY(query.limit, number_arg(call.args, "limit", 100));
    TPF_TRY(query.offset, number_arg(call.args, "offset", 0));
    query.newest_first = call.args.value("newest_first", false);
    TPF_TRY(const auto rows, core_.journal.list(query));
    Json list = Json::array();
    for (const MessageRow& row : rows) list.push_back(row_json(row));
    TPF_TRY(const auto counts, core_.journal.counts());
    Json totals = Json::object();
    for (const auto& [known, count] : counts) totals[std::string(queue::to_string(known))] = count;
    TPF_TRY(const auto inbox, core_.spool.list_inbox());
    return Json{{"messages", std::move(list)}, {"totals", std::move(totals)}, {"inbox", inbox.ids.size()}};
}

std::optional<SpoolId> Commands::in_inbox(const std::string& text) {
    constexpr std::size_t kShortest = 4;
    const auto listing = core_.spool.list_inbox();
    if (!listing || text.size() < kShortest) return std::nullopt;
    std::optional<SpoolId> found;
    for (const SpoolId& id : listing.value().ids) {
        if (!id.view().starts_with(text)) continue;
        if (found) return std::nullopt;
        found = id;
    }
    return found;
}

Result<MessageRow> Commands::resolve(const std::string& id) {
    auto row = core_.journal.resolve(id);
    if (row || row.error().code() != Code::not_found) return row;
    if (const auto waiting = in_inbox(id)) {
        return fail(Code::usage, "message " + waiting->str() + " lies in the inbox and is not claimed yet",
                    "ask again in a moment; `tpfctl status` says what keeps it");
    }
    return core_.journal.resolve(id);  // it may have been claimed between the two
}

/// What can be said of a message that lies in the inbox: its row is made by the claim.
Json Commands::inbox_json(const SpoolId& id) const {
    Json json = {{"id", id.str()}, {"state", "inbox"}};
    const auto entry = core_.spool.read_inbox(id);
    if (!entry) return json;
    const queue::KildeRecord& kilde = entry.value().kilde;
    json["source"] = kilde.source;
    if (kilde.sender) json["sender"] = kilde.sender->str();
    json["received"] = format_utc(kilde.received);
    json["bytes"] = kilde.size;
    return json;
}

Result<Json> Commands::queue_show(const Call& call) {
    TPF_TRY(const std::string id, text_arg(call.args, "id", true));
    auto found = core_.journal.resolve(id);
    if (!found && found.error().code() == Code::not_found) {
        if (const auto waiting = in_inbox(id)) return inbox_json(*waiting);
        found = core_.journal.resolve(id);  // it may have been claimed between the two
    }
    if (!found) return fail(found.error());
    const MessageRow& row = found.value();
    Json json = row_json(row);
    if (row.marked != 0) {
        TPF_TRY(const PersonMarks marks, core_.journal.marks(row));
        json["without_pseudonym"] = marks_json(marks);
    }
    TPF_TRY(const auto repeats, core_.journal.duplicates_of(row.id));
    if (!repeats.empty()) {
        json["repeated_as"] = Json::array();
        for (const MessageRow& repeat : repeats) json["repeated_as"].push_back(repeat.id.str());
    }
    if (row.code) json["hint"] = info(*row.code).remedy;
    const auto proposal = core_.proposals.find(kDiscard, row.id.view(), core_.clock.utc());
    if (proposal) json["discard_request"] = request_json(proposal->asked);
    return json;
}

Result<Json> Commands::queue_retry(const Call& call) {
    TPF_TRY(const std::string id, text_arg(call.args, "id", true));
    TPF_TRY(const std::string reason, reason_arg(call.args));
    TPF_TRY(const MessageRow named, resolve(id));
    const auto held = core_.locks.hold(named.id);
    TPF_TRY(const MessageRow row, resolve(named.id.str()));
    AuditEntry entry(AuditKind::retried, call.who.name);
    entry.message(row.id).with("reason", reason).with("was", queue::to_string(row.state));
    // Before it is claimed: what was asked for stands no longer. Of one that cannot be, nothing is dropped.
    if (queue::may_become(row.state, queue::State::claimed)) {
        TPF_TRY(core_.proposals.drop(kDiscard, row.id.view()));
        TPF_TRY(core_.proposals.drop(kDeleteList, row.id.view()));
    }
    TPF_TRY(core_.journal.retry(row.id, conf::pinned_json(*core_.config.now()), entry));
    TPF_TRY(core_.spool.retry(row.id));
    coordinator_.enqueue(row.id);
    log::info("retried by an operator", {{"stage", "retry"}, {"message", row.id}, {"operator", call.who.name}});
    return Json{{"id", row.id.str()}, {"state", "claimed"}};
}

Json request_json(const OperatorRequest& request) {
    return {{"at", format_utc(request.at)},
            {"by", request.by.name},
            {"reason", request.by.reason},
            {"until", format_utc(request.at + kApproveWithin)}};
}

Result<Json> Commands::queue_discard(const Call& call) {
    TPF_TRY(const std::string id, text_arg(call.args, "id", true));
    TPF_TRY(std::string reason, reason_arg(call.args));
    TPF_TRY(const MessageRow named, resolve(id));
    const auto held = core_.locks.hold(named.id);
    TPF_TRY(const MessageRow row, resolve(named.id.str()));
    const Actor actor{call.who.name, std::move(reason), call.who.uid};
    const bool confirms = call.args.value("confirm", false);
    auto done = confirms ? confirm_discard(row, actor) : ask_to_discard(row, actor);
    if (done || done.error().code() == Code::not_found) return done;
    if (done.error().code() == Code::usage || done.error().code() == Code::denied) {
        AuditEntry refused = discard_entry(row, actor, confirms);
        TPF_TRY(core_.journal.record(refused.with("refused", done.error().name())));
    }
    return done;
}

Result<Json> Commands::ask_to_discard(const MessageRow& row, const Actor& actor) {
    if (!queue::may_become(row.state, queue::State::discarded)) {
        return fail(Code::usage,
                    "message " + row.id.str() + " is " + std::string(queue::to_string(row.state)) +
                        " and cannot become discarded",
                    "only what is quarantined or held can be given up");
    }
    TPF_TRY(core_.journal.record(discard_entry(row, actor, false)));
    const UtcTime now = core_.clock.utc();
    TPF_TRY(core_.proposals.propose(kDiscard, row.id.view(), actor, now));
    log::info("an operator asked for a message to be discarded",
              {{"stage", "discard"}, {"message", row.id}, {"operator", actor.name}});
    return Json{
        {"id", row.id.str()}, {"state", queue::to_string(row.state)}, {"discard_request", request_json({now, actor})}};
}

Result<Json> Commands::confirm_discard(const MessageRow& row, const Actor& actor) {
    const UtcTime now = core_.clock.utc();
    TPF_TRY(const Proposal proposal, core_.proposals.approve(kDiscard, row.id.view(), actor, now));
    TPF_TRY(core_.proposals.take(kDiscard, row.id.view(), now));
    AuditEntry entry(AuditKind::discarded, actor.name);
    entry.message(row.id).with("reason", actor.reason).with("was", queue::to_string(row.state));
    entry.with("asked_by", proposal.asked.by.name).with("asked", format_utc(proposal.asked.at));
    if (row.input_sha256) entry.with("input_sha256", *row.input_sha256);
    TPF_TRY(core_.journal.discard(row.id, entry));
    TPF_TRY(core_.spool.remove_payloads(row.id));
    coordinator_.look_for_answers();
    log::info("discarded by two operators", {{"stage", "discard"}, {"message", row.id}, {"operator", actor.name}});
    return Json{{"id", row.id.str()}, {"state", "discarded"}};
}

Result<Json> Commands::receipt(const Call& call) {
    TPF_TRY(const std::string id, text_arg(call.args, "id", true));
    TPF_TRY(const MessageRow row, resolve(id));
    std::optional<MessageRow> original;
    if (row.duplicate_of) {
        TPF_TRY(original, core_.journal.find(*row.duplicate_of));
    }
    const MessageRow& outcome = original ? *original : row;
    TPF_TRY(const PersonMarks all, core_.journal.marks(outcome));
    PersonMarks shown;
    for (auto one = all.next(0); one && shown.count() < kMarksShown; one = all.next(one->person)) {
        shown.mark(one->person, one->kode);
    }
    TPF_TRY(Json json, parse_object(queue::kvittering_json(row, original ? &*original : nullptr, shown)));
    if (shown.count() != all.count()) json["utenPseudonymAntall"] = all.count();
    return json;
}

}  // namespace tpf::daemon
