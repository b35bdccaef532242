#pragma once
// What every process of ours does at its start and end, whatever it is for.

#include <optional>
#include <string>

#include "base/fs.h"
#include "base/unique_fd.h"
#include "conf/config.h"

namespace tpf::daemon {

/// Exit statuses: 78 for a configuration or key ring that cannot be used as it is, 77 for a damaged journal or audit
/// log (the units start neither again), 75 for "try again later".
inline constexpr int kExitConfig = 78;
inline constexpr int kExitJournal = 77;
inline constexpr int kExitLater = 75;
/// For what a service ended with; 1 where another start may do better.
[[nodiscard]] int exit_status(const Error& error) noexcept;

/// No core dump, no ptrace by the same user, umask 027.
void harden_process();
/// Locks all memory of this process, present and future, as it is touched. The limit on locked memory must be infinite
/// (or the process have CAP_IPC_LOCK): under a finite one a later allocation would fail. Code::config, with what mends
/// it; under MemoryLock::attempt a warning instead.
[[nodiscard]] Status lock_memory(conf::MemoryLock wanted);
/// For a command that has keys in its memory: harden_process, and locked memory where the system lets it (as root).
/// Where not, a warning on standard error.
void protect_secrets();
/// Blocks SIGTERM, SIGINT and SIGHUP for all threads to come and returns a descriptor to read them from; ignores
/// SIGPIPE.
[[nodiscard]] Result<UniqueFd> catch_signals();
/// Loads the configuration; problems go to standard error, one line each, and nothing is returned.
[[nodiscard]] std::optional<conf::Config> load_config(const Path& file);
/// "error: …" and "hint: …" on standard error.
void print_error(const Error& error);
/// Tells systemd (NOTIFY_SOCKET), if it started us. `state`: "READY=1", "STOPPING=1".
void notify_systemd(const char* state);
/// For the time in which a new configuration is taken: tells systemd when it begins, and at its end.
class Reloading {
  public:
    Reloading();
    ~Reloading();
    Reloading(const Reloading&) = delete;
    Reloading& operator=(const Reloading&) = delete;
};

}  // namespace tpf::daemon
