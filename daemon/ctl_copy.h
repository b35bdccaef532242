#pragma once
// tpfctl backup: all that TPF has on disk but its keys, into a folder. Form of a backup: docs/operations.md.

#include "daemon/ctl.h"

namespace tpf::daemon {

void add_copy(CLI::App& app, Ctl& ctl);

/// `action` with the folder that was named: prints what it answers, returns the exit status.
[[nodiscard]] int run_copy(Ctl& ctl, Result<Json> (*action)(const Ctl&, const Path&));

}  // namespace tpf::daemon
