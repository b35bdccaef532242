#pragma once
// Secrets that a process is started with: files in $CREDENTIALS_DIRECTORY (systemd.exec(5), "CREDENTIALS"), or a
// descriptor. Never from an argument, the environment or the configuration.

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "crypto/pkcs11_token.h"
#include "crypto/secret.h"

namespace tpf::daemon {

/// The keyring's passphrase: from descriptor `fd` where one is given, else the file keyring-passphrase; a final line
/// feed is dropped. Empty where neither is given. Code::config: a credential that is not ours or root's, or that
/// somebody else may read or write, by its mode or its access list (the hint is the command that mends it).
[[nodiscard]] Result<crypto::SecretBytes> read_passphrase(std::optional<int> fd);

/// What a pseudonym key's credential is called: nobody makes a key of a passphrase or PIN by its name.
inline constexpr const char* kRawKeyPrefix = "pseudonym-key-";
/// Code::usage unless `name` begins so and leads nowhere else.
[[nodiscard]] Status check_raw_key_name(const std::string& name);
/// 32 bytes, or their 64 hex digits and line feeds. Code::usage: no such credential, something else in it, or what is
/// no key: one byte over and over, or half a key in hex digits. Code::config as above.
[[nodiscard]] Result<crypto::SecretBytes> read_raw_key(const std::string& name);

/// The token of [pkcs11], with the PIN from the file pkcs11-pin; nullptr where none is configured. Code::config: no
/// PIN, or what Pkcs11Token::open says.
[[nodiscard]] Result<std::shared_ptr<const crypto::Pkcs11Token>> open_token(const std::string& uri);

}  // namespace tpf::daemon
