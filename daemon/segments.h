#pragma once
// Closing the audit log's years (audit/segments.h).

#include "base/clock.h"
#include "queue/journal.h"

namespace tpf::daemon {

/// Closes the segment under way where its year is over by the clock; else writes nothing. Asked at each start, before
/// the new year's first entry, and every few minutes.
[[nodiscard]] Status close_year(queue::Journal& journal, const Clock& clock);

}  // namespace tpf::daemon
