#include "crypto/random.h"

#include <botan/auto_rng.h>

namespace tpf::crypto {

Botan::RandomNumberGenerator& thread_rng() {
    static thread_local Botan::AutoSeeded_RNG rng;
    return rng;
}

}  // namespace tpf::crypto
