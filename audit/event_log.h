#pragma once
// The log of events: an append-only table in the journal's database, each row chained to the one before by SHA-256
// (docs/spool-format.md, "audit"). Triggers refuse UPDATE and DELETE. The chain shows edits in the middle; that the
// end was cut off shows only against a point that somebody else keeps (ChainPoint).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/audit_entry.h"
#include "base/sha256.h"

namespace tpf::audit {

/// A row as it is stored. `fields` is a JSON object, keys sorted.
struct LoggedEvent {
    std::uint64_t seq = 0;  ///< from 1, without gaps
    UtcTime time;
    std::string kind;
    std::string actor;
    std::optional<SpoolId> message;
    std::string fields;
    std::string hash;  ///< lower-case hex
};

/// For list(): rows with seq > after, oldest first.
struct EventFilter {
    std::uint64_t after = 0;
    std::optional<UtcTime> from{};   ///< inclusive
    std::optional<UtcTime> until{};  ///< exclusive
    std::optional<AuditKind> kind{};
    std::optional<std::string> actor{};
    std::optional<SpoolId> message{};
    std::size_t limit = 1000;
    bool newest_first = false;  ///< then `after` is not used
};

using tpf::ChainPoint;

/// Stateless: everything is in the database that it is handed, so a rolled-back transaction leaves nothing behind.
/// Errors: those of base/sqlite.h; Code::internal for an entry with the same field twice or text that is not UTF-8.
class EventLog final : public AuditSink {
  public:
    [[nodiscard]] Status prepare(sqlite::Database& db) override;
    [[nodiscard]] Result<WrittenEntry> append(sqlite::Database& db, const AuditEntry& entry, UtcTime time) override;
    [[nodiscard]] Result<ChainPoint> point(sqlite::Database& db,
                                           std::optional<std::uint64_t> seq = std::nullopt) override;
    [[nodiscard]] Result<std::vector<WrittenEntry>> entries(sqlite::Database& db, const ChainPoint& from,
                                                            std::size_t limit) override;
    [[nodiscard]] Result<WrittenEntry> follow(const ChainPoint& from, std::string_view canonical) const override;
    [[nodiscard]] Status restore(sqlite::Database& db, const WrittenEntry& entry) override;

    [[nodiscard]] static Result<std::vector<LoggedEvent>> list(sqlite::Database& db, const EventFilter& filter);
    /// Recomputes up to `limit` rows after `from` and returns the last good point; `from` itself at the end. Call until
    /// it no longer moves, in steps, so that commits are not kept waiting. Code::journal names the first row that does
    /// not fit (gap, other hash); asked through the journal, that stops the journal.
    [[nodiscard]] static Result<ChainPoint> verify(sqlite::Database& db, const ChainPoint& from, std::size_t limit);
};

}  // namespace tpf::audit
