#include "audit/event_log.h"

#include <nlohmann/json.hpp>

#include "base/encoding.h"

namespace tpf::audit {
namespace {

using Json = nlohmann::json;  // an ordered map: keys sorted by their bytes

constexpr std::string_view kSchema = R"sql(
CREATE TABLE IF NOT EXISTS audit(seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL,
  actor TEXT NOT NULL, message TEXT, fields TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS audit_by_message ON audit(message) WHERE message IS NOT NULL;
CREATE TRIGGER IF NOT EXISTS audit_no_update BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS audit_no_delete BEFORE DELETE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
)sql";
constexpr std::string_view kColumns = "SELECT seq, time, kind, actor, message, fields, hash FROM audit ";

/// The bytes that are hashed: JSON, keys sorted, no white space.
Json canonical(const LoggedEvent& event, Json fields) {
    Json json{{"actor", event.actor},
              {"fields", std::move(fields)},
              {"kind", event.kind},
              {"seq", event.seq},
              {"time", format_utc(event.time)}};
    if (event.message) json["message"] = event.message->view();
    return json;
}

Digest chain(const Digest& before, std::string_view bytes) {
    Sha256 digest;
    digest.update(std::string_view("tpf-audit-v0\0", 13));
    digest.update(before);
    digest.update(bytes);
    return digest.finish();
}

Result<ChainPoint> point_of(std::uint64_t seq, const std::string& hash) {
    TPF_TRY(const Bytes bytes, from_hex(hash));
    ChainPoint at{seq, {}};
    if (bytes.size() != at.hash.size()) return fail(Code::journal, "audit row " + std::to_string(seq) + ": hash");
    std::copy(bytes.begin(), bytes.end(), at.hash.begin());
    return at;
}

Result<Json> fields_of(const AuditEntry& entry) {
    Json fields = Json::object();
    for (const auto& [name, value] : entry.fields()) {
        if (!fields.emplace(name, value).second) return fail(Code::internal, "audit entry with a field twice: " + name);
    }
    return fields;
}

/// Dump throws for text that is not UTF-8.
Result<std::string> dump(const Json& json) {
    try {
        return json.dump();
    } catch (const Json::exception&) {
        return fail(Code::internal, "audit entry with text that is not UTF-8");
    }
}

Result<LoggedEvent> read_event(const sqlite::Statement& statement) {
    LoggedEvent event;
    event.seq = static_cast<std::uint64_t>(statement.number(0));
    event.time = UtcTime(std::chrono::seconds(statement.number(1)));
    event.kind = statement.text(2);
    event.actor = statement.text(3);
    if (const auto text = statement.text_or_null(4)) {
        const auto id = SpoolId::parse(*text);
        if (!id) return fail(Code::journal, "audit row " + std::to_string(event.seq) + ": message");
        event.message = id.value();
    }
    event.fields = statement.text(5);
    event.hash = statement.text(6);
    return event;
}

/// The entry that a row is, when it follows `from` and matches its hash.
Result<WrittenEntry> verified(const LoggedEvent& event, const ChainPoint& from) {
    const std::string row = "audit row " + std::to_string(event.seq);
    if (event.seq != from.seq + 1) return fail(Code::journal, row + " follows row " + std::to_string(from.seq));
    Json fields = Json::parse(event.fields, nullptr, false);
    if (!fields.is_object()) return fail(Code::journal, row + ": fields");
    TPF_TRY(const std::string written, dump(fields));
    TPF_TRY(std::string bytes, dump(canonical(event, std::move(fields))));
    const Digest hash = chain(from.hash, bytes);
    if (written != event.fields || hex(hash) != event.hash)
        return fail(Code::journal, row + " does not match its hash");
    return WrittenEntry{{event.seq, hash}, event.message, std::move(bytes)};
}

/// Back from the canonical bytes; only what canonical() would write the same.
Result<LoggedEvent> parse_canonical(std::string_view bytes) {
    const auto bad = [] { return fail(Code::journal, "an audit entry is not in its one form"); };
    const Json json = Json::parse(bytes, nullptr, false);
    if (!json.is_object()) return bad();
    const auto text = [&json](const char* key) {
        const auto found = json.find(key);
        return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    const auto fields = json.find("fields");
    const auto seq = json.find("seq");
    const auto time = parse_utc(text("time"));
    if (fields == json.end() || !fields->is_object() || seq == json.end() || !seq->is_number_unsigned() || !time)
        return bad();
    LoggedEvent event{seq->get<std::uint64_t>(), time.value(), text("kind"), text("actor"), {}, {}, {}};
    if (json.contains("message")) {
        const auto id = SpoolId::parse(text("message"));
        if (!id) return bad();
        event.message = id.value();
    }
    TPF_TRY(event.fields, dump(*fields));
    TPF_TRY(const std::string again, dump(canonical(event, *fields)));
    if (again != bytes) return bad();
    return event;
}

Status insert(sqlite::Database& db, const LoggedEvent& event) {
    TPF_TRY(auto statement, db.prepare("INSERT INTO audit(seq, time, kind, actor, message, fields, hash) "
                                       "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
    statement.bind(1, static_cast<std::int64_t>(event.seq));
    statement.bind(2, std::int64_t{event.time.time_since_epoch().count()});
    statement.bind(3, event.kind).bind(4, event.actor).bind(6, event.fields).bind(7, event.hash);
    if (event.message) statement.bind(5, event.message->view());
    return statement.run();
}

}  // namespace

Status EventLog::prepare(sqlite::Database& db) {
    return db.execute(kSchema);
}

Result<WrittenEntry> EventLog::append(sqlite::Database& db, const AuditEntry& entry, UtcTime time) {
    TPF_TRY(const ChainPoint before, point(db));
    TPF_TRY(Json fields, fields_of(entry));
    LoggedEvent event{
        before.seq + 1, time, std::string(to_string(entry.kind())), entry.actor(), entry.message(), {}, {}};
    TPF_TRY(event.fields, dump(fields));
    TPF_TRY(std::string bytes, dump(canonical(event, std::move(fields))));
    const Digest hash = chain(before.hash, bytes);
    event.hash = hex(hash);
    TPF_TRY(insert(db, event));
    return WrittenEntry{{event.seq, hash}, event.message, std::move(bytes)};
}

Result<ChainPoint> EventLog::point(sqlite::Database& db, std::optional<std::uint64_t> seq) {
    if (seq && *seq == 0) return ChainPoint{};
    TPF_TRY(auto statement, db.prepare(seq ? "SELECT seq, hash FROM audit WHERE seq=?1"
                                           : "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1"));
    if (seq) statement.bind(1, static_cast<std::int64_t>(*seq));
    TPF_TRY(const bool found, statement.step());
    if (!found && seq) return fail(Code::not_found, "no audit row " + std::to_string(*seq));
    if (!found) return ChainPoint{};
    return point_of(static_cast<std::uint64_t>(statement.number(0)), statement.text(1));
}

Result<std::vector<WrittenEntry>> EventLog::entries(sqlite::Database& db, const ChainPoint& from, std::size_t limit) {
    TPF_TRY(auto statement, db.prepare(std::string(kColumns) + "WHERE seq>?1 ORDER BY seq LIMIT ?2"));
    statement.bind(1, static_cast<std::int64_t>(from.seq)).bind(2, static_cast<std::int64_t>(limit));
    std::vector<WrittenEntry> entries;
    while (true) {
        TPF_TRY(const bool more, statement.step());
        if (!more) return entries;
        TPF_TRY(const LoggedEvent event, read_event(statement));
        TPF_TRY(auto entry, verified(event, entries.empty() ? from : entries.back().point));
        entries.push_back(std::move(entry));
    }
}

Result<WrittenEntry> EventLog::follow(const ChainPoint& from, std::string_view canonical) const {
    TPF_TRY(const LoggedEvent event, parse_canonical(canonical));
    if (event.seq != from.seq + 1)
        return fail(Code::journal,
                    "audit entry " + std::to_string(event.seq) + " does not follow entry " + std::to_string(from.seq));
    return WrittenEntry{{event.seq, chain(from.hash, canonical)}, event.message, std::string(canonical)};
}

Status EventLog::restore(sqlite::Database& db, const WrittenEntry& entry) {
    TPF_TRY(LoggedEvent event, parse_canonical(entry.canonical));
    event.hash = hex(entry.point.hash);
    return insert(db, event);
}

Result<std::vector<LoggedEvent>> EventLog::list(sqlite::Database& db, const EventFilter& filter) {
    std::string sql(kColumns);
    sql += filter.newest_first ? "WHERE 1" : "WHERE seq>?1";
    if (filter.from) sql += " AND time>=?2";
    if (filter.until) sql += " AND time<?3";
    if (filter.kind) sql += " AND kind=?4";
    if (filter.actor) sql += " AND actor=?5";
    if (filter.message) sql += " AND message=?6";
    sql += filter.newest_first ? " ORDER BY seq DESC LIMIT ?7" : " ORDER BY seq LIMIT ?7";
    TPF_TRY(auto statement, db.prepare(sql));
    if (!filter.newest_first) statement.bind(1, static_cast<std::int64_t>(filter.after));
    if (filter.from) statement.bind(2, std::int64_t{filter.from->time_since_epoch().count()});
    if (filter.until) statement.bind(3, std::int64_t{filter.until->time_since_epoch().count()});
    if (filter.kind) statement.bind(4, to_string(*filter.kind));
    if (filter.actor) statement.bind(5, *filter.actor);
    if (filter.message) statement.bind(6, filter.message->view());
    statement.bind(7, static_cast<std::int64_t>(filter.limit));
    std::vector<LoggedEvent> events;
    while (true) {
        TPF_TRY(const bool more, statement.step());
        if (!more) return events;
        TPF_TRY(auto event, read_event(statement));
        events.push_back(std::move(event));
    }
}

Result<ChainPoint> EventLog::verify(sqlite::Database& db, const ChainPoint& from, std::size_t limit) {
    TPF_TRY(auto statement, db.prepare(std::string(kColumns) + "WHERE seq>?1 ORDER BY seq LIMIT ?2"));
    statement.bind(1, static_cast<std::int64_t>(from.seq)).bind(2, static_cast<std::int64_t>(limit));
    ChainPoint at = from;
    while (true) {
        TPF_TRY(const bool more, statement.step());
        if (!more) return at;
        TPF_TRY(const LoggedEvent event, read_event(statement));
        TPF_TRY(const WrittenEntry entry, verified(event, at));
        at = entry.point;
    }
}

}  // namespace tpf::audit
