#include "daemon/receipts.h"

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "base/log.h"
#include "crypto/signature.h"
#include "pseudonym/pass.h"
#include "queue/kvittering.h"

namespace tpf::daemon {
namespace {

using queue::MessageRow;
using queue::State;
using queue::SvarRecord;

constexpr const char* kRegisterKnowsNothing = "sjekkpunkt-ny";
constexpr const char* kNoCheckpointCame = "sjekkpunkt-mangler";
constexpr const char* kCheckpointNotTaken = "sjekkpunkt-ugyldig";
constexpr std::array kCheckpointKoder = {"sjekkpunkt-eldre", "sjekkpunkt-strid",  "sjekkpunkt-opphav",
                                         kNoCheckpointCame,  kCheckpointNotTaken, kRegisterKnowsNothing};
constexpr std::uint64_t kFailuresLogged = 10;  // of one round, one by one

/// With the entry that tells of the answer.
void add_seen(AuditEntry& entry, const RegisterName& from, const SeenCheckpoint& seen) {
    if (seen.kind != SeenCheckpoint::Kind::agrees) return;
    entry.with("cosigned_size", seen.head.size).witnessed({from.str(), seen.head.size, seen.note});
}

/// A file that is gone is nobody's reason to stop.
bool stops(const Error& error) {
    return error.disposition() == Disposition::stop && error.code() != Code::not_found;
}

/// In words that are the same for the same cause: whatever else a register writes does not count as another attempt.
/// What the register holds does: its note goes into the journal with the entry.
std::string checkpoint_reason(const SvarRecord& svar, const SeenCheckpoint& seen) {
    if (!seen.why.empty()) return seen.why;
    const auto known = std::find(kCheckpointKoder.begin(), kCheckpointKoder.end(), svar.kode.value_or(""));
    std::string reason = std::string("the register did not take the checkpoint: ") +
                         (known == kCheckpointKoder.end() ? "no code that is known here" : *known);
    if (seen.kind != SeenCheckpoint::Kind::agrees) return reason;
    return reason + ", it holds one of " + std::to_string(seen.head.size) + " entries";
}

AuditEntry entry_for(AuditKind kind, const MessageRow& row) {
    AuditEntry entry(kind, kServiceActor);
    entry.message(row.id);
    if (row.name) entry.with("name", row.name->str());
    if (row.to) entry.with("register", row.to->str());
    return entry;
}

void count_delivered(Core& core, const MessageRow& row) {
    const auto now = core.clock.utc();
    const auto seconds = [&](UtcTime from) {
        return static_cast<double>(std::max(now - from, std::chrono::seconds(0)).count());
    };
    core.metrics.add(Count::delivered, 1, row.to->str());
    core.metrics.observe(Measure::delivery_seconds, seconds(row.received));
    if (row.committed) core.metrics.observe(Measure::register_seconds, seconds(*row.committed));
}

}  // namespace

bool signed_by_register(const std::vector<crypto::VerifyKey>& keys, const MessageRow& row, const SvarRecord& svar,
                        std::string_view status, const std::optional<std::string>& token) {
    if (!row.name || !row.to || !row.output_sha256 || !token || !svar.mottatt || !svar.signature) return false;
    if (svar.status != status || svar.navn != row.name->str() || svar.sha256 != *row.output_sha256) return false;
    const auto signature = from_base64(*svar.signature);
    if (!signature) return false;
    const std::string text = crypto::signed_text(
        {"tpf-kvittering-v1", row.to->str(), row.name->str(), *row.output_sha256, status, *token, *svar.mottatt});
    return std::any_of(keys.begin(), keys.end(), [&](const auto& key) { return key.verify(text, signature.value()); });
}

Status Receipts::process(const SpoolId& id) {
    const auto held = core_.locks.hold(id);
    TPF_TRY(const auto row, core_.journal.find(id));
    const auto entry = core_.spool.read_receipt(id);
    if (!entry && entry.error().code() == Code::not_found) return ok();
    if (!entry && entry.error().disposition() == Disposition::stop) return fail(entry.error());
    if (!row || row->state != State::committed || !entry) {
        if (row) {
            TPF_TRY(carry_out(*row));
        }
        TPF_TRY(const bool gone, take_away(id));
        if (gone) log::warning("an answer that fits no message that waits for one: removed", {{"message", id}});
        return ok();
    }
    TPF_TRY(judge(*row, entry.value().svar));
    TPF_TRY(const bool gone, take_away(id));
    static_cast<void>(gone);  // what is left is looked at again, and the journal says that it was dealt with
    return ok();
}

Result<bool> Receipts::take_away(const SpoolId& id) {
    const Status gone = core_.spool.remove_receipt(id);
    TPF_TRY(core_.spool.leave_blocked(core_.spool.folders().receipts_new / id.view(), gone));
    return gone.has_value();
}

/// An earlier try may have got no further than the journal: as long as the message lies in outbox, taking its answer
/// away would have it sent again and again.
Status Receipts::carry_out(const MessageRow& row) {
    switch (row.state) {
        case State::committed:
            return ok();
        case State::delivered:
            return row.removed ? core_.spool.remove_payloads(row.id) : core_.spool.withdraw(row.id);
        case State::quarantined:
        case State::held:
            return core_.spool.quarantine(row.id);
        case State::discarded:
        case State::duplicate:
            return core_.spool.remove_payloads(row.id);
        case State::claimed:
            return core_.spool.withdraw(row.id);
    }
    return ok();
}

Status Receipts::judge(const MessageRow& row, const SvarRecord& svar) {
    if (svar.trouble) return digest_doubted(row, svar);
    switch (svar.http_status) {
        case 200:
        case 201:
            return delivered(row, svar);
        case 422:
            return refused(row, svar);
        case 409:
            return quarantine(row, Code::register_conflict, "the register answered 409", std::nullopt);
        case 412:
            return checkpoint_refused(row, svar);
        case 400:
            return digest_doubted(row, svar);
        default:
            return not_a_receipt(row, "an answer of another kind");
    }
}

Status Receipts::delivered(const MessageRow& row, const SvarRecord& svar) {
    if (!signed_by_register(core_.keys.receipt_keys(*row.to), row, svar, "mottatt", svar.kvittering)) {
        return not_a_receipt(row, "signature, name, digest or status is wrong");
    }
    AuditEntry entry = entry_for(AuditKind::delivered, row);
    entry.with("kvittering", *svar.kvittering).with("mottatt", *svar.mottatt).with("output_sha256", *row.output_sha256);
    entry.with("forwarded", format_utc(svar.answered));
    TPF_TRY(const auto seen, core_.witnesses.look(*row.to, svar.sjekkpunkt));
    add_seen(entry, *row.to, seen);
    TPF_TRY(core_.journal.delivered(row.id, {*svar.kvittering, *svar.mottatt}, entry));
    count_delivered(core_, row);
    TPF_TRY(take_seen(row, seen));
    log::info(
        "delivered",
        {{"stage", "deliver"}, {"message", row.id}, {"register", row.to->str()}, {"kvittering", *svar.kvittering}});
    if (core_.config.now()->reloadable.retention.delivered_days.count() == 0) return remove_payloads(row.id);
    return core_.spool.withdraw(row.id);
}

Status Receipts::refused(const MessageRow& row, const SvarRecord& svar) {
    if (!signed_by_register(core_.keys.receipt_keys(*row.to), row, svar, "avvist", svar.kode)) {
        return not_a_receipt(row, "signature, name, digest or status of a refusal is wrong");
    }
    return quarantine(row, Code::register_refused, "the register refused the message, code " + *svar.kode, svar.kode);
}

/// What a valid receipt brought besides. It is delivered, whatever that says of the log.
Status Receipts::take_seen(const MessageRow& row, const SeenCheckpoint& seen) {
    const RegisterName& from = *row.to;
    switch (seen.kind) {
        case SeenCheckpoint::Kind::none:
            core_.witnesses.expect_none(from);
            return ok();
        case SeenCheckpoint::Kind::unusable:
            core_.witnesses.settle(from, seen);
            log::warning("a register's cosignature cannot be used",
                         {{"stage", "receipt"}, {"register", from.str()}, {"error", seen.why}});
            return ok();
        case SeenCheckpoint::Kind::agrees:
            core_.witnesses.settle(from, seen);
            return ok();
        case SeenCheckpoint::Kind::contradicts:
            break;
    }
    log::error("ALARM: a register holds another audit log", {{"stage", "receipt"},
                                                             {"message", row.id},
                                                             {"register", from.str()},
                                                             {"code", info(Code::checkpoint_conflict).name},
                                                             {"error", seen.why},
                                                             {"hint", info(Code::checkpoint_conflict).remedy}});
    if (core_.witnesses.settle(from, seen)) {
        AuditEntry entry(AuditKind::contradicted, kServiceActor);
        entry.with("register", from.str())
            .with("reason", seen.why)
            .with("held_size", seen.head.size)
            .with("held_root", base64(seen.head.root));
        TPF_TRY(core_.journal.record(entry));
    }
    // The offer that is out may be one that the register cosigned before this log became another: it would go on taking
    // messages with it.
    return core_.witnesses.offer_anew(from, seen.same_origin ? std::optional(seen.head.size) : std::nullopt);
}

/// Nothing was delivered, and nothing is until the two agree. A register that is merely further than this core knows
/// shows a checkpoint that this log begins with: the next offer goes on from there.
Status Receipts::checkpoint_refused(const MessageRow& row, const SvarRecord& svar) {
    TPF_TRY(const auto seen, core_.witnesses.look(*row.to, svar.sjekkpunkt));
    const bool knows_nothing = seen.kind == SeenCheckpoint::Kind::none && svar.kode == kRegisterKnowsNothing;
    const bool conflict = seen.kind == SeenCheckpoint::Kind::contradicts;
    const Code code = conflict ? Code::checkpoint_conflict : Code::checkpoint_refused;
    const std::string reason = checkpoint_reason(svar, seen);
    AuditEntry entry = entry_for(AuditKind::receipt_refused, row);
    entry.with("code", info(code).name).with("reason", reason);
    add_seen(entry, *row.to, seen);
    TPF_TRY(core_.journal.note_attempt(row.id, code, reason, entry));
    if (seen.kind == SeenCheckpoint::Kind::agrees || knows_nothing) {
        log::warning("a register asked for the proof from another checkpoint",
                     {{"stage", "receipt"}, {"register", row.to->str()}, {"entries", seen.head.size}});
        core_.witnesses.settle(*row.to, seen);
        return core_.witnesses.offer_from(*row.to, seen.head);
    }
    if (conflict) return take_seen(row, seen);
    core_.witnesses.settle(*row.to, seen);
    log::error("ALARM: a register refuses the audit log's checkpoint", {{"stage", "receipt"},
                                                                        {"message", row.id},
                                                                        {"register", row.to->str()},
                                                                        {"code", info(code).name},
                                                                        {"error", reason},
                                                                        {"hint", info(code).remedy}});
    if (svar.kode == kNoCheckpointCame) return core_.witnesses.offer_again(*row.to);
    // Signed with a key that the register does not take any longer, or touched on the way.
    if (svar.kode == kCheckpointNotTaken) return core_.witnesses.offer_anew(*row.to);
    return ok();
}

/// The register, or the forwarder, says that the bytes are not those of the digest: is that so here?
Status Receipts::digest_doubted(const MessageRow& row, const SvarRecord&) {
    const auto intact = output_intact(row);
    // What cannot be read now is not therefore another.
    if (!intact && intact.error().code() != Code::not_found) return fail(intact.error());
    if (!intact || !intact.value()) {
        return quarantine(row, Code::record_damaged, "melding.xml does not have the digest that was committed",
                          std::nullopt);
    }
    if (row.attempt_code == Code::register_digest) {
        return quarantine(row, Code::register_digest, "twice a digest mismatch, while the file here is whole",
                          std::nullopt);
    }
    AuditEntry entry = entry_for(AuditKind::receipt_refused, row);
    entry.with("code", info(Code::register_digest).name);
    return core_.journal.note_attempt(row.id, Code::register_digest,
                                      "a digest mismatch was reported; the file here is whole", entry);
}

/// Not believed: the message stays committed, and is sent again.
Status Receipts::not_a_receipt(const MessageRow& row, const char* why) {
    core_.metrics.add(Count::receipts_refused, 1, row.to->str());
    log::error("ALARM: an answer that is no receipt", {{"stage", "receipt"},
                                                       {"message", row.id},
                                                       {"register", row.to->str()},
                                                       {"code", info(Code::receipt_invalid).name},
                                                       {"error", why},
                                                       {"hint", info(Code::receipt_invalid).remedy}});
    AuditEntry entry = entry_for(AuditKind::receipt_refused, row);
    entry.with("code", info(Code::receipt_invalid).name).with("reason", why);
    return core_.journal.note_attempt(row.id, Code::receipt_invalid, why, entry);
}

Status Receipts::quarantine(const MessageRow& row, Code code, const std::string& reason,
                            const std::optional<std::string>& kode) {
    AuditEntry entry = entry_for(AuditKind::quarantined, row);
    entry.with("code", info(code).name).with("reason", reason);
    queue::Quarantine why;
    why.code = code;
    why.reason = reason;
    why.register_kode = kode;
    TPF_TRY(core_.journal.quarantine(row.id, why, entry));
    core_.metrics.add(Count::quarantined, 1, info(code).name);
    log::warning("quarantined", {{"stage", "receipt"},
                                 {"message", row.id},
                                 {"code", info(code).name},
                                 {"error", reason},
                                 {"hint", info(code).remedy}});
    return core_.spool.quarantine(row.id);
}

Result<bool> Receipts::output_intact(const MessageRow& row) const {
    TPF_TRY(const auto file, core_.fs.open_read(core_.spool.folders().outbox / row.id.str() / queue::kMelding));
    Sha256 digest;
    Bytes block(pseudonym::Pass::kPiece);
    while (true) {
        TPF_TRY(const std::size_t size, file->read(block));
        if (size == 0) break;
        digest.update(ByteView(block.data(), size));
    }
    return row.output_sha256 == hex(digest.finish());
}

Status Receipts::remove_payloads(const SpoolId& id) {
    AuditEntry entry(AuditKind::removed, kServiceActor);
    entry.message(id);
    TPF_TRY(core_.journal.payloads_removed(id, entry));
    return core_.spool.remove_payloads(id);
}

Result<std::size_t> Receipts::remove_expired(std::size_t limit) {
    const UtcTime before = core_.clock.utc() - core_.config.now()->reloadable.retention.delivered_days;
    TPF_TRY(const auto ids, core_.journal.removable(before, limit));
    for (const SpoolId& id : ids) {
        Lifecycle::progress();
        const auto held = core_.locks.hold(id);
        // The answer's own worker may have been here since the question.
        TPF_TRY(const auto row, core_.journal.find(id));
        if (row && !row->removed) {
            TPF_TRY(remove_payloads(id));
        }
    }
    return ids.size();
}

Status Receipts::write_answer(const MessageRow& row) {
    std::optional<MessageRow> original;
    if (row.duplicate_of) {
        TPF_TRY(original, core_.journal.find(*row.duplicate_of));
    }
    AuditEntry entry = entry_for(AuditKind::answered, row);
    entry.with("kvittering_to", row.source);
    if (row.source != kUnknownSource) {
        TPF_TRY(const PersonMarks marks, core_.journal.marks(original ? *original : row));
        TPF_TRY(core_.spool.write_kvittering(row.source, row.id, [&](File& file) {
            return queue::write_kvittering(row, original ? &*original : nullptr, marks,
                                           [&](std::string_view piece) { return file.write(as_bytes(piece)); });
        }));
    }
    return core_.journal.answered(row.id, row.revision, entry);
}

Result<Receipts::Answers> Receipts::write_answers(std::size_t at_once) {
    Answers answers;
    std::optional<MessageRow> last;
    while (true) {
        TPF_TRY(auto rows, core_.journal.answers_due(at_once, last ? &*last : nullptr));
        for (const MessageRow& row : rows) {
            Lifecycle::progress();
            const Status written = write_answer(row);
            if (written) {
                ++answers.written;
                continue;
            }
            if (stops(written.error())) return fail(written.error());
            if (++answers.failed > kFailuresLogged) continue;
            log::warning("kvittering could not be written, tried again later",
                         {{"message", row.id}, {"code", written.error().name()}, {"error", written.error().text()}});
        }
        if (rows.size() < at_once) break;
        last = std::move(rows.back());
    }
    if (answers.failed > kFailuresLogged) {
        log::warning("kvitteringer could not be written, tried again later", {{"count", answers.failed}});
    }
    return answers;
}

}  // namespace tpf::daemon
