#pragma once
// tpfctl audit …

#include "daemon/ctl.h"

namespace tpf::daemon {

void add_audit(CLI::App& app, Ctl& ctl);

}  // namespace tpf::daemon
