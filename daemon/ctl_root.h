#pragma once
// `tpfctl keys root …`: the key that vouches for key files, made and used on a machine without a network. Needs neither
// configuration nor core.

#include "daemon/ctl.h"

namespace tpf::daemon {

void add_root(CLI::App& keys, Ctl& ctl);

}  // namespace tpf::daemon
