// The pseudonym log's commands: are all lists the ones that were written, and a list's deletion by two operators.

#include "audit/event_log.h"
#include "audit/pseudonym_list.h"
#include "base/encoding.h"
#include "base/log.h"
#include "daemon/commands.h"
#include "daemon/list_place.h"

namespace tpf::daemon {
namespace {

constexpr std::uint64_t kWindow = 5'000;  // entries that one question looks at
constexpr std::size_t kFaultsMost = 100;

AuditEntry entry_of(const SpoolId& message, const Actor& actor, const char* step) {
    AuditEntry entry(AuditKind::operator_action, actor.name);
    entry.with("command", kDeleteList).with("step", step).with("reason", actor.reason);
    return entry.with("uid", std::uint64_t{actor.uid}).message(message);
}

/// What an entry says already, and something kept from being done.
Result<Json> finish_deletion(Core& core, Lookups& lookups, const SpoolId& message) {
    const bool there = core.fs.info(list_place(core.fs, core.spool.folders(), message)).has_value();
    TPF_TRY(core.spool.remove_list(message));
    TPF_TRY(lookups.forget_message(message));
    if (!there) return fail(Code::usage, "the list of that message was deleted already");
    return Json{{"message", message.str()}, {"list", "deleted"}};
}

}  // namespace

/// What is wrong with a message's list, by its newest entry.
std::optional<std::string> Commands::list_fault(const SpoolId& message, const audit::ListState& state) const {
    const Path place = list_place(core_.fs, core_.spool.folders(), message);
    const std::string entry = " (entry " + std::to_string(state.seq) + ")";
    if (state.kind == audit::ListKind::not_recorded) {
        // Made when its register still had a pseudonym log, before the message was done again.
        if (!core_.fs.info(place)) return std::nullopt;
        return "pseudonym log: no list of " + message.str() + " is recorded" + entry + ", but a file is there";
    }
    if (state.kind != audit::ListKind::kept) return std::nullopt;
    const auto digest = audit::file_digest(core_.fs, place);
    if (digest && hex(digest.value()) == state.sha256) return std::nullopt;
    const bool missing = !digest && digest.error().code() == Code::not_found;
    return "pseudonym log: the list of " + message.str() + entry + " is " +
           (digest    ? "damaged"
            : missing ? "missing"
                      : "unreadable");
}

/// Each list that the log speaks of, against the file that is there.
Status Commands::add_lists(Json& json, std::uint64_t through, bool show_progress, ControlStream& stream) {
    std::uint64_t kept = 0;
    std::uint64_t not_recorded = 0;
    std::vector<std::string> faults;
    const auto folders = core_.spool.folders();
    for (std::uint64_t after = 0; after < through && faults.size() < kFaultsMost; after += kWindow) {
        std::vector<audit::ListedMessage> listed;
        TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(listed, audit::lists_between(db, after, std::min(after + kWindow, through)));
            return ok();
        }));
        for (const auto& [message, state] : listed) {
            if (core_.lifecycle.stopping()) return fail(Code::unavailable, "the service stops");
            if (state.kind == audit::ListKind::not_recorded) ++not_recorded;
            if (state.kind == audit::ListKind::kept) ++kept;
            if (!list_fault(message, state)) continue;
            // Whoever works on the message holds it: what looks wrong meanwhile is looked at again, and is a fault
            // where the entry is the same.
            const auto held = core_.locks.hold(message);
            audit::ListState now;
            TPF_TRY(core_.journal.ask([&, id = message](sqlite::Database& db) -> Status {
                TPF_TRY(now, audit::list_state(db, id));
                return ok();
            }));
            const auto fault = list_fault(message, state);
            if (fault && now.seq == state.seq) faults.push_back(*fault);
        }
        if (show_progress) {
            const Json now{{"part", "pseudonym log"}, {"done", std::min(after + kWindow, through)}, {"of", through}};
            static_cast<void>(stream.write_line({{"progress", now}}).has_value());
        }
    }
    TPF_TRY(const auto gone, deleted_messages(core_.journal));
    for (const SpoolId& id : gone) {
        const auto held = core_.locks.hold(id);  // whoever deletes it holds it too
        audit::ListState state;
        TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(state, audit::list_state(db, id));
            return ok();
        }));
        const bool there = core_.fs.info(list_place(core_.fs, folders, id)).has_value();
        if (state.kind != audit::ListKind::deleted || !there) continue;
        faults.push_back("pseudonym log: the list of " + id.str() + " (entry " + std::to_string(state.seq) +
                         ") is deleted, but its file is there");
    }
    json["lists"] = {{"kept", kept}, {"deleted", gone.size()}, {"not_recorded", not_recorded}};
    if (faults.empty()) return ok();
    json["good"] = false;
    for (auto& fault : faults) json["faults"].push_back(std::move(fault));
    return ok();
}

