#pragma once
// `tpfctl audit report`: a period of the log as one HTML file.

#include "daemon/ctl.h"

namespace tpf::daemon {

void add_report(CLI::App& audit, Ctl& ctl);

}  // namespace tpf::daemon
