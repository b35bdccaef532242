#pragma once
// A line on standard error that is written over, when somebody looks.

#include <functional>

#include "daemon/control_protocol.h"

namespace tpf::daemon {

/// Told of {"part","done","of"}.
using ShowProgress = std::function<void(const Json&)>;
/// Empty where standard error is no terminal.
[[nodiscard]] ShowProgress progress_line();
/// Wipes it.
void end_progress_line();

}  // namespace tpf::daemon
