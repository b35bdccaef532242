#pragma once
// RSADP (RFC 8017 § 5.1.2) by OpenSSL's libcrypto: blinded, in constant time, with the result checked against the
// public exponent before it is handed out; on x86-64 it takes half of the time of Botan's. Internal to crypto/.

#include <botan/rsa.h>
#include <botan/secmem.h>

#include <memory>

#include "base/encoding.h"
#include "base/result.h"

namespace tpf::crypto {

/// One key's operation. What it holds of the key is overwritten when it goes. Thread-safe; a Session is one thread's.
class RsaPrivateOperation {
  public:
    /// Code::wrong_key: libcrypto does not take the key.
    [[nodiscard]] static Result<RsaPrivateOperation> create(const Botan::RSA_PrivateKey& key);

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
        explicit Session(void* context) : context_(context) {}
        std::unique_ptr<void, Free> context_;
        friend class RsaPrivateOperation;
    };
    [[nodiscard]] Result<Session> session() const;

  private:
    struct Free {
        void operator()(void* key) const noexcept;
    };
    explicit RsaPrivateOperation(void* key) : key_(key) {}
    std::unique_ptr<void, Free> key_;
};

}  // namespace tpf::crypto
