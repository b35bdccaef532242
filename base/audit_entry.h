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
    log_origin,      ///< under which origin the log's checkpoints are made from here on
    witnessed,       ///< a cosignature was taken in that came with no receipt
    contradicted,    ///< somebody else holds a checkpoint that this log does not follow from
    list_deleted,    ///< a message's list in the pseudonym log is gone, by two operators' will
    segment_closed,  ///< the last entry of a year's segment
};
[[nodiscard]] std::string_view to_string(AuditKind kind) noexcept;

/// A checkpoint of this log that somebody else cosigned. Not part of an entry's bytes: kept beside the log, in the
/// transaction of the entry that brings it.
struct WitnessedNote {
    std::string witness;  ///< the name that it cosigns under
    std::uint64_t size = 0;
    std::string note;  ///< verified by whoever brings it
};

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
    AuditEntry& witnessed(WitnessedNote note) {
        witnessed_ = std::move(note);
        return *this;
    }

    [[nodiscard]] AuditKind kind() const noexcept { return kind_; }
    [[nodiscard]] const std::string& actor() const noexcept { return actor_; }
    [[nodiscard]] const std::optional<SpoolId>& message() const noexcept { return message_; }
    [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& fields() const noexcept { return fields_; }
    [[nodiscard]] const std::optional<WitnessedNote>& witnessed() const noexcept { return witnessed_; }

  private:
    AuditKind kind_;
    std::string actor_;
    std::optional<SpoolId> message_;
    std::vector<std::pair<std::string, std::string>> fields_;
    std::optional<WitnessedNote> witnessed_;
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

/// An entry as it stands in the log, for whoever keeps a second copy of it.
struct WrittenEntry {
    TreeHead head;  ///< of the log with this entry as its last one: head.size is the entry's number
    std::optional<SpoolId> message;
    std::string canonical;  ///< the bytes that are hashed: one line of JSON (docs/audit-log.md)
};

/// Writes entries into a database that somebody else opened. Called inside that database's open transaction, by one
/// thread at a time. An error means that the transaction must not commit.
class AuditSink {
  public:
    virtual ~AuditSink() = default;
    /// Creates what it needs; called once, before anything else.
    [[nodiscard]] virtual Status prepare(sqlite::Database& db) = 0;
    [[nodiscard]] virtual Result<WrittenEntry> append(sqlite::Database& db, const AuditEntry& entry, UtcTime time) = 0;
    /// The end of a transaction that appended something: the place to sign for what is in the log now.
    [[nodiscard]] virtual Status seal(sqlite::Database& db, UtcTime time) = 0;

    // --- for checks, and for a second copy of the log ---
    /// How many entries there are.
    [[nodiscard]] virtual Result<std::uint64_t> size(sqlite::Database& db) = 0;
    /// The head of the first `size` entries' tree, from its stored nodes. Code::not_found: the log ends before.
    [[nodiscard]] virtual Result<TreeHead> head(sqlite::Database& db, std::uint64_t size) = 0;
    /// Up to `limit` entries after the first `from.size`, oldest first, each looked at by itself. Code::journal: the
    /// log does not begin with `from`, or names the first entry that is not the one that was written.
    [[nodiscard]] virtual Result<std::vector<WrittenEntry>> entries(sqlite::Database& db, const TreeHead& from,
                                                                    std::size_t limit) = 0;
    /// The entry that `canonical` would be as the next one of this log; nothing is written. Code::journal: it is not in
    /// its one form, or has another number.
    [[nodiscard]] virtual Result<WrittenEntry> follow(sqlite::Database& db, std::string_view canonical) = 0;
    /// Writes the next entry as it stands. Code::journal: as follow(), or the log would not have the head that the
    /// entry names.
    [[nodiscard]] virtual Status restore(sqlite::Database& db, const WrittenEntry& entry) = 0;
    /// Recomputes up to `limit` entries and the nodes that they complete, from `at` on, which is trusted and moves
    /// behind the last good one; also where this fails. Returns how many: 0 is the end. Code::journal says which entry,
    /// or which node, is not the one that was written.
    [[nodiscard]] virtual Result<std::uint64_t> verify(sqlite::Database& db, CompactRange& at, std::size_t limit) = 0;
};

}  // namespace tpf
