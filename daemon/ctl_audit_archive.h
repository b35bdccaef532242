#pragma once
// `tpfctl audit archive` and `audit segments`: the log's closed years, copied (docs/audit-log.md, "Segments").

#include "daemon/ctl.h"

namespace tpf::daemon {

void add_archive(CLI::App& audit, Ctl& ctl);

}  // namespace tpf::daemon
