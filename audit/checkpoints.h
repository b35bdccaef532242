#pragma once
// The log's checkpoints as the journal's database keeps them (docs/audit-log.md, "Checkpoints"): its own, made at the
// end of each transaction that appended something, and those that others cosigned. Of each the newest is kept, and the
// last of every day (UTC); what lies between follows from them. Functions on a database that somebody else opened,
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
};

/// Makes the tables where they are missing.
[[nodiscard]] Status prepare_checkpoints(sqlite::Database& db);

/// A name that no other log has: INSTALLATION "/tpf/" UUID.
[[nodiscard]] std::string new_origin(std::string_view installation);
/// The entry after which the log has that origin.
[[nodiscard]] AuditEntry origin_entry(const std::string& actor, const std::string& origin);
/// Of the newest log_origin entry; none: the log has no origin yet, and no checkpoints.
[[nodiscard]] Result<std::optional<std::string>> log_origin(sqlite::Database& db);

/// Signs for all that is in the log; nothing where it has no origin, or no entries.
[[nodiscard]] Status make_checkpoint(sqlite::Database& db, AuditSink& log, const NoteSigner& signer, UtcTime now);
/// Code::evidence: not a checkpoint's note.
[[nodiscard]] Status keep_witnessed(sqlite::Database& db, const WitnessedNote& note, UtcTime now);

/// The newest of this witness; of the log itself where it is empty.
[[nodiscard]] Result<std::optional<KeptNote>> newest_note(sqlite::Database& db, std::string_view witness = "");
/// The one that the most entries stand under, whoever cosigned it.
[[nodiscard]] Result<std::optional<KeptNote>> newest_witnessed(sqlite::Database& db);
/// All that are kept, by witness and size.
[[nodiscard]] Result<std::vector<KeptNote>> kept_notes(sqlite::Database& db);

}  // namespace tpf::audit
