#include "queue/journal.h"

#include <limits>

#include "base/encoding.h"
#include "base/sha256.h"
#include "queue/journal_writer.h"
#include "queue/records.h"
#include "queue/row_store.h"

namespace tpf::queue {
namespace {

using Entry = std::optional<AuditEntry>;
using Answer = Result<Entry>;

Entry logged(const AuditEntry& entry, const SpoolId& id) {
    AuditEntry copy = entry;
    copy.message(id);
    return copy;
}

Error illegal(const MessageRow& row, State to, Code code) {
    return Error(code, "message " + row.id.str() + " is " + std::string(to_string(row.state)) + " and cannot become " +
                           std::string(to_string(to)));
}

/// The row, its state set to `to`; Code `otherwise` when the state machine has no such step.
Result<MessageRow> step(sqlite::Database& db, const SpoolId& id, State to, Code otherwise) {
    TPF_TRY(MessageRow row, store::must_load(db, id));
    if (!may_become(row.state, to)) return fail(illegal(row, to, otherwise));
    row.state = to;
    row.attempts = 0;
    row.attempt_code.reset();
    row.attempt_reason.clear();
    row.attempt_since.reset();
    return row;
}

/// The answer to a message is the answer to its duplicates too.
Status duplicates_due(sqlite::Database& db, const SpoolId& id) {
    static const std::string text = store::select_rows() + "WHERE duplicate_of=?1";
    TPF_TRY(auto statement, db.prepare(text));
    statement.bind(1, id.view());
    TPF_TRY(auto rows, store::read_rows(statement));
    for (MessageRow& row : rows) {
        row.answer_due = true;
        TPF_TRY(store::update(db, row, row.state));
    }
    return ok();
}

Result<std::string> pin_settings(sqlite::Database& db, std::string_view json) {
    std::string digest = hex(sha256(json));
    TPF_TRY(auto statement, db.prepare("INSERT INTO settings(digest, json) VALUES(?1, ?2) ON CONFLICT DO NOTHING"));
    TPF_TRY(statement.bind(1, digest).bind(2, json).run());
    return digest;
}

struct KnownName {
    SpoolId id;
    std::string input_sha256;
};

Result<std::optional<KnownName>> find_name(sqlite::Database& db, const MessageName& name) {
    TPF_TRY(auto statement,
            db.prepare("SELECT spool_id, input_sha256 FROM names WHERE avsender=?1 AND meldings_id=?2"));
    statement.bind(1, name.avsender.str()).bind(2, name.meldings_id.view());
    TPF_TRY(const bool found, statement.step());
    if (!found) return std::optional<KnownName>();
    const auto id = SpoolId::parse(statement.text(0));
    if (!id) return fail(Code::journal, "a row of names holds no spool id");
    KnownName known{id.value(), statement.text(1)};
    TPF_TRY(const auto row, store::load(db, known.id));
    if (!row || row->name != name || row->input_sha256 != known.input_sha256) {
        return fail(Code::journal, "a row of names does not match its message");
    }
    return std::optional<KnownName>(std::move(known));
}

Status record_name(sqlite::Database& db, const MessageRow& row) {
    TPF_TRY(auto statement, db.prepare("INSERT INTO names(avsender, meldings_id, spool_id, input_sha256) "
                                       "VALUES(?1, ?2, ?3, ?4)"));
    statement.bind(1, row.name->avsender.str()).bind(2, row.name->meldings_id.view());
    return statement.bind(3, row.id.view()).bind(4, *row.input_sha256).run();
}

Result<std::uint64_t> persons_of_day(sqlite::Database& db, const Avsender& sender, std::chrono::sys_days day) {
    TPF_TRY(auto statement, db.prepare("SELECT persons FROM persons_day WHERE avsender=?1 AND day=?2"));
    statement.bind(1, sender.str()).bind(2, format_date(day));
    TPF_TRY(const bool found, statement.step());
    return found ? static_cast<std::uint64_t>(statement.number(0)) : 0;
}

Status add_persons(sqlite::Database& db, const Avsender& sender, std::chrono::sys_days day, std::uint64_t persons) {
    TPF_TRY(auto statement, db.prepare("INSERT INTO persons_day(avsender, day, persons) VALUES(?1, ?2, ?3) "
                                       "ON CONFLICT DO UPDATE SET persons = persons + excluded.persons"));
    statement.bind(1, sender.str()).bind(2, format_date(day));
    return statement.bind(3, static_cast<std::int64_t>(persons)).run();
}

/// Kept beside the row, under their digest: a row stays small however many are marked.
Status keep_marks(sqlite::Database& db, MessageRow& row, const PersonMarks& marks) {
    row.marked = marks.count();
    row.marked_sha256.clear();
    if (marks.empty()) return ok();
    row.marked_sha256 = hex(sha256(as_text(marks.bytes())));
    TPF_TRY(auto statement, db.prepare("INSERT INTO marks(sha256, base64) VALUES(?1, ?2) ON CONFLICT DO NOTHING"));
    return statement.bind(1, row.marked_sha256).bind(2, base64(marks.bytes())).run();
}

Status take_header(sqlite::Database& db, MessageRow& row, const PassResult& result) {
    row.name = result.name;
    row.to = result.to;
    row.meldingstype = result.meldingstype;
    row.opprettet = result.opprettet;
    row.periode_fra = result.periode_fra;
    row.periode_til = result.periode_til;
    row.persons = result.persons;
    row.input_sha256 = result.input_sha256;
    return keep_marks(db, row, result.marked);
}

Status check_result(const PassResult& result) {
    constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();  // what a column holds
    if (result.persons > kMost || result.output_size > kMost) return fail(Code::internal, "a count is too large");
    if (!is_sha256_hex(result.input_sha256) || !is_sha256_hex(result.output_sha256)) {
        return fail(Code::internal, "a digest is not 64 hex digits");
    }
    return ok();
}

/// One commit_pass, inside its transaction.
class PassCommit {
  public:
    PassCommit(sqlite::Database& db, UtcTime now, const PassResult& result, const PassEntries& entries)
        : db_(db), now_(now), result_(result), entries_(entries) {}

