#include "audit/checkpoints.h"

#include "base/encoding.h"
#include "base/types.h"

namespace tpf::audit {
namespace {

constexpr std::string_view kSchema = R"sql(
CREATE TABLE IF NOT EXISTS audit_checkpoints(witness TEXT NOT NULL, origin TEXT NOT NULL, day INTEGER NOT NULL,
  size INTEGER NOT NULL, note TEXT NOT NULL, PRIMARY KEY(witness, origin, day)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS audit_checkpoint_sizes ON audit_checkpoints(witness, origin, size);
CREATE INDEX IF NOT EXISTS audit_origins ON audit(seq) WHERE kind = 'log-origin';
CREATE INDEX IF NOT EXISTS audit_cosigned ON audit(seq) WHERE kind = 'witnessed';
)sql";
// Without the origin, which is a note's first line.
constexpr std::string_view kFromFirstForm = R"sql(
INSERT INTO audit_checkpoints SELECT witness, substr(note, 1, instr(note, char(10)) - 1), day, size, note
  FROM audit_checkpoints_1 WHERE true ORDER BY size ON CONFLICT DO UPDATE SET size=excluded.size, note=excluded.note;
DROP TABLE audit_checkpoints_1;
)sql";
constexpr std::string_view kSelect = "SELECT witness, note, origin, day FROM audit_checkpoints ";
constexpr std::string_view kOwn = "";  // not a null one: SQLite would bind NULL
constexpr std::int64_t kDay = 24 * 60 * 60;

Result<Checkpoint> checkpoint_of(std::string_view note) {
    TPF_TRY(const SignedNote parsed, SignedNote::parse(note));
    return Checkpoint::parse(parsed.text);
}

Result<KeptNote> read_note(const sqlite::Statement& statement) {
    KeptNote kept{{}, statement.text(0), statement.text(1), statement.text(2), statement.number(3)};
    TPF_TRY(const Checkpoint checkpoint, checkpoint_of(kept.note));
    if (checkpoint.origin != kept.origin) return fail(Code::evidence, "it is of another log");
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

/// The larger one takes the place of the one before on the same day.
Status keep(sqlite::Database& db, const KeptNote& note) {
    TPF_TRY(auto statement,
            db.prepare("INSERT INTO audit_checkpoints(witness, origin, day, size, note) VALUES(?1, ?2, ?3, ?4, ?5) "
                       "ON CONFLICT DO UPDATE SET size=excluded.size, note=excluded.note WHERE excluded.size>=size"));
    statement.bind(1, note.witness).bind(2, note.origin).bind(3, note.day);
    return statement.bind(4, static_cast<std::int64_t>(note.head.size)).bind(5, note.note).run();
}

Result<bool> is_of_first_form(sqlite::Database& db) {
    TPF_TRY(auto columns, db.prepare("SELECT count(*), count(*) FILTER (WHERE name='origin') "
                                     "FROM pragma_table_info('audit_checkpoints')"));
    TPF_TRY(const bool row, columns.step());
    return row && columns.number(0) != 0 && columns.number(1) == 0;
}

std::int64_t day_of(UtcTime now) {
    return now.time_since_epoch().count() / kDay;
}

}  // namespace

Status prepare_checkpoints(sqlite::Database& db) {
    TPF_TRY(const bool of_first_form, is_of_first_form(db));
    if (!of_first_form) return db.execute(kSchema);
    return db.execute("SAVEPOINT checkpoints; ALTER TABLE audit_checkpoints RENAME TO audit_checkpoints_1;" +
                      std::string(kSchema) + std::string(kFromFirstForm) + "RELEASE checkpoints");
}

std::string new_origin(std::string_view installation) {
    return std::string(installation) + "/tpf/" + SpoolId::random().str();
}

AuditEntry origin_entry(const std::string& actor, const std::string& origin) {
    return AuditEntry(AuditKind::log_origin, actor).with("origin", origin);
}

Result<std::optional<std::string>> log_origin(sqlite::Database& db, std::uint64_t through) {
    TPF_TRY(auto statement, db.prepare("SELECT json_extract(fields, '$.origin') FROM audit WHERE kind='log-origin' "
                                       "AND seq<=?1 ORDER BY seq DESC LIMIT 1"));
    statement.bind(1, static_cast<std::int64_t>(through));
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
    return keep(db, {head, std::string(kOwn), text, *origin, day_of(now)});
}

Status keep_witnessed(sqlite::Database& db, const WitnessedNote& note, UtcTime now) {
    if (note.witness.empty()) return fail(Code::internal, "a cosignature of nobody");
    TPF_TRY(const Checkpoint checkpoint, checkpoint_of(note.note));
    return keep(db, {checkpoint.head, note.witness, note.note, checkpoint.origin, day_of(now)});
}

Result<std::optional<KeptNote>> newest_note(sqlite::Database& db, std::string_view witness) {
    TPF_TRY(const auto origin, log_origin(db));
    if (!origin) return std::optional<KeptNote>();
    TPF_TRY(auto statement,
            db.prepare(std::string(kSelect) + "WHERE witness=?1 AND origin=?2 ORDER BY size DESC LIMIT 1"));
    statement.bind(1, witness).bind(2, *origin);
    return first_of(read_notes(std::move(statement)));
}

Result<std::vector<KeptNote>> witnessed_from(sqlite::Database& db, AuditSink& log, std::string_view origin,
                                             std::uint64_t least) {
    TPF_TRY(const std::uint64_t size, log.size(db));
    // min() makes the other columns those of its row.
    TPF_TRY(auto statement, db.prepare("SELECT witness, note, origin, day, min(size) FROM audit_checkpoints WHERE "
                                       "origin=?1 AND witness<>'' AND size>=?2 AND size<=?3 GROUP BY witness"));
    statement.bind(1, origin).bind(2, static_cast<std::int64_t>(least)).bind(3, static_cast<std::int64_t>(size));
    TPF_TRY(auto notes, read_notes(std::move(statement)));
    std::vector<KeptNote> ours;
    for (KeptNote& note : notes) {
        TPF_TRY(const TreeHead now, log.head(db, note.head.size));
        if (now == note.head) ours.push_back(std::move(note));
    }
    return ours;
}

Result<std::optional<KeptNote>> newest_witnessed(sqlite::Database& db) {
    TPF_TRY(const auto origin, log_origin(db));
    if (!origin) return std::optional<KeptNote>();
    TPF_TRY(auto statement,
            db.prepare(std::string(kSelect) + "WHERE witness<>'' AND origin=?1 ORDER BY size DESC LIMIT 1"));
    statement.bind(1, *origin);
    return first_of(read_notes(std::move(statement)));
}

Result<std::vector<KeptNote>> kept_notes(sqlite::Database& db, const KeptNote& after, std::size_t limit) {
    TPF_TRY(auto statement, db.prepare(std::string(kSelect) + "WHERE (witness, origin, day) > (?1, ?2, ?3) "
                                                              "ORDER BY witness, origin, day LIMIT ?4"));
    statement.bind(1, std::string_view(after.witness)).bind(2, std::string_view(after.origin)).bind(3, after.day);
    statement.bind(4, static_cast<std::int64_t>(limit));
    return read_notes(std::move(statement));
}

Status carry_notes(sqlite::Database& from, sqlite::Database& to) {
    auto statement = from.prepare("SELECT witness, note, day FROM audit_checkpoints");
    while (statement) {
        const auto more = statement.value().step();
        if (!more || !more.value()) break;
        KeptNote kept{{}, statement.value().text(0), statement.value().text(1), {}, statement.value().number(2)};
        const auto checkpoint = checkpoint_of(kept.note);
        if (!checkpoint) continue;
        kept.head = checkpoint.value().head;
        kept.origin = checkpoint.value().origin;
        TPF_TRY(keep(to, kept));
    }
    return ok();
}

Result<AuditEntry> next_origin_entry(sqlite::Database& db, const std::string& actor, const std::string& origin) {
    TPF_TRY(const auto previous, log_origin(db));
    TPF_TRY(auto statement,
            db.prepare(std::string(kSelect) + "WHERE origin=?1 ORDER BY witness='', size DESC LIMIT 1"));
    statement.bind(1, std::string_view(previous ? *previous : kOwn));
    TPF_TRY(const auto newest, first_of(read_notes(std::move(statement))));
    AuditEntry entry = origin_entry(actor, origin);
    entry.with("previous", previous.value_or(""));
    if (newest) {
        entry.with("previous_witness", newest->witness)
            .with("previous_size", newest->head.size)
            .with("previous_root", base64(newest->head.root));
    }
    return entry;
}

}  // namespace tpf::audit
