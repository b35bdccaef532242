#pragma once
// The receipt to the sender (kvittering): formats.md § 4b as a pure function of the journal's row.

#include <string>

#include "queue/message_row.h"

namespace tpf::queue {

/// One line of JSON with a final LF; keys in the format's order, absent values left out. `original`: for a duplicate,
/// the message that it repeats, whose outcome is its answer (`mottatt` stays its own); else nullptr.
/// `status` is "levert" once delivered, "avvist" when quarantined under a code that is final or discarded, else "under
/// behandling". `feil` comes with the catalogue's bokmål text, where the catalogue has one for senders.
[[nodiscard]] std::string kvittering_json(const MessageRow& row, const MessageRow* original);

}  // namespace tpf::queue
