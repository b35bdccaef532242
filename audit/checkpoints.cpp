#include "audit/checkpoints.h"

#include "base/types.h"

namespace tpf::audit {
namespace {

constexpr std::string_view kSchema = R"sql(
CREATE TABLE IF NOT EXISTS audit_checkpoints(witness TEXT NOT NULL, size INTEGER NOT NULL, day INTEGER NOT NULL,
  note TEXT NOT NULL, PRIMARY KEY(witness, size)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS audit_origins ON audit(seq) WHERE kind = 'log-origin';
)sql";
constexpr std::string_view kSelect = "SELECT witness, note FROM audit_checkpoints ";
constexpr std::string_view kOwn = "";  // not a null one: SQLite would bind NULL
constexpr std::int64_t kDay = 24 * 60 * 60;

Result<KeptNote> read_note(const sqlite::Statement& statement) {
    KeptNote kept{{}, statement.text(0), statement.text(1)};
    TPF_TRY(const SignedNote note, SignedNote::parse(kept.note));
    TPF_TRY(const Checkpoint checkpoint, Checkpoint::parse(note.text));
    kept.head = checkpoint.head;
    return kept;
}

/// As damage of the journal.
Result<std::vector<KeptNote>> read_notes(sqlite::Statement statement) {
    std::vector<KeptNote> notes;
    while (true) {
        TPF_TRY(const bool more, statement.step());
        if (!more) return notes;
        auto kept = read_note(statement);
        if (!kept)
            return fail(Code::journal, "a kept checkpoint of the audit log is damaged: " + kept.error().detail());
        notes.push_back(std::move(kept).value());
    }
}

Result<std::optional<KeptNote>> first_of(Result<std::vector<KeptNote>> notes) {
    if (!notes) return fail(notes.error());
    if (notes.value().empty()) return std::optional<KeptNote>();
    return std::optional(std::move(notes.value().front()));
}

/// The newest takes the place of the one before on the same day.
Status keep(sqlite::Database& db, std::string_view witness, std::uint64_t size, std::string_view note, UtcTime now) {
    const std::int64_t day = now.time_since_epoch().count() / kDay;
    const auto number = static_cast<std::int64_t>(size);
    TPF_TRY(auto old, db.prepare("DELETE FROM audit_checkpoints WHERE witness=?1 AND day=?2 AND size<=?3 AND "
                                 "size=(SELECT max(size) FROM audit_checkpoints WHERE witness=?1)"));
    TPF_TRY(old.bind(1, witness).bind(2, day).bind(3, number).run());
    TPF_TRY(auto fresh, db.prepare("INSERT OR REPLACE INTO audit_checkpoints(witness, size, day, note) "
                                   "VALUES(?1, ?2, ?3, ?4)"));
    return fresh.bind(1, witness).bind(2, number).bind(3, day).bind(4, note).run();
}

}  // namespace

Status prepare_checkpoints(sqlite::Database& db) {
    return db.execute(kSchema);
}

std::string new_origin(std::string_view installation) {
    return std::string(installation) + "/tpf/" + SpoolId::random().str();
}

AuditEntry origin_entry(const std::string& actor, const std::string& origin) {
    return AuditEntry(AuditKind::log_origin, actor).with("origin", origin);
}

Result<std::optional<std::string>> log_origin(sqlite::Database& db) {
    TPF_TRY(auto statement, db.prepare("SELECT json_extract(fields, '$.origin') FROM audit WHERE kind='log-origin' "
                                       "ORDER BY seq DESC LIMIT 1"));
    TPF_TRY(const bool found, statement.step());
    return found ? statement.text_or_null(0) : std::nullopt;
}

Status make_checkpoint(sqlite::Database& db, AuditSink& log, const NoteSigner& signer, UtcTime now) {
    TPF_TRY(const auto origin, log_origin(db));
    TPF_TRY(const std::uint64_t size, log.size(db));
    if (!origin || size == 0) return ok();
    TPF_TRY(const TreeHead head, log.head(db, size));
    SignedNote note;
    TPF_TRY(note.text, Checkpoint{*origin, head}.str());
    TPF_TRY(auto line, sign_note(note.text, *origin, signer));
    note.signatures.push_back(std::move(line));
    TPF_TRY(const std::string text, note.str());
    return keep(db, kOwn, size, text, now);
}

Status keep_witnessed(sqlite::Database& db, const WitnessedNote& note, UtcTime now) {
    if (note.witness.empty()) return fail(Code::internal, "a cosignature of nobody");
    return keep(db, note.witness, note.size, note.note, now);
}

Result<std::optional<KeptNote>> newest_note(sqlite::Database& db, std::string_view witness) {
    TPF_TRY(auto statement, db.prepare(std::string(kSelect) + "WHERE witness=?1 ORDER BY size DESC LIMIT 1"));
    statement.bind(1, witness);
    return first_of(read_notes(std::move(statement)));
}

Result<std::optional<KeptNote>> newest_witnessed(sqlite::Database& db) {
    TPF_TRY(auto statement, db.prepare(std::string(kSelect) + "WHERE witness<>'' ORDER BY size DESC LIMIT 1"));
    return first_of(read_notes(std::move(statement)));
}

Result<std::vector<KeptNote>> kept_notes(sqlite::Database& db) {
    TPF_TRY(auto statement, db.prepare(std::string(kSelect) + "ORDER BY witness, size"));
    return read_notes(std::move(statement));
}

}  // namespace tpf::audit
