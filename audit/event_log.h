#pragma once
// The log of events: an append-only table in the journal's database whose rows are the leaves of a Merkle tree (RFC
// 6962; docs/audit-log.md), and a table of that tree's nodes. Triggers refuse UPDATE, DELETE and gaps. An edit in the
// middle shows against the leaf hashes and nodes; a log that was rewritten with all of them, or cut off at its end,
// shows only against a tree head that somebody else keeps.
//
// Appending costs O(log n) reads; a tree head at any earlier size, and every proof, too.

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "audit/checkpoints.h"
#include "audit/entry_form.h"
#include "audit/merkle.h"
#include "base/audit_entry.h"
#include "base/sha256.h"

namespace tpf::audit {

/// A row as it is stored.
struct LoggedEvent : EntryParts {
    Digest leaf{};  ///< RFC 6962 leaf hash of the entry's bytes
};

/// For list(): rows with seq > after, oldest first.
struct EventFilter {
    std::uint64_t after = 0;
    std::optional<std::uint64_t> through{};  ///< rows with seq <= through
    std::optional<UtcTime> from{};           ///< inclusive
    std::optional<UtcTime> until{};          ///< exclusive
    std::optional<AuditKind> kind{};
    std::optional<std::string> actor{};
    std::optional<SpoolId> message{};
    // Of the entry's message, as the journal's table `messages` beside the log has it; empty: all.
    std::string kommune{};      ///< four digits
    std::string to_register{};  ///< its name
    std::size_t limit = 1000;
    bool newest_first = false;
};

/// The row of node (level, index) in audit_nodes; level at least 1. Nodes are numbered from 1 in the order in which
/// leaves complete them, the lower of those that one leaf completes first, so that the table only ever grows at its
/// end.
[[nodiscard]] std::uint64_t node_row(unsigned level, std::uint64_t index);
/// How many nodes of level 1 and up a log of `size` entries has.
[[nodiscard]] std::uint64_t nodes_of_size(std::uint64_t size);

/// The tree's nodes as they are stored. Code::journal: one is missing, or is no hash. `db` outlives it.
class StoredNodes final : public NodeSource {
  public:
    explicit StoredNodes(sqlite::Database& db) : db_(&db) {}
    [[nodiscard]] Result<Digest> node(unsigned level, std::uint64_t index) override;

  private:
    sqlite::Database* db_;
};

/// Everything is in the database that it is handed, so a rolled-back transaction leaves nothing behind. Errors: those
/// of base/sqlite.h; Code::internal for an entry that cannot be written (fields_text()).
class EventLog final : public AuditSink {
  public:
    [[nodiscard]] Status prepare(sqlite::Database& db) override;
    [[nodiscard]] Result<WrittenEntry> append(sqlite::Database& db, const AuditEntry& entry, UtcTime time) override;
    /// From now on each transaction ends in a checkpoint. `signer` outlives the log. Thread-safe.
    void sign_with(const CheckpointSigner& signer) noexcept { signer_ = &signer; }
    [[nodiscard]] Status seal(sqlite::Database& db, UtcTime time) override;
    [[nodiscard]] Result<std::uint64_t> size(sqlite::Database& db) override;
    [[nodiscard]] Result<TreeHead> head(sqlite::Database& db, std::uint64_t size) override;
    [[nodiscard]] Result<std::vector<WrittenEntry>> entries(sqlite::Database& db, const TreeHead& from,
                                                            std::size_t limit) override;
    [[nodiscard]] Result<WrittenEntry> follow(sqlite::Database& db, std::string_view canonical) override;
    [[nodiscard]] Status restore(sqlite::Database& db, const WrittenEntry& entry) override;
    [[nodiscard]] Result<std::uint64_t> verify(sqlite::Database& db, CompactRange& at, std::size_t limit) override;

    [[nodiscard]] static Result<std::vector<LoggedEvent>> list(sqlite::Database& db, const EventFilter& filter);

  private:
    std::atomic<const CheckpointSigner*> signer_{nullptr};
};

}  // namespace tpf::audit
