#pragma once
// Sealing and opening content of any size in a stream: XML Encryption 1.1 § 5.2.4 (AES-GCM: 12-byte IV, ciphertext,
// 16-byte tag, no additional data) and, for legacy keys, § 5.2.2 (AES-CBC: 16-byte IV, padding whose last byte counts).

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "crypto/algorithms.h"
#include "crypto/secret.h"

namespace tpf::crypto {

/// The most plaintext that one GCM key and IV may seal: 2^36 - 32 bytes (SP 800-38D § 5.2.1.1). Past it Botan wraps the
/// counter silently, so it is enforced here.
inline constexpr std::uint64_t kGcmMaxPlaintext = (std::uint64_t{1} << 36) - 32;

/// A key that seals content. Its length fits the cipher.
struct ContentKey {
    ContentCipher cipher;
    SecretBytes key;
    /// A fresh one.
    [[nodiscard]] static ContentKey random(ContentCipher cipher);
};

/// Opens one EncryptedData's octets. Works in place in a buffer of its own, so that a base64 decoder can write straight
/// into it. What comes out before finish() succeeded is UNAUTHENTICATED: it may be looked at, never published.
/// Not thread-safe. Plaintext in the buffer is wiped by the destructor.
class ContentDecryptor {
  public:
    /// `max_piece`: the most bytes one prepare() will ask for. `max_plaintext`: injectable, since no test can reach the
    /// real one; more is Code::gcm_limit.
    ContentDecryptor(const ContentKey& key, std::size_t max_piece, std::uint64_t max_plaintext = kGcmMaxPlaintext);
    ~ContentDecryptor();
    ContentDecryptor(ContentDecryptor&&) noexcept;
    ContentDecryptor& operator=(ContentDecryptor&&) noexcept;

    /// Room for `size` (at most max_piece, else std::length_error) further octets; the next call must be advance().
    [[nodiscard]] std::uint8_t* prepare(std::size_t size);
    /// `size` octets (no more than were prepared for) were written there. Returns plaintext that became available,
    /// valid until the next call.
    [[nodiscard]] Result<std::span<const std::uint8_t>> advance(std::size_t size);
    /// No more octets. Tag or padding wrong, or too short to be anything: Code::decryption, always the same text.
    /// Success: the last plaintext (valid until the object goes), and all that was handed out is authentic (GCM).
    [[nodiscard]] Result<std::span<const std::uint8_t>> finish();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Seals. The same rules; IV drawn at random (12 bytes; one message per key, so never repeated). GCM only.
class ContentEncryptor {
  public:
    explicit ContentEncryptor(const ContentKey& key, std::uint64_t max_plaintext = kGcmMaxPlaintext);
    ~ContentEncryptor();
    ContentEncryptor(ContentEncryptor&&) noexcept;
    ContentEncryptor& operator=(ContentEncryptor&&) noexcept;
    /// Appends IV (first call) and ciphertext that became available to `out`.
    [[nodiscard]] Status update(ByteView plaintext, Bytes& out);
    /// Appends the rest and the tag. The object is used up.
    [[nodiscard]] Status finish(Bytes& out);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// One small content in one call: IV, ciphertext, tag.
[[nodiscard]] Result<Bytes> seal(const ContentKey& key, ByteView plaintext);
/// The other way; Code::decryption. Plaintext in wiped memory.
[[nodiscard]] Result<SecretBytes> open(const ContentKey& key, ByteView octets);

}  // namespace tpf::crypto
