#pragma once
// A pseudonym key in a file that only a token opens: sealed with RSA-OAEP under the token's key kWrappingLabel. Opened
// into memory when it is first wanted, at the start or when the token has come back. Internal to crypto/.

#include <memory>
#include <mutex>
#include <string>

#include "crypto/pkcs11_token.h"

namespace tpf::crypto {

inline constexpr const char* kWrappingLabel = "tpf-wrapping";

/// Thread-safe.
class WrappedSecret {
  public:
    /// `token` may be nullptr: then it stays shut.
    WrappedSecret(std::shared_ptr<const Pkcs11Token> token, Bytes octets, std::string check_value)
        : token_(std::move(token)), octets_(std::move(octets)), check_value_(std::move(check_value)) {}
    /// Wraps `secret` under the token's wrapping key, which is made if it is not there.
    [[nodiscard]] static Result<Bytes> wrap(const Pkcs11Token& token, const SecretBytes& secret);
    /// Code::no_key: no token, it is away, or it has no wrapping key. Code::wrong_key: not the key of its check value.
    [[nodiscard]] Result<std::shared_ptr<const SecretBytes>> open() const;
    [[nodiscard]] const Bytes& octets() const noexcept { return octets_; }

  private:
    std::shared_ptr<const Pkcs11Token> token_;
    Bytes octets_;
    std::string check_value_;
    mutable std::mutex mutex_;
    mutable std::shared_ptr<const SecretBytes> opened_;
};

}  // namespace tpf::crypto
