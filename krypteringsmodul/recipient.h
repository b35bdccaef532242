#pragma once
// Whom something is sealed for.

#include "base/types.h"
#include "crypto/rsa.h"

namespace tpf::krypteringsmodul {

/// A public key and what is said of it.
struct RecipientKey {
    KeyId id;
    crypto::RsaPublicKey key;
};

}  // namespace tpf::krypteringsmodul
