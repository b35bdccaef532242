#include "crypto/rsa.h"

#include <botan/bigint.h>
#include <botan/pubkey.h>
#include <botan/rsa.h>
#include <botan/x509_key.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <vector>

#include "crypto/key_padding.h"
#include "crypto/pkcs8.h"
#include "crypto/random.h"
#include "crypto/rsa_operation.h"

namespace tpf::crypto {
namespace {

constexpr std::size_t kMinBits = 2048;
constexpr std::size_t kMaxBits = 16384;
// Larger ones only make the public operation slow for whoever uses the key.
constexpr std::size_t kMaxExponentBits = 64;
constexpr std::size_t kTransportCount = 4;

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

/// What a thread needs to wrap or to open keys of one transport.
struct TransportTools {
    RsaOperation::Session operation;
    KeyPadding padding;
};

namespace {

Result<TransportTools> wrapping_tools(const Botan::RSA_PublicKey& key, KeyTransport transport) {
    TPF_TRY(const auto operation, RsaOperation::of_public(key));
    TPF_TRY(auto session, operation.session());
    return TransportTools{std::move(session), KeyPadding(transport)};
}

}  // namespace

struct KeyWrapper::State {
    std::size_t modulus_bits;
    Result<TransportTools> tools;  // an error: told of when a key is to be wrapped
};

KeyWrapper::KeyWrapper(const RsaPublicKey& key, KeyTransport transport)
    : state_(std::make_unique<State>(State{key.bits(), wrapping_tools(key.state().key, transport)})) {}
KeyWrapper::~KeyWrapper() = default;
KeyWrapper::KeyWrapper(KeyWrapper&&) noexcept = default;

Result<Bytes> KeyWrapper::wrap(const ContentKey& key) {
    if (!state_->tools) return state_->tools.error();
    const TransportTools& tools = state_->tools.value();
    try {
        const auto encoded = tools.padding.put_on(key.key.bytes(SecretToken::access()), state_->modulus_bits);
        TPF_TRY(const auto wrapped, tools.operation.apply(encoded));
        return Bytes(wrapped.begin(), wrapped.end());
    } catch (const std::exception&) {
        return fail(Code::internal, "the key could not be wrapped");
    }
}

struct RsaPrivateKey::State {
    [[nodiscard]] static Result<std::shared_ptr<State>> create(Botan::RSA_PrivateKey key) {
        TPF_TRY(auto operation, RsaOperation::of_private(key));
        return std::make_shared<State>(std::move(key), std::move(operation));
    }
    State(Botan::RSA_PrivateKey key_, RsaOperation operation_)
        : key(std::move(key_)), operation(std::move(operation_)), modulus(Botan::BigInt::encode(key.get_n())) {}

    /// That the private half undoes what the public one does, of a number that nobody could foresee.
    [[nodiscard]] Status prove() const {
        Botan::secure_vector<std::uint8_t> number(modulus.size());
        system_generator().randomize(number.data() + 1, number.size() - 1);  // smaller than the modulus
        TPF_TRY(const auto one_way, RsaOperation::of_public(key));
        TPF_TRY(const auto there, one_way.session());
        TPF_TRY(const auto back, operation.session());
        TPF_TRY(const auto sealed, there.apply(number));
        const auto opened = back.apply(sealed);
        if (opened && opened.value() == number) return ok();
        return fail(Code::wrong_key, "the private key does not open what its public half sealed: a damaged file");
    }

    [[nodiscard]] Result<TransportTools> take(KeyTransport transport) {
        {
            const std::lock_guard lock(mutex);
            auto& idle = pool[static_cast<std::size_t>(transport)];
            if (!idle.empty()) {
                TransportTools tools = std::move(idle.back());
                idle.pop_back();
                return tools;
            }
        }
        TPF_TRY(auto session, operation.session());
        return TransportTools{std::move(session), KeyPadding(transport)};
    }
    void give_back(KeyTransport transport, TransportTools tools) {
        const std::lock_guard lock(mutex);
        pool[static_cast<std::size_t>(transport)].push_back(std::move(tools));
    }

    const Botan::RSA_PrivateKey key;
    const RsaOperation operation;
    const Bytes modulus;  // big-endian, no leading zero
    std::mutex mutex;
    std::array<std::vector<TransportTools>, kTransportCount> pool;
};

RsaPrivateKey RsaPrivateKey::generate(std::size_t bits) {
    return RsaPrivateKey(State::create(Botan::RSA_PrivateKey(system_generator(), bits)).value());
}

Result<RsaPrivateKey> RsaPrivateKey::from_pem(std::string_view pem, const SecretBytes& passphrase) {
    TPF_TRY(const auto any, load_private_key(pem, passphrase));
    const auto* rsa = dynamic_cast<const Botan::RSA_PrivateKey*>(any.get());
    if (rsa == nullptr) return fail(Code::wrong_key, "a private key, but not an RSA key");
    TPF_TRY(check_public_values(rsa->get_n(), rsa->get_e()));
    TPF_TRY(auto state, State::create(*rsa));
    TPF_TRY(state->prove());
    return RsaPrivateKey(std::move(state));
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
        TPF_TRY(TransportTools tools, state_->take(transport));
        const OperationInput input(wrapped, state_->modulus);
        TPF_TRY(const auto encoded, tools.operation.apply(input.octets));
        const auto key = tools.padding.open_or_random(encoded, input.is_ciphertext, size);
        state_->give_back(transport, std::move(tools));
        return ContentKey{cipher, SecretBytes::copy_of(key)};
    } catch (const std::exception&) {
        return fail(Code::no_key, "the private key cannot be used");
    }
}

}  // namespace tpf::crypto
