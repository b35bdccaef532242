#include "crypto/random.h"

#include <botan/system_rng.h>

namespace tpf::crypto {

Botan::RandomNumberGenerator& system_generator() {
    return Botan::system_rng();
}

}  // namespace tpf::crypto
