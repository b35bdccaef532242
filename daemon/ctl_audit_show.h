#pragma once
// `tpfctl audit show`: all that fits the filters, page by page as it comes, for people (through a pager on a terminal),
// as JSON or as CSV.

#include "daemon/ctl.h"

namespace tpf::daemon {

/// The exit status.
int show_audit(Ctl& ctl);

}  // namespace tpf::daemon
