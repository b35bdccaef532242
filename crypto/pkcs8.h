#pragma once
// Private and public keys as text (RFC 5958 PKCS#8, RFC 8018 PBES2, RFC 7468 PEM). Internal to crypto/.

#include <botan/pk_keys.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/secret.h"

namespace tpf::crypto {

/// "BEGIN ENCRYPTED PRIVATE KEY" with a passphrase, "BEGIN PRIVATE KEY" with an empty one; any mismatch of the two, a
/// wrong passphrase, damage, or an inconsistent key: Code::wrong_key.
[[nodiscard]] Result<std::unique_ptr<Botan::Private_Key>> load_private_key(std::string_view pem,
                                                                           const SecretBytes& passphrase);
/// PBES2 with AES-256-CBC and scrypt (N = 16384, r = 8, p = 1: the most that OpenSSL's default memory limit opens);
/// clear with an empty passphrase.
[[nodiscard]] SecretBytes store_private_key(const Botan::Private_Key& key, const SecretBytes& passphrase);
/// "BEGIN PUBLIC KEY"; else Code::field_form.
[[nodiscard]] Result<std::unique_ptr<Botan::Public_Key>> load_public_key(std::string_view pem);

}  // namespace tpf::crypto
