#pragma once
// `tpfctl audit verify --archive`: archived segments of the log, judged without the installation (docs/audit-log.md,
// "Segments").

#include "audit/note.h"
#include "audit/witness.h"
#include "daemon/ctl.h"

namespace tpf::daemon {

/// Every segment in ctl.out, or the one that it is; exit status 0 when all are good and none is missing between them.
/// Of `witnesses`, where there are any, one must have cosigned each; several keys of one name are that witness's over
/// the years, and so are `log`'s.
int verify_archive(Ctl& ctl, const audit::LogKeys& log, const std::vector<audit::NoteKey>& witnesses);

}  // namespace tpf::daemon
