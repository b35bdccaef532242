#pragma once
// tpfctl restore: puts a backup back, as root. What a crash leaves: folders of root that the core refuses to work in.
// The files that were written are removed before another restore.

#include "daemon/ctl.h"

namespace tpf::daemon {

void add_restore(CLI::App& app, Ctl& ctl);

}  // namespace tpf::daemon
