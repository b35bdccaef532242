#pragma once
// `tpfctl audit export`.

#include "daemon/ctl.h"

namespace tpf::daemon {

/// Tiles, bundles where asked for, and last the checkpoint, into ctl.out. What came is recomputed: a log that has not
/// its own checkpoint's root is told of, and no checkpoint is written. The exit status.
int export_audit(Ctl& ctl);

}  // namespace tpf::daemon
