#pragma once
// The key ring as the audit log's notes need it: the core's message-signing key signs its checkpoints too
// (docs/audit-log.md, "Keys"), and a register's receipt key cosigns them.

#include "audit/checkpoints.h"
#include "audit/note_keys.h"
#include "audit/witness.h"
#include "crypto/key_ring.h"

namespace tpf::daemon {

using NoteVerifier = audit::VerifierWith<crypto::VerifyKey>;

/// Thread-safe; the ring outlives it.
class RingSigner final : public audit::CheckpointSigner {
  public:
    explicit RingSigner(const crypto::KeyRing& ring) noexcept : ring_(ring) {}
    [[nodiscard]] std::shared_ptr<const audit::NoteSigner> signer() const override;

  private:
    const crypto::KeyRing& ring_;
};

/// All that ever signed: a retired or destroyed key's checkpoints stay good.
[[nodiscard]] std::vector<audit::Ed25519Key> log_keys(const crypto::KeyRing& ring);
/// What a register cosigns with, under its own name; none twice. Of keys that count now.
[[nodiscard]] std::vector<audit::NoteKey> witness_keys(const crypto::KeyRing& ring, const RegisterName& reg);
/// What it ever cosigned with: also with keys that were retired or destroyed since.
[[nodiscard]] std::vector<audit::NoteKey> former_witness_keys(const crypto::KeyRing& ring, const RegisterName& reg);

}  // namespace tpf::daemon
