#pragma once
// The register's own keys: made here, private parts never leave the register.

#include <string>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "base/types.h"
#include "crypto/rsa.h"
#include "crypto/secret.h"
#include "crypto/signature.h"

namespace tpf::reg {

struct MadeKeys {
    Path data_private;     ///< ID.private.pem: opens persons' data
    Path data_public;      ///< ID.public.pem: to the TPF, which publishes it to senders
    Path receipt_private;  ///< ID-receipt.private.pem: signs receipts
    Path receipt_public;   ///< ID-receipt.public.pem: to the TPF, which checks receipts with it
};

/// Makes an RSA pair for persons' data and an Ed25519 pair for receipts in `folder` (made when missing, 0700). Private
/// keys: PKCS#8 PEM, 0600, sealed when the passphrase is not empty. Public keys: SubjectPublicKeyInfo PEM, 0644.
/// Nothing is overwritten (Code::usage), and after an error nothing new is left. `bits`: 3072 to 16384. Takes seconds.
[[nodiscard]] Result<MadeKeys> make_keys(FileSystem& fs, const Path& folder, const KeyId& id, std::size_t bits,
                                         const crypto::SecretBytes& passphrase);

/// The text of a private key's PEM file. Code::config when anybody but its owner can read it.
[[nodiscard]] Result<crypto::SecretBytes> read_private_pem(FileSystem& fs, const Path& path);

/// An RSA private key from such a file.
[[nodiscard]] Result<crypto::RsaPrivateKey> load_data_key(FileSystem& fs, const Path& path,
                                                          const crypto::SecretBytes& passphrase);

/// An Ed25519 private key from such a file.
[[nodiscard]] Result<crypto::SigningKey> load_signing_key(FileSystem& fs, const Path& path,
                                                          const crypto::SecretBytes& passphrase);

}  // namespace tpf::reg
