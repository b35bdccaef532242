#pragma once
// tpfctl keys …

#include "daemon/ctl.h"

namespace tpf::daemon {

void add_keys(CLI::App& app, Ctl& ctl);

}  // namespace tpf::daemon
