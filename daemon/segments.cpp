#include "daemon/segments.h"

#include "audit/segments.h"
#include "base/log.h"
#include "daemon/core.h"

namespace tpf::daemon {

Status close_year(queue::Journal& journal, const Clock& clock, ClockTrust trust) {
    audit::OpenSegment open;
    TPF_TRY(journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(open, audit::open_segment(db));
        return ok();
    }));
    if (open.segment.year == 0) return ok();
    const bool over = audit::year_of(clock.utc()) > open.segment.year;
    const bool from_the_future = trust == ClockTrust::settled && open.began > clock.utc() + std::chrono::days(1);
    if (!over && !from_the_future) return ok();
    TPF_TRY(journal.record(audit::closing_entry(kServiceActor, open.segment)));
    log::info("the audit log's year is closed; `tpfctl audit archive` copies it",
              {{"year", static_cast<std::uint64_t>(open.segment.year)}});
    return ok();
}

}  // namespace tpf::daemon
