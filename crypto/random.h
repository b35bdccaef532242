#pragma once
// The random generator of crypto/'s own sources. Internal: other folders ask SecretBytes::random.

#include <botan/rng.h>

namespace tpf::crypto {

/// The system's generator (getrandom). Botan's AutoSeeded one (HMAC_DRBG over it) took 10 µs a call on the machine
/// where a call of this one takes 0.3 µs; three calls a person were a third of tpf-krypt's time.
[[nodiscard]] Botan::RandomNumberGenerator& system_generator();

}  // namespace tpf::crypto
