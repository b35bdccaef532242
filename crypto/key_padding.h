#pragma once
// A content key's padding, put on (RFC 8017 §§ 7.1.1 step 2, 7.2.1 step 2) and taken off (§§ 7.1.2 step 3, 7.2.2
// step 3) in constant time, for whatever does the RSA operation: the padding is Botan's, the choice between key and
// random bytes ours. Internal to crypto/.

#include <botan/eme.h>
#include <botan/secmem.h>

#include <memory>

#include "base/encoding.h"
#include "crypto/algorithms.h"

namespace tpf::crypto {

/// The name that Botan knows the transport's padding by.
[[nodiscard]] const char* padding_name(KeyTransport transport) noexcept;

/// What goes into the private operation: the wrapped key, or, where that is no ciphertext under this modulus (RFC 8017
/// § 5.1.2 step 1, without 0, 1 and n-1 as SP 800-56B § 7.1.2 wants), octets that take as long. Everybody knows the
/// modulus and what was sent: which of the two may show.
struct OperationInput {
    OperationInput(ByteView wrapped, ByteView modulus);
    bool is_ciphertext;
    Bytes octets;  ///< as long as the modulus and smaller
};

/// Not thread-safe.
class KeyPadding {
  public:
    explicit KeyPadding(KeyTransport transport);
    /// The encoded message, as long as the modulus. Botan's exception when the key is too long for that modulus.
    [[nodiscard]] Botan::secure_vector<std::uint8_t> put_on(ByteView key, std::size_t modulus_bits) const;
    /// `encoded`: what the private operation gave, as long as the modulus. Always `size` bytes: random ones when the
    /// padding is wrong, another number of bytes is inside, or it was no ciphertext, by the same steps.
    [[nodiscard]] Botan::secure_vector<std::uint8_t> open_or_random(ByteView encoded, bool is_ciphertext,
                                                                    std::size_t size) const;

  private:
    std::unique_ptr<Botan::EME> padding_;
};

}  // namespace tpf::crypto
