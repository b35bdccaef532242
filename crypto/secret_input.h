#pragma once
// A secret from a descriptor that holds little: a credential, a pipe.

#include "base/result.h"
#include "crypto/secret.h"

namespace tpf::crypto {

/// All of it. Code::config: it cannot be read, or there are more than `most` bytes.
[[nodiscard]] Result<SecretBytes> read_secret(int fd, std::size_t most);
/// The same without one final line feed.
[[nodiscard]] Result<SecretBytes> read_secret_line(int fd, std::size_t most);

}  // namespace tpf::crypto
