#pragma once
// What a start does before anything else: makes the spool agree with the journal. May itself be cut off at any point
// and run again. Needs no keys.
//
// The journal decides, since a change is committed there first and carried out in the folders after:
//   claimed      inbox/new/ID, quarantine/ID → work/ID; an unpublished output is dropped
//   committed    work/ID.ut → outbox/ID. No output anywhere: quarantined (Code::record_damaged), a retry makes it anew
//   quarantined, held   → quarantine/ID, output dropped
//   delivered    outbox/ID → work/ID.ut while payloads are kept; removed once the row says removed
//   discarded, duplicate  payloads removed
// An answer in receipts/new for a message that is not committed is removed.
// What cannot be moved or removed because its source's rights or content stand in the way is left and counted
// (Spool::blocked()); the next start tries again, and a claimed message is tried again while the service runs.
// An entry in inbox/new without a row is new and stays. One in work, outbox or quarantine without a row means that this
// is not the spool's journal: Code::journal (stop), nothing is touched.

#include "base/clock.h"
#include "base/result.h"
#include "queue/journal.h"
#include "queue/spool.h"

namespace tpf::queue {

struct RecoveryReport {
    std::uint64_t claimed_moves = 0;  ///< moves of a claim carried out
    std::uint64_t published = 0;      ///< outputs put into outbox
    std::uint64_t outputs_dropped = 0;
    std::uint64_t quarantine_moves = 0;
    std::uint64_t payloads_removed = 0;
    std::uint64_t receipts_removed = 0;
    std::uint64_t damaged = 0;    ///< committed without an output: quarantined
    std::uint64_t strangers = 0;  ///< names that are no spool id, left alone
    std::uint64_t left = 0;       ///< could not be moved or removed: Spool::blocked()
};

/// Called before any source or worker runs.
[[nodiscard]] Result<RecoveryReport> recover(Spool& spool, Journal& journal, const Clock& clock);

}  // namespace tpf::queue
