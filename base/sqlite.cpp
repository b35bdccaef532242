#include "base/sqlite.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <utility>

namespace tpf::sqlite {
namespace {

Error sqlite_error(sqlite3* db, int code, std::string_view what) {
    std::string text(what);
    text += ": ";
    text += db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code);
    switch (code & 0xff) {
        case SQLITE_FULL:
            return Error(Code::disk_full, text);
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return Error(Code::locked, text);
        default:
            return Error(Code::journal, text);
    }
}

// What a statement needs beside the database (undo of one that fails half-way, sorting) else goes to a file in /tmp:
// rows on another disk, and one more that can be full.
constexpr const char* kTemporaryInMemory = "PRAGMA temp_store=MEMORY";

}  // namespace

Statement::~Statement() {
    if (stmt_ == nullptr) return;
    sqlite3_reset(stmt_);
    sqlite3_clear_bindings(stmt_);
}

// A bind fails only for a wrong index or no memory: both are seen by step(), since the parameter is then NULL in a
// column that is NOT NULL, or the call itself fails.
Statement& Statement::bind(int index, std::string_view text) {
    sqlite3_bind_text64(stmt_, index, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    return *this;
}
Statement& Statement::bind(int index, std::int64_t number) {
    sqlite3_bind_int64(stmt_, index, number);
    return *this;
}
Statement& Statement::bind_null(int index) {
    sqlite3_bind_null(stmt_, index);
    return *this;
}

Statement& Statement::bind_blob(int index, std::span<const std::uint8_t> bytes) {
    sqlite3_bind_blob64(stmt_, index, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
    return *this;
}

Result<bool> Statement::step() {
    const int code = sqlite3_step(stmt_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return fail(sqlite_error(sqlite3_db_handle(stmt_), code, sqlite3_sql(stmt_)));
}

Status Statement::run() {
    TPF_TRY(const bool row, step());
    static_cast<void>(row);
    return ok();
}

std::string Statement::text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(stmt_, column));
    return data == nullptr ? std::string()
                           : std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(stmt_, column)));
}
std::optional<std::string> Statement::text_or_null(int column) const {
    if (is_null(column)) return std::nullopt;
    return text(column);
}
std::span<const std::uint8_t> Statement::blob(int column) const {
    const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(stmt_, column));
    return {data, data == nullptr ? 0 : static_cast<std::size_t>(sqlite3_column_bytes(stmt_, column))};
}
std::int64_t Statement::number(int column) const {
    return sqlite3_column_int64(stmt_, column);
}
bool Statement::is_null(int column) const {
    return sqlite3_column_type(stmt_, column) == SQLITE_NULL;
}

struct Database::State {
    sqlite3* db = nullptr;
    std::map<std::string, sqlite3_stmt*, std::less<>> statements;
    std::filesystem::path empty_wal;  // made by looking, to be removed
    ~State() {
        for (const auto& [sql, stmt] : statements) sqlite3_finalize(stmt);
        if (db != nullptr) sqlite3_close(db);
        std::error_code ignored;
        if (!empty_wal.empty() && std::filesystem::file_size(empty_wal, ignored) == 0)
            std::filesystem::remove(empty_wal, ignored);
    }
};

Database::Database(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

Result<Database> Database::open(const std::filesystem::path& path) {
    auto state = std::make_unique<State>();
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    const int code = sqlite3_open_v2(path.c_str(), &state->db, flags, nullptr);
    if (code != SQLITE_OK) return fail(sqlite_error(state->db, code, "open " + path.string()));
    sqlite3_extended_result_codes(state->db, 1);
    Database db(std::move(state));
    TPF_TRY(db.execute(kTemporaryInMemory));
    // Exclusive locking keeps the WAL index in memory: no second connection can exist, not even by mistake.
    TPF_TRY(
        db.execute("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                   "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; PRAGMA wal_autocheckpoint=4000;"
                   "BEGIN IMMEDIATE; COMMIT;"));
    if (::chmod(path.c_str(), 0600) != 0) return fail(Code::io, "chmod " + path.string());
    return db;
}

Result<Database> Database::inspect(const std::filesystem::path& path) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return fail(Code::not_found, path.string() + " is not there");
    auto state = std::make_unique<State>();
    const std::filesystem::path wal = path.string() + "-wal";
    if (!std::filesystem::exists(wal, error)) state->empty_wal = wal;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    const int code = sqlite3_open_v2(path.c_str(), &state->db, flags, nullptr);
    if (code != SQLITE_OK) return fail(sqlite_error(state->db, code, "open " + path.string()));
    sqlite3_extended_result_codes(state->db, 1);
    sqlite3_db_config(state->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    Database db(std::move(state));
    TPF_TRY(db.execute(kTemporaryInMemory));
    TPF_TRY(db.execute("PRAGMA locking_mode=EXCLUSIVE; PRAGMA query_only=ON; PRAGMA trusted_schema=OFF;"));
    return db;
}

Status Database::execute(std::string_view sql) {
    const int code = sqlite3_exec(state_->db, std::string(sql).c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return fail(sqlite_error(state_->db, code, sql));
    return ok();
}

Status Database::run(std::string_view sql) {
    TPF_TRY(auto statement, prepare(sql));
    return statement.run();
}

Result<Statement> Database::prepare(std::string_view sql) {
    if (const auto found = state_->statements.find(sql); found != state_->statements.end()) {
        return Statement(found->second);
    }
    sqlite3_stmt* stmt = nullptr;
    const int code = sqlite3_prepare_v3(state_->db, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                        &stmt, nullptr);
    if (code != SQLITE_OK) return fail(sqlite_error(state_->db, code, sql));
    state_->statements.emplace(sql, stmt);
    return Statement(stmt);
}

std::int64_t Database::last_rowid() const {
    return sqlite3_last_insert_rowid(state_->db);
}
std::int64_t Database::changes() const {
    return sqlite3_changes64(state_->db);
}

Status Database::check() {
    TPF_TRY(auto statement, prepare("PRAGMA quick_check(1)"));
    TPF_TRY(const bool row, statement.step());
    if (!row || statement.text(0) != "ok") {
        return fail(Code::journal, "quick_check: " + (row ? statement.text(0) : std::string("no answer")));
    }
    return ok();
}

Result<Transaction> Transaction::begin(Database& db) {
    TPF_TRY(db.run("BEGIN IMMEDIATE"));
    return Transaction(db);
}

Transaction::~Transaction() {
    if (db_ != nullptr) static_cast<void>(db_->run("ROLLBACK").has_value());
}

Status Transaction::commit() {
    TPF_TRY(db_->run("COMMIT"));
    db_ = nullptr;
    return ok();
}

}  // namespace tpf::sqlite
