#pragma once
// `tpfctl audit pseudonym`, `person`, `requests`, `approve` and `answer`: questions that two operators ask together.

#include "daemon/ctl.h"

namespace tpf::daemon {

void add_lookups(CLI::App& audit, Ctl& ctl);

}  // namespace tpf::daemon
