#pragma once
// Check values: 16 hex digits that tell two keys apart, in the ring, in file names and before an operator's eyes.
// Internal to crypto/.

#include <string>
#include <string_view>

#include "crypto/rsa.h"
#include "crypto/secret.h"
#include "crypto/signature.h"

namespace tpf::crypto {

/// Of a public key (and so of its private one): the first 8 bytes of SHA-256 over the SubjectPublicKeyInfo, as
/// `openssl pkey -pubin -outform DER | sha256sum` shows them.
[[nodiscard]] std::string check_value(const RsaPublicKey& key);
[[nodiscard]] std::string check_value(const VerifyKey& key);
/// Of a secret key: the first 8 bytes of HMAC-SHA-256(key, "tpf-check-v1"). A pseudonym is a MAC over another text, so
/// this tests no guess of an identity number, and 8 bytes of a MAC do not lead to a key of 32.
[[nodiscard]] std::string check_value(const SecretBytes& key);
inline constexpr std::string_view kCheckText = "tpf-check-v1";
/// The same of a key that lies elsewhere: from its MAC over kCheckText.
[[nodiscard]] std::string check_value_of(std::span<const std::uint8_t, 32> mac);

}  // namespace tpf::crypto
