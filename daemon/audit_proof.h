#pragma once
// A file that proves a message's entries to whoever trusts the log's key, or a witness's, without asking anybody
// (docs/audit-log.md, "Proofs"): the entries' bytes, an inclusion proof for each, one checkpoint.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/entry_form.h"
#include "audit/merkle.h"
#include "audit/note.h"
#include "audit/witness.h"
#include "base/types.h"

namespace tpf::daemon {

struct ProvedEntry {
    std::string canonical;
    audit::Proof proof;
};
struct AuditProof {
    SpoolId message;
    std::string checkpoint;  ///< the note
    std::vector<ProvedEntry> entries;
};

inline constexpr std::size_t kMaxProofFile = std::size_t{16} << 20;
/// One line of JSON.
[[nodiscard]] std::string write_audit_proof(const AuditProof& proof);
/// Code::evidence: not such a file.
[[nodiscard]] Result<AuditProof> parse_audit_proof(std::string_view text);

/// What a file proves.
struct Proved {
    audit::OpenedNote checkpoint;
    std::vector<audit::EntryParts> entries;
};
/// `witnesses`: none, or those of which one must have cosigned. Code::evidence says which part proves nothing.
[[nodiscard]] Result<Proved> verify_audit_proof(const AuditProof& proof, const audit::LogKeys& log,
                                                std::span<const audit::NoteKey> witnesses,
                                                const audit::NoteVerifier& verifier);

}  // namespace tpf::daemon
