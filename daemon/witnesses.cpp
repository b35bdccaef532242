#include "daemon/witnesses.h"

#include "audit/checkpoints.h"
#include "audit/event_log.h"
#include "base/encoding.h"
#include "base/log.h"
#include "daemon/audit_keys.h"

namespace tpf::daemon {
namespace {

using Kind = SeenCheckpoint::Kind;

/// Does the log in `db` begin with `head`? Empty: it does; else why not, in words that stay the same while the log
/// grows.
Result<std::string> disagreement(sqlite::Database& db, const TreeHead& head) {
    audit::EventLog log;
    TPF_TRY(const std::uint64_t size, log.size(db));
    const std::string entries = std::to_string(head.size) + " entries";
    if (head.size > size) {
        return "it holds a checkpoint of " + entries +
               ", this log has fewer: an older journal was put back, or the end was cut off";
    }
    TPF_TRY(const TreeHead own, log.head(db, head.size));
    if (own == head) return std::string();
    return "it holds a checkpoint of " + entries + " that are not the first " + entries + " of this log";
}

/// What can be made up for later is told of, and stops nothing.
Status told(const RegisterName& to, const Status& written) {
    if (written || written.error().disposition() == Disposition::stop) return written;
    log::warning("no checkpoint for a register could be written",
                 {{"register", to.str()}, {"code", written.error().name()}, {"error", written.error().text()}});
    return ok();
}

}  // namespace

Status Witnesses::begin(const std::vector<RegisterName>& registers) {
    const std::lock_guard lock(mutex_);
    TPF_TRY(spool_.sweep_checkpoints());
    TPF_TRY(const auto waiting, spool_.list_outbox());
    states_.clear();
    for (const RegisterName& reg : registers) {
        WitnessState& state = states_[reg];
        TPF_TRY(load(reg, state));
        // With nothing to send an offer would only be old by the time of the next message, which makes its own.
        if (!state.offered && !waiting.ids.empty()) {
            TPF_TRY(make_offer(reg, state));
        }
    }
    return ok();
}

/// What the journal has of the register, and the offer that lies there when it goes on from that.
Status Witnesses::load(const RegisterName& reg, WitnessState& state) {
    TPF_TRY(journal_.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(const auto origin, audit::log_origin(db));
        TPF_TRY(const auto kept, audit::newest_note(db, reg.str()));
        const audit::LogKeys log{origin.value_or(""), log_keys(keys_)};
        if (!kept || !audit::open_note(kept->note, log, {}, NoteVerifier())) return ok();
        TPF_TRY(const std::string other, disagreement(db, kept->head));
        if (other.empty()) {
            state.cosigned = kept->head;
            return ok();
        }
        state.conflict = other;
        state.held = kept->head;
        // Offered from there the register sees by itself that it does not follow.
        TPF_TRY(const std::uint64_t size, audit::EventLog().size(db));
        if (kept->head.size <= size) state.cosigned = kept->head;
        return ok();
    }));
    TPF_TRY(const auto open, lying(reg));
    if (open && !state.conflict && open->head.size > state.cosigned.size) state.offered = open->head.size;
    return ok();
}

Result<std::optional<Witnesses::Lying>> Witnesses::lying(const RegisterName& reg) {
    auto record = spool_.read_checkpoint(reg);
    const auto note = record ? from_base64(record.value().note) : Result<Bytes>(fail(Code::not_found));
    std::optional<Lying> found;
    if (!note) return found;
    TPF_TRY(journal_.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(const auto origin, audit::log_origin(db));
        const audit::LogKeys log{origin.value_or(""), log_keys(keys_)};
        const auto opened = audit::open_note(as_text(note.value()), log, {}, NoteVerifier());
        if (!origin || !opened) return ok();
        const TreeHead& head = opened.value().checkpoint.head;
        TPF_TRY(const std::string other, disagreement(db, head));
        if (!other.empty() || record.value().old_size > head.size) return ok();
        audit::StoredNodes nodes(db);
        TPF_TRY(const audit::Proof proof, audit::consistency_proof(nodes, record.value().old_size, head.size));
        if (record.value().proof == audit::proof_text(proof)) found = Lying{record.value(), head};
        return ok();
    }));
    return found;
}

Status Witnesses::offer(const RegisterName& to) {
    const std::lock_guard lock(mutex_);
    WitnessState& state = states_[to];
    return state.offered ? ok() : make_offer(to, state);
}

