#pragma once
// The keyed function under a pseudonym, wherever its key lies: in this process's memory, or in a token that never gives
// it away.

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/hmac.h"
#include "crypto/pkcs11_token.h"

namespace tpf::crypto {

/// HMAC-SHA-256. Not thread-safe: one per thread.
class PseudonymMac {
  public:
    /// Implicit: an HMAC is one.
    PseudonymMac(HmacSha256 own) : own_(std::move(own)) {}
    PseudonymMac(std::shared_ptr<const Pkcs11Token> token, std::string label, std::string check_value)
        : token_(std::move(token)), label_(std::move(label)), check_value_(std::move(check_value)) {}
    /// Over the parts, one after the other. Errors only of a token: Code::no_key (it is away), Code::wrong_key.
    [[nodiscard]] Status compute(std::initializer_list<std::string_view> parts, std::span<std::uint8_t, 32> mac);

  private:
    std::optional<HmacSha256> own_;
    std::shared_ptr<const Pkcs11Token> token_;
    std::string label_;
    std::string check_value_;
};

}  // namespace tpf::crypto
