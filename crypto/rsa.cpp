#include "crypto/rsa.h"

#include <botan/bigint.h>
#include <botan/pubkey.h>
#include <botan/rsa.h>
#include <botan/x509_key.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <vector>

#include "crypto/pkcs8.h"
#include "crypto/random.h"

namespace tpf::crypto {
namespace {

constexpr std::size_t kMinBits = 2048;
constexpr std::size_t kMaxBits = 16384;
// Larger ones only make the public operation slow for whoever uses the key.
constexpr std::size_t kMaxExponentBits = 64;
constexpr std::size_t kTransportCount = 4;

const char* eme_name(KeyTransport transport) noexcept {
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

Status check_public_values(const Botan::BigInt& modulus, const Botan::BigInt& exponent) {
    if (modulus.bits() < kMinBits || modulus.bits() > kMaxBits || modulus.is_even()) {
        return fail(Code::field_form, "an RSA modulus is odd and has 2048 to 16384 bits");
    }
    if (exponent < 3 || exponent.is_even() || exponent.bits() > kMaxExponentBits) {
        return fail(Code::field_form, "an RSA exponent is odd, at least 3 and has at most 64 bits");
    }
    return ok();
}

}  // namespace

struct RsaPublicKey::State {
    Botan::RSA_PublicKey key;
};

Result<RsaPublicKey> RsaPublicKey::create(ByteView modulus, ByteView exponent) {
    try {
        const Botan::BigInt n(modulus.data(), modulus.size());
        const Botan::BigInt e(exponent.data(), exponent.size());
        TPF_TRY(check_public_values(n, e));
        return RsaPublicKey(std::make_shared<const State>(State{Botan::RSA_PublicKey(n, e)}));
    } catch (const std::exception&) {
        return fail(Code::field_form, "not an RSA key");
    }
}

Result<RsaPublicKey> RsaPublicKey::from_pem(std::string_view pem) {
    TPF_TRY(const auto any, load_public_key(pem));
    const auto* rsa = dynamic_cast<const Botan::RSA_PublicKey*>(any.get());
    if (rsa == nullptr) return fail(Code::field_form, "a public key, but not an RSA key");
    TPF_TRY(check_public_values(rsa->get_n(), rsa->get_e()));
    return RsaPublicKey(std::make_shared<const State>(State{*rsa}));
}

std::string RsaPublicKey::pem() const {
    return Botan::X509::PEM_encode(state_->key);
}
Bytes RsaPublicKey::modulus() const {
    return Botan::BigInt::encode(state_->key.get_n());
}
Bytes RsaPublicKey::exponent() const {
    return Botan::BigInt::encode(state_->key.get_e());
}
std::size_t RsaPublicKey::bits() const noexcept {
    return state_->key.get_n().bits();
}
std::size_t RsaPublicKey::modulus_bytes() const noexcept {
    return state_->key.get_n().bytes();
}

struct KeyWrapper::State {
    State(const RsaPublicKey& key_, KeyTransport transport)
        : key(key_), encryptor(key.state().key, system_generator(), eme_name(transport)) {}
    RsaPublicKey key;
    Botan::PK_Encryptor_EME encryptor;
};

KeyWrapper::KeyWrapper(const RsaPublicKey& key, KeyTransport transport)
    : state_(std::make_unique<State>(key, transport)) {}
KeyWrapper::~KeyWrapper() = default;
KeyWrapper::KeyWrapper(KeyWrapper&&) noexcept = default;

Result<Bytes> KeyWrapper::wrap(const ContentKey& key) {
    const ByteView bytes = key.key.bytes(SecretToken::access());
    try {
        Bytes wrapped = state_->encryptor.encrypt(bytes.data(), bytes.size(), system_generator());
        // Botan leaves out leading zero bytes in some versions; RFC 8017 has a ciphertext of the modulus' length.
        wrapped.insert(wrapped.begin(), state_->key.modulus_bytes() - wrapped.size(), 0);
        return wrapped;
    } catch (const std::exception&) {
        return fail(Code::internal, "the key could not be wrapped");
    }
}

struct RsaPrivateKey::State {
    explicit State(Botan::RSA_PrivateKey key_)
        : key(std::move(key_)), modulus_bytes(key.get_n().bytes()), stand_in(modulus_bytes, 0x55) {
        stand_in[0] = 0;  // smaller than any modulus of this length
    }

    [[nodiscard]] std::unique_ptr<Botan::PK_Decryptor_EME> take(KeyTransport transport) {
        {
            const std::lock_guard lock(mutex);
            auto& idle = pool[static_cast<std::size_t>(transport)];
            if (!idle.empty()) {
                auto decryptor = std::move(idle.back());
                idle.pop_back();
                return decryptor;
            }
        }
        return std::make_unique<Botan::PK_Decryptor_EME>(key, system_generator(), eme_name(transport));
    }
    void give_back(KeyTransport transport, std::unique_ptr<Botan::PK_Decryptor_EME> decryptor) {
        const std::lock_guard lock(mutex);
        pool[static_cast<std::size_t>(transport)].push_back(std::move(decryptor));
    }

    const Botan::RSA_PrivateKey key;
    const std::size_t modulus_bytes;
    Bytes stand_in;  // decrypted in the place of what is not a ciphertext, so that it takes as long
    std::mutex mutex;
    std::array<std::vector<std::unique_ptr<Botan::PK_Decryptor_EME>>, kTransportCount> pool;
};

RsaPrivateKey RsaPrivateKey::generate(std::size_t bits) {
    return RsaPrivateKey(std::make_shared<State>(Botan::RSA_PrivateKey(system_generator(), bits)));
}

Result<RsaPrivateKey> RsaPrivateKey::from_pem(std::string_view pem, const SecretBytes& passphrase) {
    TPF_TRY(const auto any, load_private_key(pem, passphrase));
    const auto* rsa = dynamic_cast<const Botan::RSA_PrivateKey*>(any.get());
    if (rsa == nullptr) return fail(Code::wrong_key, "a private key, but not an RSA key");
    TPF_TRY(check_public_values(rsa->get_n(), rsa->get_e()));
    return RsaPrivateKey(std::make_shared<State>(*rsa));
}

SecretBytes RsaPrivateKey::pem(const SecretBytes& passphrase) const {
    return store_private_key(state_->key, passphrase);
}

RsaPublicKey RsaPrivateKey::public_key() const {
    return RsaPublicKey(std::make_shared<const RsaPublicKey::State>(
        RsaPublicKey::State{Botan::RSA_PublicKey(state_->key.get_n(), state_->key.get_e())}));
}

Result<ContentKey> RsaPrivateKey::unwrap(KeyTransport transport, ContentCipher cipher, ByteView wrapped) const {
    const std::size_t size = key_size(cipher);
    try {
        auto decryptor = state_->take(transport);
        const auto decrypt = [&](ByteView octets) {
            return decryptor->decrypt_or_random(octets.data(), octets.size(), size, system_generator());
        };
        Botan::secure_vector<std::uint8_t> key;
        if (wrapped.size() == state_->modulus_bytes) {
            try {
                key = decrypt(wrapped);
            } catch (const Botan::Exception&) {
                key.clear();  // not smaller than the modulus: Botan throws before it works
            }
        }
        if (key.empty()) {
            static_cast<void>(decrypt(state_->stand_in));
            key = system_generator().random_vec(size);
        }
        state_->give_back(transport, std::move(decryptor));
        return ContentKey{cipher, SecretBytes::copy_of(key)};
    } catch (const std::exception&) {
        return fail(Code::no_key, "the private key cannot be used");
    }
}

}  // namespace tpf::crypto
