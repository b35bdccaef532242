#include "crypto/rsa_operation.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

namespace tpf::crypto {
namespace {

EVP_PKEY* key_of(void* key) noexcept {
    return static_cast<EVP_PKEY*>(key);
}
EVP_PKEY_CTX* context_of(void* context) noexcept {
    return static_cast<EVP_PKEY_CTX*>(context);
}

}  // namespace

void RsaOperation::Free::operator()(void* key) const noexcept {
    EVP_PKEY_free(key_of(key));
}
void RsaOperation::Session::Free::operator()(void* context) const noexcept {
    EVP_PKEY_CTX_free(context_of(context));
}

Result<RsaOperation> RsaOperation::checked(void* key, bool is_private) {
    RsaOperation made(key, is_private);
    if (made.key_) return made;
    ERR_clear_error();
    return fail(Code::wrong_key, "an RSA key that cannot be used");
}

Result<RsaOperation> RsaOperation::of_private(const Botan::RSA_PrivateKey& key) {
    // PKCS#1, in memory that Botan wipes.
    const auto der = key.private_key_bits();
    const unsigned char* at = der.data();
    return checked(d2i_PrivateKey(EVP_PKEY_RSA, nullptr, &at, static_cast<long>(der.size())), true);
}

Result<RsaOperation> RsaOperation::of_public(const Botan::RSA_PublicKey& key) {
    const auto der = key.public_key_bits();
    const unsigned char* at = der.data();
    return checked(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, static_cast<long>(der.size())), false);
}

Result<RsaOperation::Session> RsaOperation::session() const {
    Session session(EVP_PKEY_CTX_new(key_of(key_.get()), nullptr), is_private_);
    EVP_PKEY_CTX* const context = context_of(session.context_.get());
    if (context != nullptr && (is_private_ ? EVP_PKEY_decrypt_init(context) : EVP_PKEY_encrypt_init(context)) == 1 &&
        EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING) == 1) {
        return session;
    }
    ERR_clear_error();
    return fail(Code::no_key, "the RSA key cannot be used");
}

Result<Botan::secure_vector<std::uint8_t>> RsaOperation::Session::apply(ByteView octets) const {
    Botan::secure_vector<std::uint8_t> out(octets.size());
    std::size_t size = out.size();
    EVP_PKEY_CTX* const context = context_of(context_.get());
    const auto operation = is_private_ ? EVP_PKEY_decrypt : EVP_PKEY_encrypt;
    if (operation(context, out.data(), &size, octets.data(), octets.size()) == 1 && size == out.size()) return out;
    ERR_clear_error();
    return fail(Code::no_key, "the RSA key cannot be used");
}

}  // namespace tpf::crypto
