#pragma once
// keyring.json: the facts of a ring as text (docs/keyring-format.md). Internal to crypto/.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/encoding.h"
#include "base/result.h"
#include "crypto/key_ring.h"

namespace tpf::crypto {

/// How the ring's passphrase becomes the key that its pseudonym keys are sealed under: scrypt (RFC 7914).
struct RingKdf {
    /// As the private keys beside it, which OpenSSL must open: a passphrase is guessed at whatever costs least. With
    /// r = 8 16 MiB of memory and about 0.04 s.
    std::size_t n = 16384;
    std::size_t r = 8;
    std::size_t p = 1;
    Bytes salt;  ///< 16 bytes, drawn once per ring
    [[nodiscard]] static RingKdf fresh();
    friend bool operator==(const RingKdf&, const RingKdf&) = default;
};

struct RingRecord {
    std::optional<RingKdf> kdf;  ///< there once the ring holds, or held, a pseudonym key
    std::vector<KeyFacts> keys;
    std::optional<RingRestored> restored;       ///< not in the audit log yet
    std::optional<PublishedEdition> published;  ///< none: no key file was made yet
};

[[nodiscard]] bool has_validity(KeyKind kind) noexcept;
[[nodiscard]] bool has_register(KeyKind kind) noexcept;
/// Whether something can arrive under a key of this kind, and so the state accepting means something.
[[nodiscard]] bool has_accepting(KeyKind kind) noexcept;
/// Whether a file with a secret belongs to a key of this kind.
[[nodiscard]] bool has_secret(KeyKind kind) noexcept;

/// Whether the secret of a key of this kind may lie there.
[[nodiscard]] bool may_lie(KeyKind kind, KeyPlace place) noexcept;

/// Empty text is an empty ring. Code::config: not this format, another version, a value or member not understood, an
/// id or a pseudonym version twice.
[[nodiscard]] Result<RingRecord> parse_ring(std::string_view text);
[[nodiscard]] std::string write_ring(const RingRecord& record);

}  // namespace tpf::crypto
