#include "queue/row_store.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <variant>

#include "base/encoding.h"
#include "base/sha256.h"
#include "queue/json_text.h"

namespace tpf::queue::store {
namespace {

constexpr std::int64_t kApplicationId = 0x5450464a;  // "TPFJ"

/// Makes version from + 1 of a journal of version `from`. One that was released is never changed again.
struct Step {
    std::int64_t from;
    std::string_view sql;
};
// 1, never released: the audit log was a chain of hashes.
// 2: the log was a tree without checkpoints, or with those of an earlier form. EventLog::prepare sees to their table;
// the
//    number is there so that the journal is kept before it does, and no program of version 2 goes on with it.
constexpr std::array kSteps{Step{2, ""}};
static_assert(kSteps.back().from + 1 == kVersion);

// docs/spool-format.md describes each of these.
constexpr std::string_view kSchema = R"sql(
CREATE TABLE settings(digest TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE messages(
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL,
  source TEXT NOT NULL, sender TEXT, received INTEGER NOT NULL, size INTEGER NOT NULL, claimed INTEGER NOT NULL,
  settings TEXT NOT NULL REFERENCES settings(digest), kilde_sha256 TEXT NOT NULL, released INTEGER NOT NULL,
  name TEXT, register TEXT, meldingstype TEXT NOT NULL, opprettet TEXT NOT NULL, periode_fra TEXT NOT NULL,
  periode_til TEXT NOT NULL, persons INTEGER, marked INTEGER NOT NULL, marked_sha256 TEXT NOT NULL, input_sha256 TEXT, output_sha256 TEXT,
  output_size INTEGER, signature TEXT NOT NULL, committed INTEGER,
  code TEXT, reason TEXT NOT NULL, quarantined INTEGER, duplicate_of TEXT,
  register_kvittering TEXT, register_kode TEXT, register_mottatt TEXT, delivered INTEGER, removed INTEGER,
  attempts INTEGER NOT NULL, attempt_code TEXT, attempt_reason TEXT NOT NULL, attempt_since INTEGER,
  answer_due INTEGER NOT NULL, digest TEXT NOT NULL) STRICT;
CREATE INDEX messages_by_state ON messages(state, received, id);
CREATE INDEX messages_by_received ON messages(received, id);
CREATE INDEX messages_by_sender ON messages(state, sender, size);
CREATE INDEX messages_by_input ON messages(input_sha256) WHERE input_sha256 IS NOT NULL;
CREATE INDEX messages_by_meldings_id ON messages(substr(name, 19)) WHERE name IS NOT NULL;
CREATE INDEX messages_by_original ON messages(duplicate_of) WHERE duplicate_of IS NOT NULL;
CREATE INDEX messages_removable ON messages(delivered) WHERE delivered IS NOT NULL AND removed IS NULL;
CREATE INDEX messages_due ON messages(received, id) WHERE answer_due = 1;
CREATE INDEX messages_in_trouble ON messages(attempt_since) WHERE attempt_since IS NOT NULL;
CREATE TRIGGER messages_keep BEFORE DELETE ON messages BEGIN SELECT RAISE(ABORT, 'rows are kept'); END;
CREATE TABLE names(avsender TEXT NOT NULL, meldings_id TEXT NOT NULL, spool_id TEXT NOT NULL,
  input_sha256 TEXT NOT NULL, PRIMARY KEY(avsender, meldings_id)) STRICT, WITHOUT ROWID;
CREATE TRIGGER names_keep BEFORE DELETE ON names BEGIN SELECT RAISE(ABORT, 'names are kept'); END;
CREATE TRIGGER names_fixed BEFORE UPDATE ON names BEGIN SELECT RAISE(ABORT, 'names are kept'); END;
CREATE TABLE marks(sha256 TEXT PRIMARY KEY, base64 TEXT NOT NULL) STRICT;
CREATE TABLE persons_day(avsender TEXT NOT NULL, day TEXT NOT NULL, persons INTEGER NOT NULL,
  PRIMARY KEY(avsender, day)) STRICT, WITHOUT ROWID;
CREATE TABLE counts(state TEXT PRIMARY KEY, messages INTEGER NOT NULL) STRICT, WITHOUT ROWID;
)sql";

using Value = std::variant<std::monostate, std::int64_t, std::string>;

// --- one field to and from a column ---

Value pack(const std::string& v) {
    return v;
}
Value pack(bool v) {
    return std::int64_t{v ? 1 : 0};
}
Value pack(std::uint64_t v) {
    return static_cast<std::int64_t>(v);
}
Value pack(UtcTime v) {
    return std::int64_t{v.time_since_epoch().count()};
}
Value pack(State v) {
    return std::string(to_string(v));
}
Value pack(Code v) {
    return std::string(info(v).name);
}
Value pack(const SpoolId& v) {
    return v.str();
}
Value pack(const Avsender& v) {
    return v.str();
}
Value pack(const RegisterName& v) {
    return v.str();
}
Value pack(const MessageName& v) {
    return v.str();
}
template <class T>
Value pack(const std::optional<T>& v) {
    return v ? pack(*v) : Value();
}

template <class T>
bool keep(Result<T> parsed, T& to) {
    if (!parsed) return false;
    to = std::move(parsed).value();
    return true;
}
bool unpack_text(const std::string& text, std::string& to) {
    to = text;
    return true;
}
bool unpack_text(const std::string& text, State& to) {
    const auto state = parse_state(text);
    to = state.value_or(State::claimed);
    return state.has_value();
}
bool unpack_text(const std::string& text, std::optional<Code>& to) {
    const CodeInfo* row = find_code(text);
    if (row != nullptr) to = row->code;
    return row != nullptr;
}
bool unpack_text(const std::string& text, std::optional<std::string>& to) {
    to = text;
    return true;
}
bool unpack_text(const std::string& text, SpoolId& to) {
    return keep(SpoolId::parse(text), to);
}
template <class T>
requires requires(const std::string& text) {
    T::parse(text);
}
bool unpack_text(const std::string& text, std::optional<T>& to) {
    auto parsed = T::parse(text);
    if (!parsed) return false;
    to = std::move(parsed).value();
    return true;
}
template <class T>
bool unpack_text(const std::string&, T&) {
    return false;  // a number was expected
}

bool unpack_number(std::int64_t number, std::uint64_t& to) {
    to = static_cast<std::uint64_t>(number);
    return number >= 0;
}
bool unpack_number(std::int64_t number, bool& to) {
    to = number == 1;
    return number == 0 || number == 1;
}
bool unpack_number(std::int64_t number, UtcTime& to) {
    to = UtcTime(std::chrono::seconds(number));
    return true;
}
bool unpack_number(std::int64_t number, std::optional<std::uint64_t>& to) {
    return unpack_number(number, to.emplace());
}
bool unpack_number(std::int64_t number, std::optional<UtcTime>& to) {
    return unpack_number(number, to.emplace());
}
template <class T>
bool unpack_number(std::int64_t, T&) {
    return false;  // text was expected
}

template <class T>
inline constexpr bool kNullable = false;
template <class T>
inline constexpr bool kNullable<std::optional<T>> = true;

template <class T>
bool unpack(const Value& value, T& to) {
    if (const auto* text = std::get_if<std::string>(&value)) return unpack_text(*text, to);
    if (const auto* number = std::get_if<std::int64_t>(&value)) return unpack_number(*number, to);
    return kNullable<T>;
}

/// Calls f(column, field) for each, in the order of the columns and of the digest.
template <class Row, class F>
void each_field(Row& row, F&& f) {
    f("id", row.id), f("state", row.state), f("revision", row.revision);
    f("source", row.source), f("sender", row.sender), f("received", row.received), f("size", row.size);
    f("claimed", row.claimed), f("settings", row.settings), f("kilde_sha256", row.kilde_sha256),
        f("released", row.released);
    f("name", row.name), f("register", row.to), f("meldingstype", row.meldingstype), f("opprettet", row.opprettet);
    f("periode_fra", row.periode_fra), f("periode_til", row.periode_til), f("persons", row.persons);
    f("marked", row.marked), f("marked_sha256", row.marked_sha256), f("input_sha256", row.input_sha256),
        f("output_sha256", row.output_sha256);
    f("output_size", row.output_size), f("signature", row.signature), f("committed", row.committed);
    f("code", row.code), f("reason", row.reason), f("quarantined", row.quarantined);
    f("duplicate_of", row.duplicate_of), f("register_kvittering", row.register_kvittering);
    f("register_kode", row.register_kode), f("register_mottatt", row.register_mottatt), f("delivered", row.delivered);
    f("removed", row.removed), f("attempts", row.attempts), f("attempt_code", row.attempt_code);
    f("attempt_reason", row.attempt_reason), f("attempt_since", row.attempt_since), f("answer_due", row.answer_due);
}

void add_to_digest(std::string& bytes, std::string_view column, const Value& value) {
    bytes.append(column).append("=");
    if (const auto* text = std::get_if<std::string>(&value)) {
        bytes.append("t").append(std::to_string(text->size())).append(":").append(*text);
    } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
        bytes.append("i").append(std::to_string(*number));
    }
    bytes.append("\n");
}

/// Binds all fields and, last, their digest.
void bind_row(sqlite::Statement& statement, const MessageRow& row) {
    int index = 0;
    std::string digested;
    each_field(row, [&](std::string_view column, const auto& field) {
        const Value value = pack(field);
        add_to_digest(digested, column, value);
        ++index;
        if (const auto* text = std::get_if<std::string>(&value)) {
            statement.bind(index, *text);
        } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
            statement.bind(index, *number);
        } else {
            statement.bind_null(index);
        }
    });
    statement.bind(index + 1, hex(sha256(digested)));
}

