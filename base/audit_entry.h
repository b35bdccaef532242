#pragma once
// What a change of state must bring with it: its audit entry. The journal takes no change without one, so a change that
// is not logged does not compile. Who writes entries, and in which form, is the audit folder's business; it is handed
// the journal's own database inside the journal's own transaction, so that state and entry exist together or not at
// all.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/sha256.h"
#include "base/sqlite.h"
#include "base/types.h"

namespace tpf {

enum class AuditKind {
    start,
    stop,
    configuration,
    key_event,
    received,
    duplicate,
    held,
    claimed,
    pseudonymised,
    answered,
    delivered,
    quarantined,
    retried,
    discarded,
    receipt_refused,
    removed,
    operator_action,
    rebuilt,
};
[[nodiscard]] std::string_view to_string(AuditKind kind) noexcept;

/// One entry. Fields never hold an identity number, a pseudonym, a contact person's data, or anything that could be
/// tested offline against a guess of them; digests of whole messages are allowed.
class AuditEntry {
  public:
    /// `actor`: "tpfd" for what the service does by itself, the operator's user name for what a person asked for.
    AuditEntry(AuditKind kind, std::string actor) : kind_(kind), actor_(std::move(actor)) {}
    AuditEntry& message(const SpoolId& id) {
        message_ = id;
        return *this;
    }
    AuditEntry& with(std::string_view name, std::string_view value) {
        fields_.emplace_back(name, value);
        return *this;
    }
    AuditEntry& with(std::string_view name, std::uint64_t value) { return with(name, std::to_string(value)); }

    [[nodiscard]] AuditKind kind() const noexcept { return kind_; }
    [[nodiscard]] const std::string& actor() const noexcept { return actor_; }
    [[nodiscard]] const std::optional<SpoolId>& message() const noexcept { return message_; }
    [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& fields() const noexcept { return fields_; }

  private:
    AuditKind kind_;
    std::string actor_;
    std::optional<SpoolId> message_;
    std::vector<std::pair<std::string, std::string>> fields_;
};

/// The head of the Merkle tree (RFC 6962 § 2.1) over the first `size` entries. Default: the empty tree.
struct TreeHead {
    std::uint64_t size = 0;
    Digest root = sha256(std::string_view());
    friend bool operator==(const TreeHead&, const TreeHead&) = default;
};

/// The right edge of that tree, which is what it takes to go on from there: the roots of the perfect subtrees that
/// the first `size` entries make up, the largest first, one for each 1 bit of `size`. Default: the empty tree.
struct CompactRange {
    std::uint64_t size = 0;
    std::vector<Digest> peaks{};
    friend bool operator==(const CompactRange&, const CompactRange&) = default;
};

/// A place in the log: an entry's number and the hash that binds it to all before it. {0, zeros} is the beginning.
struct ChainPoint {
    std::uint64_t seq = 0;
    Digest hash{};
    friend bool operator==(const ChainPoint&, const ChainPoint&) = default;
};

/// An entry as it stands in the log, for whoever keeps a second copy of it.
struct WrittenEntry {
    ChainPoint point;
    std::optional<SpoolId> message;
    std::string canonical;  ///< the bytes that are hashed: one line of JSON
};

/// Writes entries into a database that somebody else opened. Called inside that database's open transaction, by one
/// thread at a time. An error means that the transaction must not commit.
class AuditSink {
  public:
    virtual ~AuditSink() = default;
    /// Creates what it needs; called once, before anything else.
    [[nodiscard]] virtual Status prepare(sqlite::Database& db) = 0;
    [[nodiscard]] virtual Result<WrittenEntry> append(sqlite::Database& db, const AuditEntry& entry, UtcTime time) = 0;

    // --- for a second copy of the log ---
    /// Where the log ends; or, where `seq` is given, the point of that entry (Code::not_found: the log ends before it).
    [[nodiscard]] virtual Result<ChainPoint> point(sqlite::Database& db,
                                                   std::optional<std::uint64_t> seq = std::nullopt) = 0;
    /// Up to `limit` entries after `from`, oldest first, each recomputed. Code::journal names the first that does not
    /// follow from the one before.
    [[nodiscard]] virtual Result<std::vector<WrittenEntry>> entries(sqlite::Database& db, const ChainPoint& from,
                                                                    std::size_t limit) = 0;
    /// The entry that `canonical` is after `from`. Code::journal: it is not in its one form, or not the next one.
    [[nodiscard]] virtual Result<WrittenEntry> follow(const ChainPoint& from, std::string_view canonical) const = 0;
    /// Writes an entry that follow() gave for the log's end.
    [[nodiscard]] virtual Status restore(sqlite::Database& db, const WrittenEntry& entry) = 0;
};

}  // namespace tpf
