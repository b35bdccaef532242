#pragma once
// The log's checkpoints as the journal's database keeps them (docs/audit-log.md, "Checkpoints"): its own, made at the
// end of each transaction that appended something, and those that others cosigned. Of each, under each origin, the last
// of every day (UTC) is kept; what lies between follows from them. Functions on a database that somebody else opened,
// inside its transaction where they write.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/note.h"
#include "base/audit_entry.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/sqlite.h"

namespace tpf::audit {

/// Whose key signs now. Asked for each checkpoint, so that a new key counts at once. Thread-safe.
class CheckpointSigner {
  public:
    virtual ~CheckpointSigner() = default;
    /// Null: there is no key, and no checkpoint is made.
    [[nodiscard]] virtual std::shared_ptr<const NoteSigner> signer() const = 0;
};

struct KeptNote {
    TreeHead head;
    std::string witness;  ///< empty: the log's own
    std::string note;
    std::string origin{};
    std::int64_t day = 0;  ///< since 1970 (UTC), on which it was kept
};

/// Makes the tables where they are missing, and of another form those of an earlier version.
[[nodiscard]] Status prepare_checkpoints(sqlite::Database& db);

/// A name that no other log has: INSTALLATION "/tpf/" UUID.
[[nodiscard]] std::string new_origin(std::string_view installation);
/// The entry after which the log has that origin.
[[nodiscard]] AuditEntry origin_entry(const std::string& actor, const std::string& origin);
/// Of the newest log_origin entry, or the newest up to entry `through`; none: the log has no origin yet, and no
/// checkpoints.
[[nodiscard]] Result<std::optional<std::string>> log_origin(sqlite::Database& db, std::uint64_t through = INT64_MAX);

/// Signs for all that is in the log; nothing where it has no origin, or no entries.
[[nodiscard]] Status make_checkpoint(sqlite::Database& db, AuditSink& log, const NoteSigner& signer, UtcTime now);
/// Nothing where one of the same day with more entries is there. Code::evidence: not a checkpoint's note.
[[nodiscard]] Status keep_witnessed(sqlite::Database& db, const WitnessedNote& note, UtcTime now);

// --- under the log's present origin ---
/// The newest of this witness; of the log itself where it is empty.
[[nodiscard]] Result<std::optional<KeptNote>> newest_note(sqlite::Database& db, std::string_view witness = "");
/// The one that the most entries stand under, whoever cosigned it.
[[nodiscard]] Result<std::optional<KeptNote>> newest_witnessed(sqlite::Database& db);

// --- under any ---
/// Of each witness the smallest under `origin` of at least `least` entries, where the log begins with it. One query.
[[nodiscard]] Result<std::vector<KeptNote>> witnessed_from(sqlite::Database& db, AuditSink& log,
                                                           std::string_view origin, std::uint64_t least);
/// Up to `limit` of those that are kept, behind `after` (default: from the beginning), by witness, origin and day.
[[nodiscard]] Result<std::vector<KeptNote>> kept_notes(sqlite::Database& db, const KeptNote& after, std::size_t limit);
/// Of a journal that is damaged, into the one that takes its place: all that can be read there and have their form.
/// Errors are those of `to`.
[[nodiscard]] Status carry_notes(sqlite::Database& from, sqlite::Database& to);
/// For a log that goes on under another `origin`, since it lost entries or was restored: names the newest checkpoint
/// that somebody cosigned under the present one, or where nobody did its own newest.
[[nodiscard]] Result<AuditEntry> next_origin_entry(sqlite::Database& db, const std::string& actor,
                                                   const std::string& origin);

}  // namespace tpf::audit
