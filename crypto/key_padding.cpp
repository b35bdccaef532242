#include "crypto/key_padding.h"

#include <algorithm>

#include "crypto/random.h"

namespace tpf::crypto {
namespace {

/// 0xff when both are equal, else 0; without a branch.
std::uint8_t equal_mask(std::size_t a, std::size_t b) noexcept {
    const std::size_t difference = a ^ b;
    const std::size_t top = (difference | (std::size_t{0} - difference)) >> (8 * sizeof(std::size_t) - 1);
    return static_cast<std::uint8_t>(top - 1);
}

}  // namespace

const char* padding_name(KeyTransport transport) noexcept {
    switch (transport) {
        case KeyTransport::oaep_sha256_mgf1_sha256:
            return "EME1(SHA-256)";
        case KeyTransport::oaep_mgf1p_sha1:
            return "EME1(SHA-1)";
        case KeyTransport::oaep_mgf1p_sha256:
            return "OAEP(SHA-256,MGF1(SHA-1))";
        case KeyTransport::rsa_1_5:
            return "PKCS1v15";
    }
    return "";
}

namespace {

bool is_less(ByteView a, ByteView b) {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}

/// 1 < c < n-1: the ends are their own decryption, and modules by SP 800-56B refuse them.
bool is_in_range(ByteView octets, ByteView modulus) {
    if (octets.size() != modulus.size()) return false;
    Bytes one(modulus.size(), 0);
    one.back() = 1;
    Bytes last(modulus.begin(), modulus.end());
    last.back() = static_cast<std::uint8_t>(last.back() - 1);  // a modulus is odd
    return is_less(one, octets) && is_less(octets, last);
}

}  // namespace

OperationInput::OperationInput(ByteView wrapped, ByteView modulus)
    : is_ciphertext(is_in_range(wrapped, modulus)), octets(modulus.size(), 0x55) {
    octets[0] = 0;
    if (is_ciphertext) octets.assign(wrapped.begin(), wrapped.end());
}

KeyPadding::KeyPadding(KeyTransport transport) : padding_(Botan::get_eme(padding_name(transport))) {}

Botan::secure_vector<std::uint8_t> KeyPadding::put_on(ByteView key, std::size_t modulus_bits) const {
    // Botan wants the bits of the largest number that is surely below the modulus, and leaves leading zero bytes out.
    auto encoded = padding_->encode(key.data(), key.size(), modulus_bits - 1, system_generator());
    encoded.insert(encoded.begin(), (modulus_bits + 7) / 8 - encoded.size(), 0);
    return encoded;
}

Botan::secure_vector<std::uint8_t> KeyPadding::open_or_random(ByteView encoded, bool is_ciphertext,
                                                              std::size_t size) const {
    const auto random = system_generator().random_vec(size);
    std::uint8_t valid = 0;
    auto key = padding_->unpad(valid, encoded.data(), encoded.size());
    const std::uint8_t take = valid & equal_mask(key.size(), size) & equal_mask(is_ciphertext ? 1 : 0, 1);
    key.resize(size);
    for (std::size_t i = 0; i < size; ++i) {
        key[i] = static_cast<std::uint8_t>((key[i] & take) | (random[i] & ~take));
    }
    return key;
}

}  // namespace tpf::crypto