/// Said at the claim and never again.
bool is_fixed(std::string_view column) {
    static constexpr std::string_view kFixed[] = {"id", "source", "sender", "received", "size", "kilde_sha256"};
    return std::find(std::begin(kFixed), std::end(kFixed), column) != std::end(kFixed);
}

template <class Field>
inline constexpr bool kIsNumber =
    std::is_same_v<Field, bool> || std::is_same_v<Field, std::uint64_t> || std::is_same_v<Field, UtcTime> ||
    std::is_same_v<Field, std::optional<UtcTime>> || std::is_same_v<Field, std::optional<std::uint64_t>>;

/// A row of `next(column, is_number)` for each column; Code::journal when it does not match the digest read after them.
template <class Next, class Digest>
Result<MessageRow> assemble(Next&& next, Digest&& digest) {
    MessageRow row(SpoolId::random());
    bool good = true;
    std::string digested;
    each_field(row, [&](std::string_view name, auto& field) {
        const Value value = next(name, kIsNumber<std::remove_reference_t<decltype(field)>>);
        add_to_digest(digested, name, value);
        good = unpack(value, field) && good;
    });
    if (digest() != hex(sha256(digested)) || !good) {
        return fail(Code::journal, "a message's row does not match its digest");
    }
    return row;
}

struct Column {
    std::string name;
    bool is_number;
};
const std::vector<Column>& store_columns() {
    static const std::vector<Column> all = [] {
        std::vector<Column> list;
        MessageRow row(SpoolId::random());
        each_field(row, [&](std::string_view name, auto& field) {
            list.push_back({std::string(name), kIsNumber<std::remove_reference_t<decltype(field)>>});
        });
        return list;
    }();
    return all;
}

