#pragma once
// What the parts of tpfd share. Everything in it is thread-safe and outlives them.

#include <memory>

#include "base/clock.h"
#include "base/fs.h"
#include "crypto/key_ring.h"
#include "daemon/lifecycle.h"
#include "daemon/live_config.h"
#include "daemon/message_locks.h"
#include "daemon/metrics.h"
#include "daemon/proposals.h"
#include "daemon/witnesses.h"
#include "queue/journal.h"
#include "queue/spool.h"

namespace tpf::daemon {

struct Core {
    FileSystem& fs;
    const Clock& clock;
    LiveConfig& config;
    queue::Spool& spool;
    queue::Journal& journal;
    crypto::KeyRing& keys;
    Lifecycle& lifecycle;
    MessageLocks& locks;
    Metrics& metrics;
    Witnesses& witnesses;
    Proposals& proposals;
    const crypto::Pkcs11Token* token = nullptr;  ///< none where none is configured
};

/// The name under which the service itself stands in the audit log.
inline constexpr const char* kServiceActor = "tpfd";
/// The embedded source behind `tpfctl submit`.
inline constexpr const char* kOperatorSource = "operator";
/// Files of an owner that is no configured source.
inline constexpr const char* kUnknownSource = "unknown";

}  // namespace tpf::daemon
