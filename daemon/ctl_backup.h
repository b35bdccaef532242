#pragma once
// tpfctl keys backup and restore. Both work on the key ring's folder themselves, with its passphrase: who can read
// neither gets nothing here that the core would not show.

#include "daemon/ctl.h"

namespace tpf::daemon {

void add_backup(CLI::App& keys, Ctl& ctl);

}  // namespace tpf::daemon