struct Sql {
    std::string select, insert, update, restore;
    Sql() {
        std::string columns, marks, assignments;
        int index = 0;
        const MessageRow row(SpoolId::random());
        each_field(row, [&](std::string_view column, const auto&) {
            ++index;
            columns.append(column).append(",");
            marks.append("?").append(std::to_string(index)).append(",");
            // An assigned column costs a change in each of its indexes, whether its value is new or not.
            if (!is_fixed(column)) assignments.append(column).append("=?").append(std::to_string(index)).append(",");
        });
        const std::string last = "?" + std::to_string(index + 1);
        select = "SELECT " + columns + "digest FROM messages ";
        insert = "INSERT INTO messages(" + columns + "digest) VALUES(" + marks + last + ")";
        restore = insert + " ON CONFLICT(id) DO UPDATE SET ";
        for (const Column& column : store_columns()) restore += column.name + "=excluded." + column.name + ",";
        restore += "digest=excluded.digest WHERE excluded.revision>messages.revision";
        update = "UPDATE messages SET " + assignments + "digest=" + last + " WHERE id=?1";
    }
};
const Sql& sql() {
    static const Sql texts;
    return texts;
}

Status count(sqlite::Database& db, State state, std::int64_t change) {
    TPF_TRY(auto statement, db.prepare("UPDATE counts SET messages = messages + ?2 WHERE state = ?1"));
    return statement.bind(1, to_string(state)).bind(2, change).run();
}

