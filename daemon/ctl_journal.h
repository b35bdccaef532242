#pragma once
// What tpfctl does with the journal itself while the core is stopped. As root it goes on as the owner of the journal's
// folder, so that what it makes belongs to the core.

#include "conf/config.h"
#include "daemon/control_client.h"
#include "daemon/ctl_progress.h"

namespace tpf::daemon {

/// `journal check`. Code::locked: the core runs.
[[nodiscard]] Result<ControlAnswer> check_journal_here(const conf::Config& config, const ShowProgress& progress);
/// `journal rebuild`; a journal that is whole is left as it is. Code::locked: the core runs; Code::usage: the reason.
[[nodiscard]] Result<ControlAnswer> rebuild_journal_here(const conf::Config& config, const std::string& reason,
                                                         const ShowProgress& progress);

}  // namespace tpf::daemon
