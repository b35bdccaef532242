#include "daemon/segments.h"

#include "audit/segments.h"
#include "base/log.h"
#include "daemon/core.h"

namespace tpf::daemon {

Status close_year(queue::Journal& journal, const Clock& clock) {
    audit::Segment open;
    TPF_TRY(journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(open, audit::open_segment(db));
        return ok();
    }));
    // A clock that was set back closes nothing: what comes then stays in the segment under way.
    if (open.year == 0 || audit::year_of(clock.utc()) <= open.year) return ok();
    TPF_TRY(journal.record(audit::closing_entry(kServiceActor, open)));
    log::info("the audit log's year is closed; `tpfctl audit archive` copies it",
              {{"year", static_cast<std::uint64_t>(open.year)}});
    return ok();
}

}  // namespace tpf::daemon
