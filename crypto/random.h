#pragma once
// The random generator of crypto/'s own sources. Internal: other folders ask SecretBytes::random.

#include <botan/rng.h>

namespace tpf::crypto {

/// Botan's AutoSeeded generator (HMAC_DRBG over the system's), one per thread: fast, and no thread waits for another.
[[nodiscard]] Botan::RandomNumberGenerator& thread_rng();

}  // namespace tpf::crypto
