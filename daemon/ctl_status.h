#pragma once
// tpfctl status, top and metrics. Each returns the exit status.

#include "daemon/ctl.h"

namespace tpf::daemon {

/// For monitoring: 0 it is well, 1 something should be looked at, 2 somebody must act, or the core does not answer.
[[nodiscard]] int show_status(Ctl& ctl);
/// Live, until q, Ctrl-C or SIGTERM; the terminal is as it was afterwards. Refuses where there is no terminal: 2.
[[nodiscard]] int show_top(Ctl& ctl);
[[nodiscard]] int show_metrics(Ctl& ctl);

}  // namespace tpf::daemon
