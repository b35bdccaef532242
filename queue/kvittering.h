#pragma once
// The receipt to the sender (kvittering): formats.md § 4b as a pure function of what the journal has.

#include <functional>
#include <string>
#include <string_view>

#include "base/person_marks.h"
#include "base/result.h"
#include "queue/message_row.h"

namespace tpf::queue {

/// Takes a text piece by piece; its error ends the writing.
using TextSink = std::function<Status(std::string_view)>;

/// One line of JSON with a final LF; keys in the format's order, absent values left out. `original`: for a duplicate,
/// the message that it repeats, whose outcome is its answer (`mottatt` stays its own); else nullptr. `marks`: of the
/// row that answers, all of them; written in pieces, so that a million need no more memory than one. `status` is
/// "levert" once delivered, "avvist" when quarantined under a code that is final or discarded, else "under behandling".
/// `feil` comes with the catalogue's bokmål text, where the catalogue has one for senders.
[[nodiscard]] Status write_kvittering(const MessageRow& row, const MessageRow* original, const PersonMarks& marks,
                                      const TextSink& sink);
/// The same as one text.
[[nodiscard]] std::string kvittering_json(const MessageRow& row, const MessageRow* original,
                                          const PersonMarks& marks = {});

}  // namespace tpf::queue
