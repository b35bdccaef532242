#pragma once
// Ed25519 by OpenSSL, from raw keys, for tests of notes: the project's own keys live in crypto/, which audit/ may not
// use.

#include <openssl/evp.h>

#include <memory>

#include "audit/note.h"

namespace tpf::audit::test {

struct FreeKey {
    void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
};
struct FreeContext {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

class TestSigner final : public NoteSigner {
  public:
    explicit TestSigner(const Ed25519Key& seed)
        : key_(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size())) {}
    [[nodiscard]] Ed25519Key public_key() const override {
        Ed25519Key key{};
        std::size_t size = key.size();
        EVP_PKEY_get_raw_public_key(key_.get(), key.data(), &size);
        return key;
    }
    [[nodiscard]] Ed25519Signature sign(std::string_view message) const override {
        Ed25519Signature signature{};
        std::size_t size = signature.size();
        const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
        EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get());
        EVP_DigestSign(context.get(), signature.data(), &size, as_bytes(message).data(), message.size());
        return signature;
    }

  private:
    std::unique_ptr<EVP_PKEY, FreeKey> key_;
};

class TestVerifier final : public NoteVerifier {
  public:
    [[nodiscard]] bool verify(const Ed25519Key& key, std::string_view message,
                              const Ed25519Signature& signature) const override {
        const std::unique_ptr<EVP_PKEY, FreeKey> pkey(
            EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size()));
        const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
        return pkey && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, pkey.get()) == 1 &&
               EVP_DigestVerify(context.get(), signature.data(), signature.size(), as_bytes(message).data(),
                                message.size()) == 1;
    }
};

}  // namespace tpf::audit::test
