#pragma once
// Ed25519 (RFC 8032) for messages, receipts and key files; each with its own context string in front (formats.md § 5,
// 6).

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "base/encoding.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace tpf::crypto {

using Signature = std::array<std::uint8_t, 64>;

/// Thread-safe, cheap to copy.
class VerifyKey {
  public:
    [[nodiscard]] static Result<VerifyKey> create(ByteView raw);  ///< 32 bytes
    [[nodiscard]] static Result<VerifyKey> from_pem(std::string_view pem);
    [[nodiscard]] std::string pem() const;
    [[nodiscard]] const std::array<std::uint8_t, 32>& raw() const noexcept { return raw_; }
    [[nodiscard]] bool verify(std::string_view message, ByteView signature) const;

  private:
    explicit VerifyKey(std::array<std::uint8_t, 32> raw) : raw_(raw) {}
    std::array<std::uint8_t, 32> raw_;
};

/// Thread-safe.
class SigningKey {
  public:
    [[nodiscard]] static SigningKey generate();
    [[nodiscard]] static Result<SigningKey> from_pem(std::string_view pem, const SecretBytes& passphrase);
    [[nodiscard]] SecretBytes pem(const SecretBytes& passphrase) const;
    [[nodiscard]] VerifyKey verify_key() const;
    [[nodiscard]] Signature sign(std::string_view message) const;

  private:
    struct State;
    explicit SigningKey(std::shared_ptr<const State> state) : state_(std::move(state)) {}
    std::shared_ptr<const State> state_;
};

/// What is signed in formats.md § 6: the parts with 0x00 between them.
[[nodiscard]] std::string signed_text(std::initializer_list<std::string_view> parts);

}  // namespace tpf::crypto
