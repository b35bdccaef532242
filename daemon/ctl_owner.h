#pragma once
// For what tpfctl does in the core's own folders while the core is stopped.

#include "base/fs.h"

namespace tpf::daemon {

/// As root, go on as the owner of `folder` for good: what root makes there the core could not open. Else nothing
/// happens.
[[nodiscard]] Status become_owner(const Path& folder);

}  // namespace tpf::daemon
