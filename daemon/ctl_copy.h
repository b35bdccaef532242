#pragma once
// tpfctl backup and restore: all that TPF has on disk but its keys. Form of a backup: docs/operations.md.

#include "daemon/ctl.h"

namespace tpf::daemon {

void add_copy(CLI::App& app, Ctl& ctl);

}  // namespace tpf::daemon
