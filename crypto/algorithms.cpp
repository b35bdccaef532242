#include "crypto/algorithms.h"

#include <array>

namespace tpf::crypto {
namespace {

constexpr std::string_view kSha1 = "http://www.w3.org/2000/09/xmldsig#sha1";
constexpr std::string_view kSha256 = "http://www.w3.org/2001/04/xmlenc#sha256";
constexpr std::string_view kMgf1Sha256 = "http://www.w3.org/2009/xmlenc11#mgf1sha256";
constexpr std::string_view kOaep = "http://www.w3.org/2009/xmlenc11#rsa-oaep";
constexpr std::string_view kOaepMgf1p = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
constexpr std::string_view kRsa15 = "http://www.w3.org/2001/04/xmlenc#rsa-1_5";

struct TransportRow {
    KeyTransport transport;
    KeyTransportUris uris;
};
// In the order of the enum.
constexpr std::array<TransportRow, 4> kTransports{{
    {KeyTransport::oaep_sha256_mgf1_sha256, {kOaep, kSha256, kMgf1Sha256}},
    {KeyTransport::oaep_mgf1p_sha1, {kOaepMgf1p, kSha1, std::nullopt}},
    {KeyTransport::oaep_mgf1p_sha256, {kOaepMgf1p, kSha256, std::nullopt}},
    {KeyTransport::rsa_1_5, {kRsa15, std::nullopt, std::nullopt}},
}};

struct CipherRow {
    ContentCipher cipher;
    std::string_view uri;
    std::size_t key_size;
};
// In the order of the enum.
constexpr std::array<CipherRow, 3> kCiphers{{
    {ContentCipher::aes128_gcm, "http://www.w3.org/2009/xmlenc11#aes128-gcm", 16},
    {ContentCipher::aes256_gcm, "http://www.w3.org/2009/xmlenc11#aes256-gcm", 32},
    {ContentCipher::aes256_cbc, "http://www.w3.org/2001/04/xmlenc#aes256-cbc", 32},
}};

constexpr std::string_view kModern = "modern";
constexpr std::string_view kLegacyRsa15 = "legacy-net:rsa-1_5";
constexpr std::string_view kLegacyOaep = "legacy-net:rsa-oaep-mgf1p";

}  // namespace

std::size_t key_size(ContentCipher cipher) noexcept {
    return kCiphers[static_cast<std::size_t>(cipher)].key_size;
}
std::string_view uri(ContentCipher cipher) noexcept {
    return kCiphers[static_cast<std::size_t>(cipher)].uri;
}
KeyTransportUris uris(KeyTransport transport) noexcept {
    return kTransports[static_cast<std::size_t>(transport)].uris;
}

Result<KeyTransport> parse_key_transport(std::string_view algorithm, std::optional<std::string_view> digest,
                                         std::optional<std::string_view> mgf) {
    // XML Encryption § 5.5.2: rsa-oaep-mgf1p without a DigestMethod means SHA-1.
    if (algorithm == kOaepMgf1p && !digest) digest = kSha1;
    for (const TransportRow& row : kTransports) {
        if (row.uris.algorithm == algorithm && row.uris.digest == digest && row.uris.mgf == mgf) return row.transport;
    }
    return fail(Code::algorithm, "a key transport, or a digest or mask function in it, that is not allowed");
}

Result<ContentCipher> parse_content_cipher(std::string_view algorithm) {
    for (const CipherRow& row : kCiphers) {
        if (row.uri == algorithm) return row.cipher;
    }
    return fail(Code::algorithm, "a content cipher that is not allowed");
}

KeyPolicy KeyPolicy::modern() noexcept {
    return {};
}

Result<KeyPolicy> KeyPolicy::legacy_net(KeyTransport transport) {
    if (transport != KeyTransport::rsa_1_5 && transport != KeyTransport::oaep_mgf1p_sha1) {
        return fail(Code::usage, "a legacy-net key takes rsa-1_5 or rsa-oaep-mgf1p with SHA-1");
    }
    KeyPolicy policy;
    policy.legacy_ = transport;
    return policy;
}

Status KeyPolicy::check(KeyTransport transport, ContentCipher cipher) const {
    const bool cbc = cipher == ContentCipher::aes256_cbc;
    const bool allowed = legacy_ ? cbc && transport == *legacy_ : !cbc && transport != KeyTransport::rsa_1_5;
    if (allowed) return ok();
    return fail(Code::algorithm, "key transport and content cipher are not allowed together under a key of profile " +
                                     std::string(profile()));
}

std::string_view KeyPolicy::profile() const noexcept {
    if (!legacy_) return kModern;
    return *legacy_ == KeyTransport::rsa_1_5 ? kLegacyRsa15 : kLegacyOaep;
}

Result<KeyPolicy> KeyPolicy::parse_profile(std::string_view text) {
    if (text == kModern) return modern();
    if (text == kLegacyRsa15) return legacy_net(KeyTransport::rsa_1_5);
    if (text == kLegacyOaep) return legacy_net(KeyTransport::oaep_mgf1p_sha1);
    return fail(Code::field_form, "a profile is modern, legacy-net:rsa-1_5 or legacy-net:rsa-oaep-mgf1p");
}

}  // namespace tpf::crypto
