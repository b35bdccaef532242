#pragma once
// A token (hardware security module) behind PKCS#11 2.40: keys that are used where they lie. Any module; a network one
// through p11-kit's client module and a unix socket.
//
// A token can go away (pulled out, its server restarted). Then every call is Code::no_key, which makes messages wait,
// and each call tries to find it again, at most once a second, from C_Initialize on: that is what brings back tokens
// behind a daemon that was started anew.

#include <chrono>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/pkcs11_uri.h"
#include "crypto/rsa.h"
#include "crypto/secret.h"

namespace tpf::crypto {

class Pkcs11Connection;
struct OperationInput;

/// One token, logged in as its user. Thread-safe: as many sessions at once as there are callers, or as the token has.
class Pkcs11Token {
  public:
    /// Loads the module for the rest of the process's life. Code::config: no such module, or a PIN that the token does
    /// not take (it is never tried twice: tokens lock themselves). A token that is away is no error.
    [[nodiscard]] static Result<std::shared_ptr<Pkcs11Token>> open(const Pkcs11Uri& uri, SecretBytes pin);
    ~Pkcs11Token();
    Pkcs11Token(const Pkcs11Token&) = delete;
    Pkcs11Token& operator=(const Pkcs11Token&) = delete;

    struct State {
        bool present;
        UtcTime since;
        std::string trouble;  ///< why it is away
    };
    /// Looks for it, if it is away.
    [[nodiscard]] State state() const;

    /// Keys are named by their label (CKA_LABEL). Made in the token, sensitive and never extractable. Code::usage: the
    /// label is taken.
    [[nodiscard]] Result<RsaPublicKey> generate_rsa(const std::string& label, std::size_t bits) const;
    [[nodiscard]] Status generate_hmac(const std::string& label) const;
    /// The public half of a private key that is there. Code::no_key: no such key.
    [[nodiscard]] Result<RsaPublicKey> find_rsa(const std::string& label) const;
    /// Whether the token holds this very key: a label is a name that anybody can give again.
    [[nodiscard]] Result<bool> has_rsa(const std::string& label, const RsaPublicKey& key) const;
    [[nodiscard]] Result<bool> has_hmac(const std::string& label, const std::string& check_value) const;
    /// This very key. None: success.
    [[nodiscard]] Status destroy_rsa(const std::string& label, const RsaPublicKey& key) const;
    [[nodiscard]] Status destroy_hmac(const std::string& label, const std::string& check_value) const;

    /// RSA with the private key of `key`, as KeyUnwrapper says. By the raw operation (CKM_RSA_X_509) where the token
    /// has it, the padding taken off here in constant time; else by the token's own OAEP or PKCS#1, whose timing is the
    /// token's, at the cost of a second operation, which tells a bad message from a broken token.
    [[nodiscard]] Result<ContentKey> unwrap(const std::string& label, const RsaPublicKey& key, KeyTransport transport,
                                            ContentCipher cipher, ByteView wrapped) const;
    /// CKM_SHA256_HMAC over the parts, one after the other. Before it is used the key is proved to be the one of
    /// `check_value`; Code::wrong_key.
    [[nodiscard]] Status hmac(const std::string& label, const std::string& check_value,
                              std::initializer_list<std::string_view> parts, std::span<std::uint8_t, 32> mac) const;
    [[nodiscard]] Result<std::string> hmac_check_value(const std::string& label) const;

  private:
    explicit Pkcs11Token(std::unique_ptr<Pkcs11Connection> connection);
    [[nodiscard]] Result<ContentKey> unwrap_by_own_padding(const std::string& label, const RsaPublicKey& key,
                                                           KeyTransport transport, ContentCipher cipher,
                                                           const OperationInput& input) const;
    std::unique_ptr<Pkcs11Connection> connection_;
};

/// A message key in a token.
class TokenUnwrapper final : public KeyUnwrapper {
  public:
    TokenUnwrapper(std::shared_ptr<const Pkcs11Token> token, std::string label, RsaPublicKey key)
        : token_(std::move(token)), label_(std::move(label)), key_(std::move(key)) {}
    [[nodiscard]] Result<ContentKey> unwrap(KeyTransport transport, ContentCipher cipher,
                                            ByteView wrapped) const override {
        return token_->unwrap(label_, key_, transport, cipher, wrapped);
    }

  private:
    std::shared_ptr<const Pkcs11Token> token_;
    std::string label_;
    RsaPublicKey key_;
};

}  // namespace tpf::crypto
