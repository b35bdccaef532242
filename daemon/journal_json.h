#pragma once
// What `tpfctl journal …` answers, whoever did the work: the core, or tpfctl itself while the core is stopped.

#include "daemon/control_protocol.h"
#include "queue/journal_copy.h"
#include "queue/journal_inspect.h"
#include "queue/journal_rebuild.h"

namespace tpf::daemon {

[[nodiscard]] Json inspect_json(const queue::InspectReport& report);
[[nodiscard]] Json progress_json(const queue::InspectProgress& progress);
[[nodiscard]] Json rebuild_json(const queue::RebuildReport& report);

}  // namespace tpf::daemon
