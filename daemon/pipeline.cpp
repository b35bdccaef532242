#include "daemon/pipeline.h"

#include <unistd.h>

#include "base/encoding.h"
#include "base/log.h"
#include "conf/output_settings.h"
#include "crypto/signature.h"
#include "daemon/message_list.h"
#include "daemon/ring_keys.h"
#include "daemon/users.h"

namespace tpf::daemon {
namespace {

using queue::MessageRow;

AuditEntry entry_for(AuditKind kind, const SpoolId& id) {
    return AuditEntry(kind, kServiceActor).message(id);
}

std::string versions_text(const std::vector<unsigned>& versions) {
    std::string text;
    for (const unsigned version : versions) text += (text.empty() ? "" : " ") + std::to_string(version);
    return text;
}

void count_published(Metrics& metrics, const queue::PassResult& result) {
    const std::string& reg = result.to.str();
    metrics.add(Count::pseudonymised, 1, reg);
    metrics.add(Count::persons, result.persons, reg);
    metrics.add(Count::persons_without, result.marked.count(), reg);
    metrics.add(Count::output_bytes, result.output_size, reg);
}

/// How a message fares that a file's trouble kept: its record no longer fits what lies there.
bool is_record_trouble(const Error& error) {
    return error.code() == Code::record_form || error.code() == Code::record_damaged;
}

}  // namespace

Result<std::string> source_of(const conf::Fixed& fixed, const queue::KildeRecord& record, uid_t owner) {
    if (owner == ::geteuid()) {
        const auto found = fixed.sources.find(record.source);
        const bool drop = found != fixed.sources.end() && found->second.kind == conf::SourceKind::drop;
        if (drop || record.source == kOperatorSource) return record.source;
    }
    for (const auto& [name, source] : fixed.sources) {
        if (source.kind == conf::SourceKind::folder && name == record.source && uid_of(source.user) == owner)
            return name;
    }
    return fail(Code::record_form, "the files' owner is not the source that the record names");
}

queue::Quota quota_of(const conf::Config& config) {
    const conf::Limits& limits = config.reloadable.limits;
    return {limits.inbox_messages_per_sender, limits.quarantine_bytes_per_sender};
}

Result<Pipeline::Outcome> Pipeline::process(const SpoolId& id) {
    const auto held = core_.locks.hold(id);
    TPF_TRY(const auto taken, take(id));
    if (!taken) return core_.spool.look(id) ? Outcome::later : Outcome::done;
    const MessageRow& row = taken->row;
    if (row.state == queue::State::claimed) return go_on(row, taken->entry);
    // An earlier try may have got no further than the journal.
    if (row.state == queue::State::committed) {
        TPF_TRY(core_.spool.publish(id));
    } else if (row.state == queue::State::quarantined || row.state == queue::State::held) {
        TPF_TRY(core_.spool.quarantine(id));
    }
    if (!core_.spool.look(id)) return Outcome::done;
    log::warning("a source used a spool id again: the entry stays in the inbox", {{"message", id}});
    return Outcome::later;
}

/// The message's row; made, and the entry moved to work/, if it is new. Nothing: not now.
Result<std::optional<Pipeline::Taken>> Pipeline::take(const SpoolId& id) {
    auto entry = core_.spool.read_inbox(id);
    auto source = entry ? source_of(core_.config.fixed, entry.value().kilde, entry.value().owner)
                        : Result<std::string>(fail(Code::internal));
    const Path place = core_.spool.folders().inbox_new / id.view();
    const Status movable = core_.fs.may_change(place);
    TPF_TRY(core_.spool.leave_blocked(place, movable));
    if (entry && source && movable) return claim(id, entry.value(), source.value());
    TPF_TRY(auto known, core_.journal.find(id));
    if (known) return take_known(std::move(*known));
    if (!movable) return std::optional<Taken>();
    const Error error = entry ? source.error() : entry.error();
    if (error.disposition() == Disposition::stop && error.code() != Code::not_found) return fail(error);
    if (!is_record_trouble(error)) {
        log::warning("inbox entry cannot be read", {{"message", id}, {"code", error.name()}, {"error", error.text()}});
        return std::optional<Taken>();
    }
    TPF_TRY(claim_damaged(id, error));
    TPF_TRY(known, core_.journal.find(id));
    if (!known) return fail(Code::internal, "a claimed message is not in the journal");
    return Taken{std::move(*known), std::nullopt};
}

Result<std::optional<Pipeline::Taken>> Pipeline::take_known(MessageRow row) {
    if (row.state == queue::State::claimed) {
        TPF_TRY(core_.spool.claim(row.id));
    }
    return Taken{std::move(row), std::nullopt};
}

Result<std::optional<Pipeline::Taken>> Pipeline::claim(const SpoolId& id, const queue::InboxEntry& entry,
                                                       const std::string& source) {
    const queue::KildeRecord& kilde = entry.kilde;
    const queue::Claim claim{id,
                             source,
                             kilde.sender,
                             kilde.received,
                             kilde.size,
                             kilde.sha256,
                             conf::pinned_json(*core_.config.now()),
                             quota_of(*core_.config.now())};
    AuditEntry audit = entry_for(AuditKind::received, id);
    audit.with("source", claim.source).with("bytes", claim.size).with("kilde_sha256", kilde.sha256);
    if (kilde.sender) audit.with("sender", kilde.sender->str());
    if (!kilde.operator_name.empty()) audit.with("operator", kilde.operator_name).with("reason", kilde.reason);
    auto claimed = core_.journal.claim(claim, audit);
    if (!claimed) {
        if (claimed.error().code() != Code::quota) return fail(claimed.error());
        core_.metrics.add(Count::quota_refusals);
        if (claim.sender) core_.metrics.over_quota(*claim.sender, core_.clock.utc());
        log::warning("stays in the inbox",
                     {{"message", id}, {"code", claimed.error().name()}, {"error", claimed.error().text()}});
        return std::optional<Taken>();
    }
    if (!claimed.value().is_new) return take_known(std::move(claimed.value().row));
    TPF_TRY(core_.spool.claim(id));
    core_.metrics.add(Count::received);
    core_.metrics.add(Count::received_bytes, claim.size);
    core_.metrics.observe(Measure::message_bytes, static_cast<double>(claim.size));
    log::info("received", {{"stage", "claim"},
                           {"message", id},
                           {"source", claim.source},
                           {"sender", kilde.sender ? kilde.sender->str() : "-"},
                           {"bytes", claim.size}});
    return Taken{std::move(claimed.value().row), entry};
}

/// An entry whose record is worth nothing is claimed too, under what can be seen of it, and goes to quarantine.
Status Pipeline::claim_damaged(const SpoolId& id, const Error& why) {
    TPF_TRY(const FileInfo look, core_.spool.look(id));
    const queue::Claim claim{
        id, kUnknownSource, std::nullopt, core_.clock.utc(), look.size, {}, conf::pinned_json(*core_.config.now())};
    AuditEntry received = entry_for(AuditKind::received, id);
    received.with("source", kUnknownSource)
        .with("owner_uid", static_cast<std::uint64_t>(look.owner))
        .with("bytes", look.size);
    TPF_TRY(const auto outcome, core_.journal.claim(claim, received));
    static_cast<void>(outcome);
    MessageRow row(id);
    return quarantine(row, why, nullptr);
}

/// `taken`: what was read when the entry was claimed just now.
Result<Pipeline::Outcome> Pipeline::go_on(const MessageRow& row, const std::optional<queue::InboxEntry>& taken) {
    auto entry = taken ? Result<queue::InboxEntry>(*taken) : core_.spool.read_work(row.id);
    if (!entry) return failed(row, entry.error(), nullptr);
    const std::string& digest = entry.value().kilde.sha256;
    if ((!row.kilde_sha256.empty() && row.kilde_sha256 != digest) || row.input_sha256.value_or(digest) != digest) {
        return failed(row, Error(Code::record_damaged, "the submission was exchanged after its claim"), nullptr);
    }
    TPF_TRY(const auto settings, pinned_settings(row.settings));
    auto input = core_.spool.open_input(row.id);
    if (!input) return failed(row, input.error(), nullptr);
    const auto answered = answer_known_bytes(row, pass_limits(settings->limits), digest, *input.value());
    if (!answered) return failed(row, answered.error(), nullptr);
    if (answered.value()) return Outcome::done;
    if (const Status back = input.value()->seek(0); !back) return failed(row, back.error(), nullptr);
    return pass(row, entry.value(), *settings, *input.value());
}

/// The settings of a message: those of the one before, nearly always.
Result<std::shared_ptr<const conf::OutputSettings>> Pipeline::pinned_settings(const std::string& digest) {
    {
        const std::lock_guard lock(settings_mutex_);
        if (settings_ && settings_digest_ == digest) return settings_;
    }
    TPF_TRY(const std::string pinned, core_.journal.settings(digest));
    TPF_TRY(conf::OutputSettings settings, conf::parse_pinned(pinned));
    const std::lock_guard lock(settings_mutex_);
    settings_ = std::make_shared<const conf::OutputSettings>(std::move(settings));
    settings_digest_ = digest;
    return settings_;
}

/// A clear header that names a known MeldingsId: if the bytes are known as well, the journal has the answer.
Result<bool> Pipeline::answer_known_bytes(const MessageRow& row, const pseudonym::PassLimits& limits,
                                          const std::string& expected_sha256, File& file) {
    pseudonym::HeaderPeek peek(limits);
    Bytes block(16 * 1024);
    while (!peek.header()) {
        TPF_TRY(const std::size_t size, file.read(block));
        // What is wrong with it is the pass's to say.
        if (size == 0 || !peek.feed({block.data(), size})) return false;
    }
    TPF_TRY(const bool known, core_.journal.knows_meldings_id(peek.header()->meldings_id));
    if (!known) return false;
    TPF_TRY(file.seek(0));
    Sha256 digest;
    block.resize(pseudonym::Pass::kPiece);
    while (true) {
        TPF_TRY(const std::size_t size, file.read(block));
        if (size == 0) break;
        Lifecycle::progress();
        digest.update(ByteView(block.data(), size));
    }
    const std::string sha256 = hex(digest.finish());
    if (sha256 != expected_sha256)
        return fail(Code::record_damaged, "innsending.xml does not have the digest of its record");
    TPF_TRY(const auto original, core_.journal.find_by_input_digest(sha256, row.sender));
    if (!original || original->id == row.id) return false;
    AuditEntry audit = entry_for(AuditKind::duplicate, row.id);
    audit.with("input_sha256", sha256);
    TPF_TRY(core_.journal.mark_duplicate(row.id, original->id, sha256, audit));
    TPF_TRY(core_.spool.remove_payloads(row.id));
    core_.metrics.add(Count::duplicates);
    log::info("same bytes as before: answered from the journal",
              {{"stage", "duplicate"}, {"message", row.id}, {"of", original->id}});
    return true;
}

Result<Pipeline::Outcome> Pipeline::pass(const MessageRow& row, const queue::InboxEntry& entry,
                                         const conf::OutputSettings& settings, File& input) {
    const RingKeys keys(core_.keys, settings);
    auto output = core_.spool.begin_output(row.id);
    if (!output) return failed(row, output.error(), nullptr);
    pseudonym::PassOptions options;
    options.limits = pass_limits(settings.limits);
    options.sender_authenticated = row.sender.has_value();
    MessageList list(row.id, output.value(), core_.config);
    options.pseudonyms = &list;
    const auto begun = core_.clock.steady();
    PassRun run = run_pass(keys, options, {input, entry.size, &output.value().body()}, core_.lifecycle);
    core_.metrics.observe(Measure::pass_seconds, std::chrono::duration<double>(core_.clock.steady() - begun).count());
    TPF_TRY(
        note_failure(core_.keys, core_.journal, run, AuditEntry(AuditKind::key_event, kServiceActor).message(row.id)));
    const bool read_all = run.report.has_value() || run.report.error().disposition() == Disposition::quarantine;
    if (read_all && hex(run.input_digest) != entry.kilde.sha256) {
        return failed(row, Error(Code::record_damaged, "innsending.xml does not have the digest of its record"), &run);
    }
    if (!run.report) return failed(row, run.report.error(), &run);
    const Avsender& sender = run.report.value().header.avsender;
    if (!row.sender || *row.sender != sender) {
        return failed(row, Error(Code::sender_differs, "the authenticated sender is not the one in Hode"), &run);
    }
    const auto listed = list.end();
    if (!listed) return failed(row, listed.error(), &run);
    return commit(row, run, listed.value(), std::move(output).value());
}

Result<std::string> Pipeline::sign(const MessageName& name, const RegisterName& reg, const std::string& sha256) const {
    TPF_TRY(const crypto::SigningKey key, core_.keys.signing_key());
    return base64(key.sign(crypto::signed_text({"tpf-melding-v1", reg.str(), name.str(), sha256})));
}

/// `list_sha256`: of the message's list in the pseudonym log; empty: there is none.
Result<Pipeline::Outcome> Pipeline::commit(const MessageRow& row, const PassRun& run, const std::string& list_sha256,
                                           queue::OutputWriter output) {
    const pseudonym::PassReport& report = run.report.value();
    const MessageName name{report.header.avsender, report.header.meldings_id};
    const std::string output_sha256 = hex(run.output_digest);
    const auto signature = sign(name, report.header.reg, output_sha256);
    if (!signature) return failed(row, signature.error(), &run);
    const queue::PostRecord post{row.id, name, report.header.reg, run.output_bytes, output_sha256, signature.value()};
    if (const Status sealed = output.seal(post); !sealed) return failed(row, sealed.error(), &run);

    const queue::PassResult result{name,
                                   report.header.reg,
                                   std::string(pseudonym::to_string(report.header.meldingstype)),
                                   format_utc(report.created),
                                   format_date(report.period_from),
                                   format_date(report.period_to),
                                   report.persons,
                                   report.marked,
                                   hex(run.input_digest),
                                   output_sha256,
                                   run.output_bytes,
                                   signature.value()};
    AuditEntry committed = entry_for(AuditKind::pseudonymised, row.id);
    committed.with("name", name.str())
        .with("register", report.header.reg.str())
        .with("pseudonym_versions", versions_text(report.key_versions))
        .with("message_key", run.key_id->str())
        .with("persons", report.persons)
        .with("marked_e30", report.marked.count(PersonMarks::Kode::e30))
        .with("marked_e31", report.marked.count(PersonMarks::Kode::e31))
        .with("input_sha256", result.input_sha256)
        .with("output_sha256", output_sha256)
        .with("output_bytes", run.output_bytes);
    committed.with(list_sha256.empty() ? "pseudonyms" : "pseudonyms_sha256",
                   list_sha256.empty() ? "not recorded" : list_sha256);
    AuditEntry duplicate = entry_for(AuditKind::duplicate, row.id);
    duplicate.with("name", name.str()).with("input_sha256", result.input_sha256);
    AuditEntry held = entry_for(AuditKind::held, row.id);
    held.with("sender", name.avsender.str()).with("persons", report.persons);
    const std::uint64_t limit = core_.config.now()->reloadable.limits.persons_per_day;
    auto outcome = core_.journal.commit_pass(row.id, result, limit == 0 ? std::nullopt : std::optional(limit),
                                             {std::move(committed), std::move(duplicate), std::move(held)});
    if (!outcome) return failed(row, outcome.error(), &run);
    return settle(row, result, outcome.value(), run);
}

/// Carries out in the spool what the journal has committed.
Result<Pipeline::Outcome> Pipeline::settle(const MessageRow& row, const queue::PassResult& result,
                                           const queue::PassOutcome& outcome, const PassRun& run) {
    switch (outcome.kind) {
        case queue::PassOutcome::Kind::committed: {
            // Before the message goes out: the checkpoint that travels with it then covers its own entry.
            TPF_TRY(core_.witnesses.offer(result.to));
            TPF_TRY(core_.spool.publish(row.id));
            count_published(core_.metrics, result);
            log::info("pseudonymised", {{"stage", "commit"},
                                        {"message", row.id},
                                        {"sender", result.name.avsender.str()},
                                        {"register", result.to.str()},
                                        {"persons", result.persons},
                                        {"bytes", result.output_size}});
            return Outcome::published;
        }
        case queue::PassOutcome::Kind::duplicate: {
            TPF_TRY(core_.spool.drop_output(row.id));
            TPF_TRY(core_.spool.remove_payloads(row.id));
            core_.metrics.add(Count::duplicates);
            log::info("same message as before: answered from the journal",
                      {{"stage", "duplicate"}, {"message", row.id}});
            return Outcome::done;
        }
        case queue::PassOutcome::Kind::held: {
            TPF_TRY(core_.spool.quarantine(row.id));
            core_.metrics.add(Count::held);
            log::warning("held: the sender is over its persons per day",
                         {{"stage", "hold"}, {"message", row.id}, {"sender", result.name.avsender.str()}});
            return Outcome::done;
        }
        case queue::PassOutcome::Kind::conflict: {
            TPF_TRY(core_.spool.drop_output(row.id));
            return failed(row, Error(Code::id_reused, "the name belongs to message " + outcome.other->str()), &run);
        }
    }
    return fail(Code::internal, "an outcome that does not exist");
}

Result<Pipeline::Outcome> Pipeline::failed(const MessageRow& row, const Error& error, const PassRun* run) {
    switch (error.disposition()) {
        case Disposition::stop:
            return fail(error);
        case Disposition::quarantine: {
            TPF_TRY(quarantine(row, error, run));
            return Outcome::done;
        }
        case Disposition::retry:
            break;
    }
    if (error.code() == Code::unavailable) return Outcome::later;
    AuditEntry audit = entry_for(AuditKind::claimed, row.id);
    audit.with("waits_for", error.name());
    const Status noted = core_.journal.note_attempt(row.id, error.code(), error.detail(), audit);
    // With a full disk not even that can be written; the message waits all the same.
    if (!noted && noted.error().disposition() == Disposition::stop) return fail(noted.error());
    core_.metrics.add(Count::waits, 1, error.name());
    log::warning("waits", {{"stage", "pass"},
                           {"message", row.id},
                           {"code", error.name()},
                           {"error", error.text()},
                           {"hint", error.hint()}});
    return Outcome::later;
}

Status Pipeline::quarantine(const MessageRow& row, const Error& error, const PassRun* run) {
    queue::Quarantine why;
    why.code = error.code();
    why.reason = error.detail().empty() ? std::string(info(error.code()).cause) : error.detail();
    AuditEntry audit = entry_for(AuditKind::quarantined, row.id);
    audit.with("code", error.name()).with("reason", why.reason);
    if (run != nullptr) {
        why.input_sha256 = hex(run->input_digest);
        audit.with("input_sha256", *why.input_sha256);
        if (run->authentic && run->clear_header && error.code() != Code::header_differs) {
            why.name = MessageName{run->clear_header->avsender, run->clear_header->meldings_id};
            why.to = run->clear_header->reg;
            audit.with("name", why.name->str());
        }
        if (error.code() == Code::invalid_number) why.marked = run->marked;
    }
    TPF_TRY(core_.journal.quarantine(row.id, why, audit));
    TPF_TRY(core_.spool.quarantine(row.id));
    core_.metrics.add(Count::quarantined, 1, error.name());
    log::warning("quarantined", {{"stage", "quarantine"},
                                 {"message", row.id},
                                 {"code", error.name()},
                                 {"error", why.reason},
                                 {"hint", error.hint()}});
    return ok();
}

}  // namespace tpf::daemon
