#pragma once
// tpfctl backup: all that TPF has on disk but its keys, into a folder. Form of a backup: docs/operations.md.

#include "conf/config.h"
#include "daemon/ctl.h"

namespace tpf::daemon {

void add_copy(CLI::App& app, Ctl& ctl);

/// The configuration that `--config` names.
[[nodiscard]] Result<conf::Config> config_of_copy(const Ctl& ctl);
/// `action` with the folder that was named: prints what it answers, returns the exit status.
[[nodiscard]] int run_copy(Ctl& ctl, Result<Json> (*action)(const Ctl&, const Path&));

}  // namespace tpf::daemon
