#pragma once
// The pseudonym of a number: formats.md § 4. HMAC-SHA-256 (RFC 2104) over "tpf-pseudonym-v1" 0x00 domain 0x00 identity,
// its first 20 bytes in lower-case base32 (RFC 4648 § 6) without padding, behind the key version.

#include <string>
#include <string_view>

#include "crypto/pseudonym_mac.h"
#include "pseudonym/identity_number.h"

namespace tpf::pseudonym {

/// Derives under one key: one register domain, one version. Not thread-safe: one per thread.
class PseudonymDeriver {
  public:
    PseudonymDeriver(crypto::PseudonymMac mac, unsigned version, std::string_view domain);
    /// Appends "<version>-<32 characters>" to `out`. An H-nummer means nothing outside the enterprise that issued it,
    /// so the sender's Organisasjonsnummer goes into its pseudonym.
    /// Errors: those of a token that has the key.
    [[nodiscard]] Status append(const IdentityNumber& number, std::string_view organisasjonsnummer, std::string& out);
    [[nodiscard]] unsigned version() const noexcept { return version_; }

  private:
    crypto::PseudonymMac mac_;
    unsigned version_;
    std::string label_;   // what stands before the identity in the MAC
    std::string prefix_;  // "<version>-"
};

}  // namespace tpf::pseudonym
