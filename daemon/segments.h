#pragma once
// Closing the audit log's years (audit/segments.h).

#include "base/clock.h"
#include "queue/journal.h"

namespace tpf::daemon {

enum class ClockTrust {
    fresh,    ///< just started: the clock may be about to be set
    settled,  ///< it has been running for an hour
};

/// Closes the segment under way where its year is over by the clock; else writes nothing. With a settled clock also one
/// that began more than a day in the future: the clock was wrong then. Asked at each start, once the log has its
/// origin, and every minute.
[[nodiscard]] Status close_year(queue::Journal& journal, const Clock& clock, ClockTrust trust);

}  // namespace tpf::daemon
