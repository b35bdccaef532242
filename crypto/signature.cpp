#include "crypto/signature.h"

#include <botan/ed25519.h>
#include <botan/pubkey.h>
#include <botan/x509_key.h>

#include <algorithm>

#include "crypto/pkcs8.h"
#include "crypto/random.h"

namespace tpf::crypto {
namespace {

constexpr const char* kPure = "Pure";

std::array<std::uint8_t, 32> raw_of(const Botan::Ed25519_PublicKey& key) {
    std::array<std::uint8_t, 32> raw{};
    std::copy(key.get_public_key().begin(), key.get_public_key().end(), raw.begin());
    return raw;
}

}  // namespace

Result<VerifyKey> VerifyKey::create(ByteView raw) {
    if (raw.size() != 32) return fail(Code::field_form, "an Ed25519 public key has 32 bytes");
    std::array<std::uint8_t, 32> bytes{};
    std::copy(raw.begin(), raw.end(), bytes.begin());
    return VerifyKey(bytes);
}

Result<VerifyKey> VerifyKey::from_pem(std::string_view pem) {
    TPF_TRY(const auto any, load_public_key(pem));
    const auto* ed25519 = dynamic_cast<const Botan::Ed25519_PublicKey*>(any.get());
    if (ed25519 == nullptr) return fail(Code::field_form, "a public key, but not an Ed25519 key");
    return VerifyKey(raw_of(*ed25519));
}

std::string VerifyKey::pem() const {
    return Botan::X509::PEM_encode(Botan::Ed25519_PublicKey(raw_.data(), raw_.size()));
}

bool VerifyKey::verify(std::string_view message, ByteView signature) const {
    if (signature.size() != std::tuple_size_v<Signature>) return false;
    try {
        const Botan::Ed25519_PublicKey key(raw_.data(), raw_.size());
        Botan::PK_Verifier verifier(key, kPure);
        verifier.update(reinterpret_cast<const std::uint8_t*>(message.data()), message.size());
        return verifier.check_signature(signature.data(), signature.size());
    } catch (const std::exception&) {
        return false;  // 32 bytes that are no point of the curve
    }
}

struct SigningKey::State {
    Botan::Ed25519_PrivateKey key;
};

SigningKey SigningKey::generate() {
    return SigningKey(std::make_shared<const State>(State{Botan::Ed25519_PrivateKey(system_generator())}));
}

Result<SigningKey> SigningKey::from_pem(std::string_view pem, const SecretBytes& passphrase) {
    TPF_TRY(const auto any, load_private_key(pem, passphrase));
    const auto* ed25519 = dynamic_cast<const Botan::Ed25519_PrivateKey*>(any.get());
    if (ed25519 == nullptr) return fail(Code::wrong_key, "a private key, but not an Ed25519 key");
    return SigningKey(std::make_shared<const State>(State{*ed25519}));
}

SecretBytes SigningKey::pem(const SecretBytes& passphrase) const {
    return store_private_key(state_->key, passphrase);
}

VerifyKey SigningKey::verify_key() const {
    return VerifyKey::create(raw_of(state_->key)).value();
}

Signature SigningKey::sign(std::string_view message) const {
    Botan::PK_Signer signer(state_->key, system_generator(), kPure);
    signer.update(reinterpret_cast<const std::uint8_t*>(message.data()), message.size());
    const auto made = signer.signature(system_generator());
    Signature signature{};
    std::copy(made.begin(), made.end(), signature.begin());
    return signature;
}

std::string signed_text(std::initializer_list<std::string_view> parts) {
    std::string text;
    for (const std::string_view* part = parts.begin(); part != parts.end(); ++part) {
        if (part != parts.begin()) text.push_back('\0');
        text.append(*part);
    }
    return text;
}

}  // namespace tpf::crypto
