#pragma once
// A thin hand on SQLite: one connection, prepared statements kept, every result code checked. Errors are Code::journal
// (stop), but for a full disk (disk_full) and a damaged or foreign file (journal, with the way on in the hint).

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace tpf::sqlite {

/// A prepared statement, being bound or stepped. Indexes of bind start at 1, of columns at 0 (as SQLite's do).
/// Reset when it goes out of scope. Belongs to its Database, and to its thread.
class Statement {
  public:
    explicit Statement(sqlite3_stmt* stmt) noexcept : stmt_(stmt) {}
    Statement(Statement&& other) noexcept : stmt_(std::exchange(other.stmt_, nullptr)) {}
    Statement& operator=(Statement&&) = delete;
    ~Statement();
    Statement& bind(int index, std::string_view text);
    Statement& bind(int index, std::int64_t number);
    Statement& bind_blob(int index, std::span<const std::uint8_t> bytes);
    Statement& bind_null(int index);
    /// True: a row is there. False: done.
    [[nodiscard]] Result<bool> step();
    /// For statements without rows.
    [[nodiscard]] Status run();
    [[nodiscard]] std::string text(int column) const;
    [[nodiscard]] std::optional<std::string> text_or_null(int column) const;
    /// Valid until the statement moves on.
    [[nodiscard]] std::span<const std::uint8_t> blob(int column) const;
    [[nodiscard]] std::int64_t number(int column) const;
    [[nodiscard]] bool is_null(int column) const;

  private:
    sqlite3_stmt* stmt_;
};

/// One connection. Not thread-safe: one thread at a time. Closed (and its WAL checkpointed) by the destructor.
class Database {
  public:
    /// Opens or creates, WAL with synchronous=FULL, exclusive lock (one connection only: 3.40.1 has the WAL-reset bug
    /// with two), foreign keys on. `mode` 0600. A second opener gets Code::locked.
    [[nodiscard]] static Result<Database> open(const std::filesystem::path& path);
    /// Opens what is there, to look at it: nothing in the file or its WAL changes, at the end neither. Code::not_found.
    [[nodiscard]] static Result<Database> inspect(const std::filesystem::path& path);
    Database(Database&&) noexcept;
    Database& operator=(Database&&) noexcept;
    ~Database();

    /// One or more statements without parameters or rows.
    [[nodiscard]] Status execute(std::string_view sql);
    /// One statement without parameters or rows, prepared once per text and kept.
    [[nodiscard]] Status run(std::string_view sql);
    /// Prepared once per text and kept.
    [[nodiscard]] Result<Statement> prepare(std::string_view sql);
    [[nodiscard]] std::int64_t last_rowid() const;
    /// Rows that the last INSERT, UPDATE or DELETE changed.
    [[nodiscard]] std::int64_t changes() const;
    /// Code::journal when SQLite's quick_check finds damage.
    [[nodiscard]] Status check();

  private:
    struct State;
    explicit Database(std::unique_ptr<State> state) noexcept;
    std::unique_ptr<State> state_;
};

/// BEGIN IMMEDIATE … COMMIT; rolled back by the destructor unless commit() succeeded.
class Transaction {
  public:
    [[nodiscard]] static Result<Transaction> begin(Database& db);
    Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    /// After an error the process stops: what is on disk is not known until it is opened again.
    [[nodiscard]] Status commit();

  private:
    explicit Transaction(Database& db) noexcept : db_(&db) {}
    Database* db_;
};

}  // namespace tpf::sqlite