Status Witnesses::make_offer(const RegisterName& to, WitnessState& state, std::optional<std::uint64_t> from) {
    return told(to, write_offer(to, state, from));
}

Status Witnesses::write_offer(const RegisterName& to, WitnessState& state, std::optional<std::uint64_t> wanted) {
    std::optional<audit::KeptNote> newest;
    std::uint64_t from = state.cosigned.size;
    audit::Proof proof;
    TPF_TRY(journal_.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(newest, audit::newest_note(db));
        if (!newest) return ok();
        if (wanted && *wanted <= newest->head.size) from = *wanted;
        if (newest->head.size <= from) return ok();
        audit::StoredNodes nodes(db);
        TPF_TRY(proof, audit::consistency_proof(nodes, from, newest->head.size));
        return ok();
    }));
    if (!newest || newest->head.size < from) return ok();
    TPF_TRY(spool_.write_checkpoint({to, base64(as_bytes(newest->note)), from, audit::proof_text(proof)}));
    if (newest->head.size > state.cosigned.size) state.offered = newest->head.size;
    return ok();
}

Result<SeenCheckpoint> Witnesses::look(const RegisterName& from, const std::optional<std::string>& sjekkpunkt) {
    SeenCheckpoint seen;
    if (!sjekkpunkt) return seen;
    seen.kind = Kind::unusable;
    const auto text = from_base64(*sjekkpunkt);
    const auto cosigners = witness_keys(keys_, from);
    if (!text || cosigners.empty()) {
        seen.why = "the checkpoint is not base64, or there is no receipt key of the register";
        return seen;
    }
    const auto opened = audit::open_note(as_text(text.value()), {"", log_keys(keys_)}, cosigners, NoteVerifier());
    if (!opened) {
        seen.why = opened.error().detail();
        return seen;
    }
    seen.head = opened.value().checkpoint.head;
    TPF_TRY(journal_.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(const auto origin, audit::log_origin(db));
        if (origin != opened.value().checkpoint.origin) {
            seen.why = "it holds a checkpoint of " + std::to_string(seen.head.size) + " entries of the log " +
                       opened.value().checkpoint.origin + ", this log is " + origin.value_or("without an origin");
            return ok();
        }
        seen.same_origin = true;
        TPF_TRY(seen.why, disagreement(db, seen.head));
        return ok();
    }));
    seen.kind = seen.why.empty() ? Kind::agrees : Kind::contradicts;
    seen.note = opened.value().note;
    return seen;
}

bool Witnesses::settle(const RegisterName& from, const SeenCheckpoint& seen) {
    const std::lock_guard lock(mutex_);
    WitnessState& state = states_[from];
    if (seen.kind == Kind::none) return false;
    state.unusable.reset();
    if (seen.kind == Kind::unusable) {
        state.unusable = seen.why;
        return false;
    }
    if (seen.kind == Kind::contradicts) {
        const bool fresh = state.conflict != seen.why;
        state.conflict = seen.why;
        state.held = seen.head;
        return fresh;
    }
    state.conflict.reset();
    if (seen.head.size > state.cosigned.size) state.cosigned = seen.head;
    if (state.offered && *state.offered <= seen.head.size) state.offered.reset();
    return false;
}

void Witnesses::expect_none(const RegisterName& from) {
    const std::lock_guard lock(mutex_);
    states_[from].offered.reset();
}

Status Witnesses::offer_from(const RegisterName& to, const TreeHead& held) {
    const std::lock_guard lock(mutex_);
    WitnessState& state = states_[to];
    if (state.offered) {
        TPF_TRY(const auto open, lying(to));
        if (open && open->record.old_size == held.size && open->head.size == *state.offered) return ok();
    }
    state.cosigned = held;
    state.offered.reset();
    return make_offer(to, state);
}

Status Witnesses::offer_again(const RegisterName& to) {
    const std::lock_guard lock(mutex_);
    WitnessState& state = states_[to];
    TPF_TRY(const auto open, lying(to));
    if (state.offered && open && open->head.size == *state.offered) {
        return told(to, spool_.write_checkpoint(open->record));
    }
    state.offered.reset();
    return make_offer(to, state);
}

Status Witnesses::offer_anew(const RegisterName& to, std::optional<std::uint64_t> from) {
    const std::lock_guard lock(mutex_);
    WitnessState& state = states_[to];
    state.offered.reset();
    return make_offer(to, state, from);
}

std::map<RegisterName, WitnessState> Witnesses::states() const {
    const std::lock_guard lock(mutex_);
    return states_;
}

}  // namespace tpf::daemon