Result<std::int64_t> pragma(sqlite::Database& db, std::string_view text) {
    TPF_TRY(auto statement, db.prepare(text));
    TPF_TRY(const bool row, statement.step());
    return row ? statement.number(0) : 0;
}

Status create(sqlite::Database& db) {
    TPF_TRY(db.execute(kSchema));
    for (const State state : kStates) {
        TPF_TRY(auto statement, db.prepare("INSERT INTO counts(state, messages) VALUES(?1, 0)"));
        TPF_TRY(statement.bind(1, to_string(state)).run());
    }
    TPF_TRY(db.execute("PRAGMA application_id=" + std::to_string(kApplicationId)));
    return db.execute("PRAGMA user_version=" + std::to_string(kVersion));
}

/// What is missing would else be found out by the first message that needs it.
Status check_columns(sqlite::Database& db) {
    const std::string wanted[] = {
        sql().select,
        "SELECT digest, json FROM settings ",
        "SELECT avsender, meldings_id, spool_id, input_sha256 FROM names ",
        "SELECT sha256, base64 FROM marks ",
        "SELECT avsender, day, persons FROM persons_day ",
        "SELECT state, messages FROM counts ",
    };
    for (const std::string& columns : wanted) {
        const auto found = db.prepare(columns + "LIMIT 0");
        if (found) continue;
        if (found.error().code() != Code::journal) return fail(found.error());
        return fail(Code::journal, "the journal has version " + std::to_string(kVersion) +
                                       " but not all its columns: a program that was never released made it");
    }
    return ok();
}

}  // namespace

Result<Made> made(sqlite::Database& db) {
    TPF_TRY(const std::int64_t application, pragma(db, "PRAGMA application_id"));
    TPF_TRY(const std::int64_t version, pragma(db, "PRAGMA user_version"));
    return Made{application, version};
}

bool can_upgrade(std::int64_t application, std::int64_t version) noexcept {
    return application == kApplicationId && version >= kSteps.front().from && version < kVersion;
}

Status upgrade(sqlite::Database& db) {
    TPF_TRY(const Made old, made(db));
    for (const Step& step : kSteps) {
        if (step.from < old.version) continue;
        TPF_TRY(db.execute(step.sql));
    }
    TPF_TRY(db.execute("PRAGMA user_version=" + std::to_string(kVersion)));
    return check_columns(db);
}

Status prepare(sqlite::Database& db) {
    TPF_TRY(const Made found, made(db));
    TPF_TRY(const std::int64_t tables, pragma(db, "SELECT count(*) FROM sqlite_schema"));
    if (found.application == 0 && found.version == 0 && tables == 0) return create(db);
    if (found.application != kApplicationId)
        return fail(Code::journal, "the database is not a journal of this program");
    if (found.version != kVersion) {
        return fail(Code::journal,
                    "the journal has version " + std::to_string(found.version) + ", this program knows " +
                        std::to_string(kVersion),
                    can_upgrade(found.application, found.version)
                        ? "tpfd brings it up to date when it starts"
                        : "use the program that wrote it; neither this one nor a rebuild can "
                          "take it over");
    }
    return check_columns(db);
}

Result<bool> is_of_other_version(sqlite::Database& db) {
    TPF_TRY(const Made found, made(db));
    return found.application == kApplicationId && found.version != kVersion;
}

Status check_made(sqlite::Database& db) {
    TPF_TRY(const std::int64_t tables, pragma(db, "SELECT count(*) FROM sqlite_schema"));
    return tables == 0 ? Status(fail(Code::journal, "the journal is empty")) : prepare(db);
}

const std::string& select_rows() {
    return sql().select;
}

Result<MessageRow> read_row(const sqlite::Statement& statement) {
    int column = 0;
    const auto next = [&](std::string_view, bool is_number) {
        const int at = column++;
        if (statement.is_null(at)) return Value();
        return is_number ? Value(statement.number(at)) : Value(statement.text(at));
    };
    return assemble(next, [&] { return statement.text(column); });
}

Result<std::vector<MessageRow>> read_rows(sqlite::Statement& statement) {
    std::vector<MessageRow> rows;
    while (true) {
        TPF_TRY(const bool more, statement.step());
        if (!more) return rows;
        TPF_TRY(auto row, read_row(statement));
        rows.push_back(std::move(row));
    }
}

