#pragma once
// RSA key transport (RFC 8017 RSAES-OAEP; RSAES-PKCS1-v1_5 for legacy keys). Keys and padding are Botan's, the
// arithmetic is OpenSSL's (rsa_operation.h says why).

#include <memory>
#include <string>
#include <string_view>

#include "base/encoding.h"
#include "base/result.h"
#include "crypto/algorithms.h"
#include "crypto/content_cipher.h"
#include "crypto/secret.h"

namespace tpf::crypto {

inline constexpr std::size_t kMinModernRsaBits = 3072;
inline constexpr std::size_t kMinLegacyRsaBits = 2048;
/// What a key of that profile has at least.
[[nodiscard]] inline std::size_t min_rsa_bits(const KeyPolicy& policy) noexcept {
    return policy.is_legacy() ? kMinLegacyRsaBits : kMinModernRsaBits;
}

/// A public key. Cheap to copy (shared), thread-safe.
class RsaPublicKey {
  public:
    /// Big-endian, as in ds:RSAKeyValue. Even or tiny values, bits outside 2048…16384: Code::field_form.
    [[nodiscard]] static Result<RsaPublicKey> create(ByteView modulus, ByteView exponent);
    /// "BEGIN PUBLIC KEY" (SubjectPublicKeyInfo).
    [[nodiscard]] static Result<RsaPublicKey> from_pem(std::string_view pem);
    [[nodiscard]] std::string pem() const;
    [[nodiscard]] Bytes modulus() const;
    [[nodiscard]] Bytes exponent() const;
    [[nodiscard]] std::size_t bits() const noexcept;
    [[nodiscard]] std::size_t modulus_bytes() const noexcept;  ///< length of an encrypted key
    struct State;
    [[nodiscard]] const State& state() const noexcept { return *state_; }

  private:
    explicit RsaPublicKey(std::shared_ptr<const State> state) : state_(std::move(state)) {}
    std::shared_ptr<const State> state_;
    friend class RsaPrivateKey;
};

/// Wraps content keys. Costly to make: one per thread and key. Not thread-safe.
class KeyWrapper {
  public:
    KeyWrapper(const RsaPublicKey& key, KeyTransport transport);
    ~KeyWrapper();
    KeyWrapper(KeyWrapper&&) noexcept;
    [[nodiscard]] Result<Bytes> wrap(const ContentKey& key);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Opens wrapped content keys. The interface lets a token (PKCS#11) or a test stand in its place. Thread-safe.
class KeyUnwrapper {
  public:
    virtual ~KeyUnwrapper() = default;
    /// Always a key of the right length: one drawn at random when `wrapped` is not what it should be (wrong length,
    /// not smaller than the modulus, wrong padding, wrong key length), in the same time. Whoever uses it learns of the
    /// failure from the content's tag, and can tell nobody which it was. An error is only ever about the key itself
    /// (Code::no_key: a token that went away).
    [[nodiscard]] virtual Result<ContentKey> unwrap(KeyTransport transport, ContentCipher cipher,
                                                    ByteView wrapped) const = 0;
};

/// A private key in this process's memory. Cheap to copy (shared), thread-safe: keeps a pool of what a thread at work
/// needs, per transport.
class RsaPrivateKey final : public KeyUnwrapper {
  public:
    [[nodiscard]] static RsaPrivateKey generate(std::size_t bits);
    /// PKCS#8 PEM, encrypted (PBES2) or, with an empty passphrase, clear. Wrong passphrase: Code::wrong_key.
    [[nodiscard]] static Result<RsaPrivateKey> from_pem(std::string_view pem, const SecretBytes& passphrase);
    /// PKCS#8 PEM; PBES2 with AES-256 and scrypt when the passphrase is not empty.
    [[nodiscard]] SecretBytes pem(const SecretBytes& passphrase) const;
    [[nodiscard]] RsaPublicKey public_key() const;
    [[nodiscard]] Result<ContentKey> unwrap(KeyTransport transport, ContentCipher cipher,
                                            ByteView wrapped) const override;

  private:
    struct State;
    explicit RsaPrivateKey(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;
};

}  // namespace tpf::crypto
