#pragma once
// A changed configuration comes into force without a restart (SIGHUP, `systemctl reload`): as far as it can, and as a
// whole or not at all.

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "daemon/live_config.h"

namespace tpf::daemon {

/// What a new configuration changes.
struct ConfigChange {
    conf::Config next;
    std::vector<std::string> changed;        ///< names of settings that come into force
    std::vector<std::string> needs_restart;  ///< names of those that do not
    [[nodiscard]] bool nothing() const noexcept { return changed.empty() && needs_restart.empty(); }
};

/// Reads `file` anew. Code::config, with all problems, when it is not valid: what is in force stays.
[[nodiscard]] Result<ConfigChange> read_change(const Path& file, const conf::Config& now);
/// "limits.depth register.IPLOS.kinds", for log and audit log.
[[nodiscard]] std::string names_text(const std::vector<std::string>& names);
/// What became of it, for the log.
void log_change(const ConfigChange& change);

/// For a unit's ExecReload: sends SIGHUP to the service when its configuration was found valid. The exit status.
[[nodiscard]] int ask_to_reload(pid_t service);

}  // namespace tpf::daemon
