#pragma once
// Where the passphrase of a private key comes from. Never the command line or the environment: others can read those.

#include <optional>
#include <string>

#include "base/result.h"
#include "crypto/secret.h"

namespace tpf::reg {

struct PassphraseSource {
    std::optional<int> fd;   ///< an open file descriptor, read to its end
    std::string credential;  ///< a name in $CREDENTIALS_DIRECTORY (systemd.exec(5), LoadCredential=)
};

/// Empty when neither is given. One line feed at the end does not count. Code::config when it cannot be read, is empty
/// or longer than 1024 bytes.
[[nodiscard]] Result<crypto::SecretBytes> read_passphrase(const PassphraseSource& source);

}  // namespace tpf::reg
