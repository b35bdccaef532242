#pragma once
// What a pass may use: the key ring, under the settings that were pinned for the message.

#include "conf/output_settings.h"
#include "crypto/key_ring.h"
#include "daemon/pass_runner.h"
#include "pseudonym/pass.h"
#include "queue/journal.h"

namespace tpf::daemon {

/// Thread-safe, as the ring is.
class RingKeys final : public pseudonym::PassKeys {
  public:
    RingKeys(const crypto::KeyRing& ring, const conf::OutputSettings& settings) : ring_(ring), settings_(settings) {}
    [[nodiscard]] Result<crypto::KeyRing::MessageKey> message_key(const KeyId& id) const override;
    [[nodiscard]] Result<pseudonym::RegisterSetup> register_setup(const RegisterName& reg) const override;

  private:
    const crypto::KeyRing& ring_;
    const conf::OutputSettings& settings_;
};

/// A message that did not open is told to the ring, which suspends a legacy key after too many of them; before it does,
/// `suspended` (a key_event that names who or what it was) is in the audit log.
[[nodiscard]] Status note_failure(crypto::KeyRing& ring, queue::Journal& journal, const PassRun& run,
                                  AuditEntry suspended);
[[nodiscard]] pseudonym::PassLimits pass_limits(const conf::MessageLimits& limits);

}  // namespace tpf::daemon