    Answer run(const SpoolId& id, std::optional<std::uint64_t> limit, PassOutcome& outcome) {
        TPF_TRY(MessageRow row, step(db_, id, State::committed, Code::internal));
        if (row.output_sha256 && *row.output_sha256 != result_.output_sha256) {
            return fail(Code::internal, "a pass made other bytes than those committed before");
        }
        TPF_TRY(const auto known, find_name(db_, result_.name));
        if (known && known->input_sha256 != result_.input_sha256) {
            outcome = {PassOutcome::Kind::conflict, known->id};
            return Entry();
        }
        if (known && known->id != id) return duplicate(row, known->id, outcome);
        if (known) return commit(row, outcome);
        return first_time(row, limit, outcome);
    }

  private:
    Answer duplicate(MessageRow& row, const SpoolId& other, PassOutcome& outcome) {
        row.state = State::duplicate;
        row.duplicate_of = other;
        row.removed = now_;
        row.answer_due = true;
        TPF_TRY(take_header(db_, row, result_));
        TPF_TRY(store::update(db_, row, State::claimed));
        outcome = {PassOutcome::Kind::duplicate, other};
        AuditEntry entry = entries_.duplicate;
        return Entry(entry.message(row.id).with("of", other.view()));
    }

    Answer first_time(MessageRow& row, std::optional<std::uint64_t> limit, PassOutcome& outcome) {
        const auto day = norwegian_date(now_);
        TPF_TRY(const std::uint64_t today, persons_of_day(db_, result_.name.avsender, day));
        const bool over = limit && (today > *limit || result_.persons > *limit - today);
        if (over && !row.released) return hold(row, today, *limit, outcome);
        TPF_TRY(take_header(db_, row, result_));
        TPF_TRY(record_name(db_, row));
        TPF_TRY(add_persons(db_, result_.name.avsender, day, result_.persons));
        return commit(row, outcome);
    }

    Answer hold(MessageRow& row, std::uint64_t today, std::uint64_t limit, PassOutcome& outcome) {
        TPF_TRY(take_header(db_, row, result_));
        row.state = State::held;
        row.code = Code::on_hold;
        row.reason = "persons per day: " + std::to_string(today) + " before this message, " +
                     std::to_string(result_.persons) + " in it, limit " + std::to_string(limit);
        row.quarantined = now_;
        row.answer_due = true;
        TPF_TRY(store::update(db_, row, State::claimed));
        outcome = {PassOutcome::Kind::held, std::nullopt};
        AuditEntry entry = entries_.held;
        return Entry(entry.message(row.id).with("persons_today", today).with("limit", limit));
    }

    Answer commit(MessageRow& row, PassOutcome& outcome) {
        TPF_TRY(take_header(db_, row, result_));
        row.output_sha256 = result_.output_sha256;
        row.output_size = result_.output_size;
        row.signature = result_.signature;
        row.committed = now_;
        row.code.reset();
        row.reason.clear();
        TPF_TRY(store::update(db_, row, State::claimed));
        outcome = {PassOutcome::Kind::committed, std::nullopt};
        return logged(entries_.committed, row.id);
    }

