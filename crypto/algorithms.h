#pragma once
// Which XML Encryption algorithms exist for us, and which a key allows. Data, not code: formats.md § 2 "Algorithms".
// A refusal comes before any private key is used.

#include <optional>
#include <string_view>

#include "base/result.h"

namespace tpf::crypto {

/// How a content key travels. XML Encryption 1.1 § 5.5.
enum class KeyTransport {
    oaep_sha256_mgf1_sha256,  ///< xmlenc11#rsa-oaep, DigestMethod SHA-256 and MGF mgf1sha256, both said
    oaep_mgf1p_sha1,          ///< xmlenc#rsa-oaep-mgf1p, SHA-1 (said or by default), MGF1-SHA-1
    oaep_mgf1p_sha256,        ///< xmlenc#rsa-oaep-mgf1p, DigestMethod SHA-256, MGF1-SHA-1
    rsa_1_5,                  ///< xmlenc#rsa-1_5: legacy-net only
};

/// How content is sealed. XML Encryption 1.1 § 5.2.
enum class ContentCipher { aes128_gcm, aes256_gcm, aes256_cbc };

[[nodiscard]] std::size_t key_size(ContentCipher cipher) noexcept;  ///< bytes: 16 or 32

/// From EncryptionMethod: @Algorithm, and of its children DigestMethod/@Algorithm and MGF/@Algorithm where present.
/// Anything but the combinations above: Code::algorithm, without echoing what was read.
[[nodiscard]] Result<KeyTransport> parse_key_transport(std::string_view algorithm,
                                                       std::optional<std::string_view> digest,
                                                       std::optional<std::string_view> mgf);
[[nodiscard]] Result<ContentCipher> parse_content_cipher(std::string_view algorithm);

/// The URIs as we write them.
struct KeyTransportUris {
    std::string_view algorithm;
    std::optional<std::string_view> digest;
    std::optional<std::string_view> mgf;
};
[[nodiscard]] KeyTransportUris uris(KeyTransport transport) noexcept;
[[nodiscard]] std::string_view uri(ContentCipher cipher) noexcept;

/// What one RSA key may be used for.
class KeyPolicy {
  public:
    /// GCM with any OAEP form.
    [[nodiscard]] static KeyPolicy modern() noexcept;
    /// aes256-cbc with exactly `transport` (rsa_1_5 or oaep_mgf1p_sha1); never GCM.
    [[nodiscard]] static Result<KeyPolicy> legacy_net(KeyTransport transport);
    /// Code::algorithm unless this key allows the two together.
    [[nodiscard]] Status check(KeyTransport transport, ContentCipher cipher) const;
    [[nodiscard]] bool is_legacy() const noexcept { return legacy_.has_value(); }
    /// "modern", "legacy-net:rsa-1_5", "legacy-net:rsa-oaep-mgf1p"; parse_profile reads the same.
    [[nodiscard]] std::string_view profile() const noexcept;
    [[nodiscard]] static Result<KeyPolicy> parse_profile(std::string_view text);
    friend bool operator==(const KeyPolicy&, const KeyPolicy&) = default;

  private:
    KeyPolicy() = default;
    std::optional<KeyTransport> legacy_;
};

}  // namespace tpf::crypto
