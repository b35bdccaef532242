#pragma once
// How tpfctl gets a passphrase, and forgets what it had to keep as text.

#include <optional>
#include <string>

#include "crypto/secret.h"

namespace tpf::daemon {

/// Wiped and empty.
void forget(std::string& text);
[[nodiscard]] bool same(const crypto::SecretBytes& a, const crypto::SecretBytes& b);

/// Whose passphrase: "key ring". `credential`: whether the keyring's credential may have it.
struct PassphraseFor {
    const char* what;
    bool is_new;      ///< typed twice
    bool credential;  ///< of $CREDENTIALS_DIRECTORY
};
/// From descriptor `fd`, or the credential, else typed at a terminal without being shown. Code::config: from nowhere.
[[nodiscard]] Result<crypto::SecretBytes> get_passphrase(std::optional<int> fd, const PassphraseFor& whose);

}  // namespace tpf::daemon
