#pragma once
// What every process of ours does at its start and end, whatever it is for.

#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "conf/config.h"
#include "crypto/pkcs11_token.h"
#include "crypto/secret.h"

namespace tpf::daemon {

/// Exit statuses (sysexits.h): 78 for a configuration that is not valid, 75 for "try again later".
inline constexpr int kExitConfig = 78;
inline constexpr int kExitLater = 75;

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
/// The keyring's passphrase: from descriptor `fd` where one is given, else the file keyring-passphrase in
/// $CREDENTIALS_DIRECTORY (systemd's LoadCredential); a final line feed is dropped. Empty where neither is given.
/// Code::config: a credential that somebody else may read or write (the hint is the command that mends it).
[[nodiscard]] Result<crypto::SecretBytes> read_passphrase(std::optional<int> fd);
/// A raw key of 32 bytes, or its 64 hex digits, from the file `name` in $CREDENTIALS_DIRECTORY. Code::usage: no such
/// name or file, or something else in it.
[[nodiscard]] Result<crypto::SecretBytes> read_raw_key(const std::string& name);
/// The token of [pkcs11], with the PIN from the file pkcs11-pin in $CREDENTIALS_DIRECTORY; nullptr where none is
/// configured. Code::config: no PIN, or what Pkcs11Token::open says.
[[nodiscard]] Result<std::shared_ptr<const crypto::Pkcs11Token>> open_token(const std::string& uri);

}  // namespace tpf::daemon
