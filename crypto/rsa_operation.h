#pragma once
// RSAEP and RSADP (RFC 8017 §§ 5.1.1, 5.1.2) by OpenSSL's libcrypto. The private one is blinded, in constant time, with
// the result checked against the public exponent before it is handed out; on x86-64 either takes half of the time of
// Botan's. Internal to crypto/.

#include <botan/rsa.h>
#include <botan/secmem.h>

#include <memory>

#include "base/encoding.h"
#include "base/result.h"

namespace tpf::crypto {

/// One key's operation: RSADP of a private key, RSAEP of a public one. What it holds of the key is overwritten when it
/// goes. Thread-safe; a Session is one thread's.
class RsaOperation {
  public:
    /// Code::wrong_key: libcrypto does not take the key.
    [[nodiscard]] static Result<RsaOperation> of_private(const Botan::RSA_PrivateKey& key);
    [[nodiscard]] static Result<RsaOperation> of_public(const Botan::RSA_PublicKey& key);

    /// Kept by a thread at work: it is costly to make.
    class Session {
      public:
        /// `octets`: as long as the modulus and smaller than it. The result is as long, leading zeros and all.
        /// Code::no_key: anything else, or libcrypto failed.
        [[nodiscard]] Result<Botan::secure_vector<std::uint8_t>> apply(ByteView octets) const;

      private:
        struct Free {
            void operator()(void* context) const noexcept;
        };
        Session(void* context, bool is_private) : context_(context), is_private_(is_private) {}
        std::unique_ptr<void, Free> context_;
        bool is_private_;
        friend class RsaOperation;
    };
    [[nodiscard]] Result<Session> session() const;

  private:
    struct Free {
        void operator()(void* key) const noexcept;
    };
    [[nodiscard]] static Result<RsaOperation> checked(void* key, bool is_private);
    RsaOperation(void* key, bool is_private) : key_(key), is_private_(is_private) {}
    std::unique_ptr<void, Free> key_;
    bool is_private_;
};

}  // namespace tpf::crypto