/// The first operator asks, a second one confirms; then the entry is written, and then the file goes.
Result<Json> Commands::audit_delete_list(const Call& call) {
    TPF_TRY(const std::string text, text_arg(call.args, "id", true));
    TPF_TRY(std::string reason, reason_arg(call.args));
    TPF_TRY(const auto row, core_.journal.resolve(text));
    const auto held = core_.locks.hold(row.id);
    audit::ListState state;
    TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(state, audit::list_state(db, row.id));
        return ok();
    }));
    const Actor actor{call.who.name, std::move(reason), call.who.uid};
    auto done = [&]() -> Result<Json> {
        if (state.kind == audit::ListKind::deleted) return finish_deletion(core_, lookups_, row.id);
        if (state.kind == audit::ListKind::not_recorded) {
            auto digest = audit::file_digest(core_.fs, list_place(core_.fs, core_.spool.folders(), row.id));
            if (!digest && digest.error().code() == Code::not_found)
                return fail(Code::usage, "no list of that message was recorded");
            if (!digest) return fail(digest.error());
            state.sha256 = hex(digest.value());
        }
        const bool confirms = call.args.value("confirm", false);
        return confirms ? confirm_delete(row.id, actor, state.sha256) : ask_to_delete(row.id, actor);
    }();
    if (done || (done.error().code() != Code::usage && done.error().code() != Code::denied)) return done;
    AuditEntry refused = entry_of(row.id, actor, "refused");
    TPF_TRY(core_.journal.record(refused.with("refused", done.error().name())));
    return done;
}

Result<Json> Commands::ask_to_delete(const SpoolId& message, const Actor& actor) {
    TPF_TRY(core_.journal.record(entry_of(message, actor, "requested")));
    const UtcTime now = core_.clock.utc();
    TPF_TRY(core_.proposals.propose(kDeleteList, message.view(), actor, now));
    return Json{{"message", message.str()},
                {"list", "kept, until another operator confirms"},
                {"until", format_utc(now + kApproveWithin)}};
}

Result<Json> Commands::confirm_delete(const SpoolId& message, const Actor& actor, const std::string& sha256) {
    const UtcTime now = core_.clock.utc();
    TPF_TRY(const Proposal proposal, core_.proposals.approve(kDeleteList, message.view(), actor, now));
    TPF_TRY(core_.proposals.take(kDeleteList, message.view(), now));
    AuditEntry deleted(AuditKind::list_deleted, actor.name);
    deleted.with("requested_by", proposal.asked.by.name).with("reason", actor.reason).with("sha256", sha256);
    TPF_TRY(core_.journal.record(deleted.message(message)));
    TPF_TRY(core_.spool.remove_list(message));
    TPF_TRY(lookups_.forget_message(message));
    log::info("a list of the pseudonym log was deleted", {{"message", message}, {"operator", actor.name}});
    return Json{{"message", message.str()}, {"list", "deleted"}};
}

/// The name of a message whose kept list has pseudonyms of that version; empty: there is none.
Result<std::string> Commands::list_under(const RegisterName& reg, unsigned version) const {
    std::uint64_t size = 0;
    TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(size, audit::EventLog().size(db));
        return ok();
    }));
    const std::string wanted = " " + std::to_string(version) + " ";
    for (std::uint64_t after = 0; after < size; after += kWindow) {
        std::string found;
        TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(const auto listed, audit::lists_between(db, after, after + kWindow));
            for (const auto& [message, state] : listed) {
                const bool under = state.kind == audit::ListKind::kept && state.reg == reg.str() &&
                                   (" " + state.versions + " ").find(wanted) != std::string::npos;
                if (under) found = message.str();
            }
            return ok();
        }));
        if (!found.empty()) return found;
    }
    return std::string();
}

Status remove_deleted_lists(queue::Journal& journal, queue::Spool& spool) {
    TPF_TRY(const auto deleted, deleted_messages(journal));
    for (const SpoolId& id : deleted) {
        TPF_TRY(spool.remove_list(id));
    }
    return ok();
}

}  // namespace tpf::daemon
