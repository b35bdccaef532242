#pragma once
// The checkpoints that are kept beside the audit log, looked at one by one (docs/audit-log.md, "What a check finds").

#include <map>
#include <string>
#include <vector>

#include "audit/checkpoints.h"
#include "crypto/key_ring.h"
#include "daemon/control_protocol.h"

namespace tpf::daemon {

/// Each must be signed by a key of this log, cosigned by whoever it is kept for, and of this log: a register's by one
/// of its receipt keys, another witness's by the key of its `witnessed` entry. A note under a former origin that the
/// log does not begin with is told of and no fault: the `log-origin` entry says what was lost. Not thread-safe.
class KeptNotes {
  public:
    /// The ring outlives it.
    explicit KeptNotes(const crypto::KeyRing& ring) noexcept : ring_(ring) {}
    /// The next of them; false: there are no more.
    [[nodiscard]] Result<bool> judge_some(sqlite::Database& db);
    /// Members `witnessed` (each witness with the largest that it cosigned under the present origin), `former`, and
    /// where something is wrong `good` and `faults`.
    void tell(Json& json) const;

  private:
    [[nodiscard]] Status judge(sqlite::Database& db, const audit::KeptNote& note);
    [[nodiscard]] Result<std::vector<audit::NoteKey>> keys_of(sqlite::Database& db, const std::string& witness) const;

    const crypto::KeyRing& ring_;
    audit::KeptNote last_{};
    std::map<std::string, std::uint64_t> witnessed_;  // the largest that each cosigned under the present origin
    Json former_ = Json::array();
    Json faults_ = Json::array();
};

}  // namespace tpf::daemon