Result<std::optional<MessageRow>> load(sqlite::Database& db, const SpoolId& id) {
    static const std::string text = select_rows() + "WHERE id=?1";
    TPF_TRY(auto statement, db.prepare(text));
    statement.bind(1, id.view());
    TPF_TRY(const bool found, statement.step());
    if (!found) return std::optional<MessageRow>();
    TPF_TRY(auto row, read_row(statement));
    return std::optional<MessageRow>(std::move(row));
}

Result<MessageRow> must_load(sqlite::Database& db, const SpoolId& id) {
    TPF_TRY(auto row, load(db, id));
    if (!row) return fail(Code::not_found, "no message " + id.str() + " in the journal");
    return std::move(*row);
}

Result<PersonMarks> load_marks(sqlite::Database& db, std::string_view sha256) {
    TPF_TRY(auto statement, db.prepare("SELECT base64 FROM marks WHERE sha256=?1"));
    statement.bind(1, sha256);
    TPF_TRY(const bool found, statement.step());
    if (!found) return fail(Code::journal, "marks are missing");
    auto bytes = from_base64(statement.text(0));
    if (!bytes || hex(tpf::sha256(as_text(bytes.value()))) != sha256) {
        return fail(Code::journal, "marks do not match their digest");
    }
    auto marks = PersonMarks::parse(std::move(bytes).value());
    if (!marks) return fail(Code::journal, "marks have not their form");
    return marks;
}

Result<Usage> usage(sqlite::Database& db, State state, const std::optional<Avsender>& sender) {
    TPF_TRY(auto statement,
            db.prepare("SELECT count(*), ifnull(sum(size), 0) FROM messages WHERE state=?1 AND sender IS ?2"));
    statement.bind(1, to_string(state));
    if (sender) statement.bind(2, sender->str());
    TPF_TRY(const bool found, statement.step());
    if (!found) return Usage();
    return Usage{static_cast<std::uint64_t>(statement.number(0)), static_cast<std::uint64_t>(statement.number(1))};
}

Status insert(sqlite::Database& db, const MessageRow& row) {
    TPF_TRY(auto statement, db.prepare(sql().insert));
    bind_row(statement, row);
    TPF_TRY(statement.run());
    return count(db, row.state, 1);
}

Status update(sqlite::Database& db, MessageRow& row, State before) {
    ++row.revision;
    TPF_TRY(auto statement, db.prepare(sql().update));
    bind_row(statement, row);
    TPF_TRY(statement.run());
    if (row.state == before) return ok();
    TPF_TRY(count(db, before, -1));
    return count(db, row.state, 1);
}

int column_of(std::string_view name) {
    const auto found = std::find_if(store_columns().begin(), store_columns().end(),
                                    [name](const Column& column) { return column.name == name; });
    return static_cast<int>(found - store_columns().begin());
}

void append_json(const sqlite::Statement& statement, std::string& out) {
    out += '{';
    int index = 0;
    for (const Column& column : store_columns()) {
        const int at = index++;
        if (statement.is_null(at)) continue;
        out.append("\"").append(column.name).append("\":");
        if (column.is_number) {
            out += std::to_string(statement.number(at));
        } else {
            append_json_text(out, statement.text(at));
        }
        out += ',';
    }
    out += "\"digest\":";
    append_json_text(out, statement.text(index));
    out += '}';
}

Result<MessageRow> row_from_json(const nlohmann::json& object) {
    const auto next = [&](std::string_view name, bool is_number) {
        const auto found = object.find(std::string(name));
        if (found == object.end()) return Value();
        if (is_number) return found->is_number_integer() ? Value(found->template get<std::int64_t>()) : Value();
        return found->is_string() ? Value(found->template get<std::string>()) : Value();
    };
    return assemble(next, [&] {
        const auto found = object.find("digest");
        return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
    });
}

std::string digest_of(const MessageRow& row) {
    std::string digested;
    each_field(row, [&](std::string_view column, const auto& field) { add_to_digest(digested, column, pack(field)); });
    return hex(sha256(digested));
}

Result<bool> restore(sqlite::Database& db, const MessageRow& row) {
    TPF_TRY(auto statement, db.prepare(sql().restore));
    bind_row(statement, row);
    TPF_TRY(statement.run());
    return db.changes() > 0;
}

}  // namespace tpf::queue::store
