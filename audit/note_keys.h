#pragma once
// Signs and verifies notes with the keys of whoever includes this: crypto's, in the daemon and the register. Templates,
// because this folder holds no keys and names none.

#include <string_view>
#include <utility>

#include "audit/note.h"

namespace tpf::audit {

/// `SigningKey` has verify_key().raw() and sign(). Thread-safe where it is.
template <class SigningKey>
class SignerWith final : public NoteSigner {
  public:
    explicit SignerWith(SigningKey key) : key_(std::move(key)) {}
    [[nodiscard]] Ed25519Key public_key() const override { return key_.verify_key().raw(); }
    [[nodiscard]] Ed25519Signature sign(std::string_view message) const override { return key_.sign(message); }

  private:
    SigningKey key_;
};

/// `VerifyKey` has create(), of 32 bytes, and verify(). Thread-safe where it is.
template <class VerifyKey>
class VerifierWith final : public NoteVerifier {
  public:
    [[nodiscard]] bool verify(const Ed25519Key& key, std::string_view message,
                              const Ed25519Signature& signature) const override {
        const auto made = VerifyKey::create(key);
        return made && made.value().verify(message, signature);
    }
};

}  // namespace tpf::audit
