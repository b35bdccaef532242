#include "crypto/wrapped_secret.h"

#include "crypto/check_value.h"

namespace tpf::crypto {
namespace {

constexpr auto kTransport = KeyTransport::oaep_sha256_mgf1_sha256;
constexpr auto kLike = ContentCipher::aes256_gcm;  // a key of 32 bytes, as a pseudonym key is
constexpr std::size_t kWrappingBits = 3072;

}  // namespace

Result<Bytes> WrappedSecret::wrap(const Pkcs11Token& token, const SecretBytes& secret) {
    auto found = token.find_rsa(kWrappingLabel);
    if (!found) found = token.generate_rsa(kWrappingLabel, kWrappingBits);
    TPF_TRY(const RsaPublicKey key, std::move(found));
    return KeyWrapper(key, kTransport).wrap({kLike, secret.clone()});
}

Result<std::shared_ptr<const SecretBytes>> WrappedSecret::open() const {
    const std::lock_guard lock(mutex_);
    if (opened_) return opened_;
    if (!token_) return fail(Code::no_key, "the key is wrapped by a token, and there is none");
    TPF_TRY(const RsaPublicKey key, token_->find_rsa(kWrappingLabel));
    TPF_TRY(ContentKey content, token_->unwrap(kWrappingLabel, key, kTransport, kLike, octets_));
    if (check_value(content.key) != check_value_)
        return fail(Code::wrong_key, "what the token unwrapped is not the key that the ring names");
    opened_ = std::make_shared<const SecretBytes>(std::move(content.key));
    return opened_;
}

}  // namespace tpf::crypto