    sqlite::Database& db_;
    UtcTime now_;
    const PassResult& result_;
    const PassEntries& entries_;
};

}  // namespace

Journal::Journal(std::unique_ptr<Writer> writer) : writer_(std::move(writer)) {}
Journal::~Journal() = default;

Result<std::unique_ptr<Journal>> Journal::open(const Path& path, AuditSink& audit, const Clock& clock,
                                               std::unique_ptr<JournalCopy> copy) {
    TPF_TRY(auto db, sqlite::Database::open(path));
    {
        TPF_TRY(auto transaction, sqlite::Transaction::begin(db));
        TPF_TRY(store::prepare(db));
        TPF_TRY(audit.prepare(db));
        TPF_TRY(transaction.commit());
    }
    if (copy) {
        TPF_TRY(copy->open(db));
    }
    return std::unique_ptr<Journal>(
        new Journal(std::make_unique<Writer>(std::move(db), audit, clock, std::move(copy))));
}

Status Journal::record(const AuditEntry& entry) {
    return writer_->change([&](sqlite::Database&, UtcTime) -> Answer { return Entry(entry); });
}

/// Is there room for one more of this sender's?
static Status sender_quota(sqlite::Database& db, const Quota& quota, const std::optional<Avsender>& sender) {
    TPF_TRY(const Usage quarantined, store::usage(db, State::quarantined, sender));
    if (quarantined.bytes > quota.quarantine_bytes) {
        return fail(Code::quota, "the sender's quarantine is over [limits] quarantine_bytes_per_sender");
    }
    TPF_TRY(const Usage waiting, store::usage(db, State::claimed, sender));
    if (waiting.messages >= quota.waiting_messages) {
        return fail(Code::quota, "as many of the sender's messages wait as [limits] inbox_messages_per_sender allows");
    }
    return ok();
}

Result<Claimed> Journal::claim(const Claim& claim, const AuditEntry& entry) {
    if (!is_source_name(claim.source)) return fail(Code::internal, "not a source's name");
    Claimed claimed{true, MessageRow(claim.id)};
    TPF_TRY(writer_->change([&](sqlite::Database& db, UtcTime now) -> Answer {
        TPF_TRY(auto known, store::load(db, claim.id));
        if (known) {
            claimed = {false, std::move(*known)};
            return Entry();
        }
        if (claim.quota) {
            TPF_TRY(sender_quota(db, *claim.quota, claim.sender));
        }
        MessageRow& row = claimed.row;
        row.source = claim.source;
        row.sender = claim.sender;
        row.received = claim.received;
        row.size = claim.size;
        row.claimed = now;
        row.kilde_sha256 = claim.kilde_sha256;
        TPF_TRY(row.settings, pin_settings(db, claim.settings));
        TPF_TRY(store::insert(db, row));
        return logged(entry, claim.id);
    }));
    return claimed;
}

Status Journal::check_quota(const Quota& quota, const std::optional<Avsender>& sender) {
    return writer_->ask([&](sqlite::Database& db) { return sender_quota(db, quota, sender); });
}

Result<PassOutcome> Journal::commit_pass(const SpoolId& id, const PassResult& result,
                                         std::optional<std::uint64_t> persons_per_day, const PassEntries& entries) {
    TPF_TRY(check_result(result));
    PassOutcome outcome;
    TPF_TRY(writer_->change([&](sqlite::Database& db, UtcTime now) {
        return PassCommit(db, now, result, entries).run(id, persons_per_day, outcome);
    }));
    return outcome;
}

Status Journal::mark_duplicate(const SpoolId& id, const SpoolId& other, std::string_view input_sha256,
                               const AuditEntry& entry) {
    return writer_->change([&](sqlite::Database& db, UtcTime now) -> Answer {
        TPF_TRY(MessageRow row, step(db, id, State::duplicate, Code::internal));
        TPF_TRY(const MessageRow original, store::must_load(db, other));
        if (other == id || original.state == State::duplicate || original.input_sha256 != input_sha256 ||
            original.sender != row.sender) {
            return fail(Code::internal, "not a duplicate of that message");
        }
        row.input_sha256 = std::string(input_sha256);
        row.duplicate_of = other;
        row.removed = now;
        row.answer_due = true;
        TPF_TRY(store::update(db, row, State::claimed));
        AuditEntry copy = entry;
        return Entry(copy.message(id).with("of", other.view()));
    });
}

Status Journal::quarantine(const SpoolId& id, const Quarantine& why, const AuditEntry& entry) {
    return writer_->change([&](sqlite::Database& db, UtcTime now) -> Answer {
        TPF_TRY(const MessageRow old, store::must_load(db, id));
        TPF_TRY(MessageRow row, step(db, id, State::quarantined, Code::internal));
        row.code = why.code;
        row.reason = why.reason;
        row.quarantined = now;
        row.register_kode = why.register_kode;
        row.answer_due = true;
        if (!row.name) row.name = why.name;
        if (!row.to) row.to = why.to;
        if (!why.marked.empty()) {
            TPF_TRY(keep_marks(db, row, why.marked));
        }
        // Bytes that are not those handed over must never answer for them.
        if (!row.input_sha256 && why.code != Code::record_damaged) row.input_sha256 = why.input_sha256;
        TPF_TRY(store::update(db, row, old.state));
        TPF_TRY(duplicates_due(db, id));
        return logged(entry, id);
    });
}

Status Journal::retry(const SpoolId& id, std::string_view settings, const AuditEntry& entry) {
    return writer_->change([&](sqlite::Database& db, UtcTime now) -> Answer {
        TPF_TRY(const MessageRow old, store::must_load(db, id));
        TPF_TRY(MessageRow row, step(db, id, State::claimed, Code::usage));
        row.released = row.released || old.state == State::held;
        row.claimed = now;
        if (!row.committed) {
            TPF_TRY(row.settings, pin_settings(db, settings));
        }
        TPF_TRY(store::update(db, row, old.state));
        return logged(entry, id);
    });
}

Status Journal::discard(const SpoolId& id, const AuditEntry& entry) {
    return writer_->change([&](sqlite::Database& db, UtcTime now) -> Answer {
        TPF_TRY(const MessageRow old, store::must_load(db, id));
        TPF_TRY(MessageRow row, step(db, id, State::discarded, Code::usage));
        row.removed = now;
        row.answer_due = true;
        TPF_TRY(store::update(db, row, old.state));
        TPF_TRY(duplicates_due(db, id));
        return logged(entry, id);
    });
}

Status Journal::delivered(const SpoolId& id, const RegisterReceipt& receipt, const AuditEntry& entry) {
    if (!is_token(receipt.kvittering)) return fail(Code::internal, "a register's kvittering of a wrong form");
    return writer_->change([&](sqlite::Database& db, UtcTime now) -> Answer {
        TPF_TRY(MessageRow row, step(db, id, State::delivered, Code::internal));
        row.register_kvittering = receipt.kvittering;
        row.register_mottatt = receipt.mottatt;
        row.delivered = now;
        row.answer_due = true;
        TPF_TRY(store::update(db, row, State::committed));
        TPF_TRY(duplicates_due(db, id));
        return logged(entry, id);
    });
}

Status Journal::payloads_removed(const SpoolId& id, const AuditEntry& entry) {
    return writer_->change([&](sqlite::Database& db, UtcTime now) -> Answer {
        TPF_TRY(MessageRow row, store::must_load(db, id));
        if (row.state != State::delivered || row.removed) {
            return fail(Code::internal, "payloads of " + id.str() + " are not there to be removed");
        }
        row.removed = now;
        TPF_TRY(store::update(db, row, row.state));
        return logged(entry, id);
    });
}

Status Journal::note_attempt(const SpoolId& id, Code code, std::string_view reason, const AuditEntry& entry) {
    return writer_->change([&](sqlite::Database& db, UtcTime now) -> Answer {
        TPF_TRY(MessageRow row, store::must_load(db, id));
        if (row.state != State::claimed && row.state != State::committed) {
            return fail(Code::internal, "message " + id.str() + " waits for nothing");
        }
        if (row.attempt_code == code && row.attempt_reason == reason) return Entry();
        ++row.attempts;
        row.attempt_code = code;
        row.attempt_reason = reason;
        row.attempt_since = now;
        TPF_TRY(store::update(db, row, row.state));
        return logged(entry, id);
    });
}

Status Journal::answered(const SpoolId& id, std::uint64_t revision, const AuditEntry& entry) {
    return writer_->change([&](sqlite::Database& db, UtcTime) -> Answer {
        TPF_TRY(MessageRow row, store::must_load(db, id));
        if (!row.answer_due || row.revision != revision) return Entry();
        row.answer_due = false;
        TPF_TRY(store::update(db, row, row.state));
        return logged(entry, id);
    });
}

Status Journal::ask(const std::function<Status(sqlite::Database&)>& question) {
    return writer_->ask(question, true);
}

Status Journal::seal() {
    return writer_->seal();
}

Journal::Statistics Journal::statistics() const {
    return writer_->statistics();
}

CopyState Journal::copy_state() const {
    return writer_->copy_state();
}

}  // namespace tpf::queue
