#pragma once
// The journal's tables: schema, and MessageRow to and from its columns, sealed by a digest over all of them. Used by
// the journal's own files only, in the writer's thread, inside its transactions.

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/person_marks.h"
#include "base/result.h"
#include "base/sqlite.h"
#include "queue/journal.h"
#include "queue/message_row.h"

namespace tpf::queue::store {

/// Of the schema. Raising it takes a step in row_store.cpp that makes it of the version before.
inline constexpr std::int64_t kVersion = 3;

/// What a database says of itself.
struct Made {
    std::int64_t application = 0;
    std::int64_t version = 0;
};
[[nodiscard]] Result<Made> made(sqlite::Database& db);
/// Is it a journal of an older version that upgrade() knows?
[[nodiscard]] bool can_upgrade(std::int64_t application, std::int64_t version) noexcept;
/// Brings such a journal to kVersion, inside the caller's transaction.
[[nodiscard]] Status upgrade(sqlite::Database& db);

/// Makes the tables in an empty database; Code::journal when it holds something else, or a version that we do not know.
[[nodiscard]] Status prepare(sqlite::Database& db);

/// The same for a database that must have them already.
[[nodiscard]] Status check_made(sqlite::Database& db);

/// Is it a journal of this program, made by another version of it?
[[nodiscard]] Result<bool> is_of_other_version(sqlite::Database& db);

/// "SELECT <all columns> FROM messages ", to be followed by WHERE and so on, and read with read_row().
[[nodiscard]] const std::string& select_rows();
/// The row that `statement` stands on. Code::journal when it does not match its digest or a value has not its form.
[[nodiscard]] Result<MessageRow> read_row(const sqlite::Statement& statement);
/// Steps to the end.
[[nodiscard]] Result<std::vector<MessageRow>> read_rows(sqlite::Statement& statement);

[[nodiscard]] Result<std::optional<MessageRow>> load(sqlite::Database& db, const SpoolId& id);
/// Code::not_found when there is none.
[[nodiscard]] Result<MessageRow> must_load(sqlite::Database& db, const SpoolId& id);
/// Which persons of a message are without a pseudonym (MessageRow::marked_sha256), checked against their digest.
[[nodiscard]] Result<PersonMarks> load_marks(sqlite::Database& db, std::string_view sha256);
[[nodiscard]] Result<Usage> usage(sqlite::Database& db, State state, const std::optional<Avsender>& sender);
/// A new row; counts it.
[[nodiscard]] Status insert(sqlite::Database& db, const MessageRow& row);
/// Writes the row anew, its revision one higher; `before`: the state that it was loaded with.
[[nodiscard]] Status update(sqlite::Database& db, MessageRow& row, State before);

// --- for the journal's copy ---
/// The number of a column in select_rows(), from 0.
[[nodiscard]] int column_of(std::string_view name);
/// Appends the row that `statement` (select_rows()) stands on as a JSON object: all columns but those that are NULL, in
/// their order, the digest last. Not checked against its digest.
void append_json(const sqlite::Statement& statement, std::string& out);
/// The row that such an object is. Code::journal when it does not match its digest or a value has not its form.
[[nodiscard]] Result<MessageRow> row_from_json(const nlohmann::json& object);
/// The digest that the row's columns have.
[[nodiscard]] std::string digest_of(const MessageRow& row);
/// Writes the row as it is, its revision too, where there is none or an older one of that id; counts nothing. True: it
/// was written.
[[nodiscard]] Result<bool> restore(sqlite::Database& db, const MessageRow& row);

}  // namespace tpf::queue::store
