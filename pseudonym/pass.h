#pragma once
// One message's pass: submission in, pseudonymised message out, in one go and in constant memory.
//
//   bytes → XML scanner (outer) → base64 → AES-GCM → XML scanner (TPF layer) → replace → sink
//
// What reaches the sink is unauthenticated until finish() succeeded: whoever owns the sink publishes nothing before,
// and drops it after an error. What an attacker could measure is one answer (formats.md § 2): wrong key, tag and
// padding are Code::decryption after the whole content was consumed; a fault in the plaintext is told only after the
// tag verified.

#include <memory>
#include <optional>

#include "base/encoding.h"
#include "base/result.h"
#include "crypto/key_ring.h"
#include "pseudonym/tpf_layer.h"

namespace tpf::pseudonym {

/// Where the pass gets keys and a register's settings. Called once each, on the pass's thread.
class PassKeys {
  public:
    virtual ~PassKeys() = default;
    /// Code::unknown_key, key_expired, no_key.
    [[nodiscard]] virtual Result<crypto::KeyRing::MessageKey> message_key(const KeyId& id) const = 0;
    /// Code::unknown_register, no_key.
    [[nodiscard]] virtual Result<RegisterSetup> register_setup(const RegisterName& reg) const = 0;
};

struct PassOptions {
    PassLimits limits;
    /// The source authenticated the sender: without that no legacy (unauthenticated) encryption is taken.
    bool sender_authenticated = false;
    /// Gets the pseudonyms as well, on the pass's thread; outlives the pass. nullptr: nobody does.
    PseudonymSink* pseudonyms = nullptr;
};

/// Not thread-safe; one per message.
class Pass {
  public:
    Pass(const PassKeys& keys, const PassOptions& options, OutputSink& sink);
    ~Pass();
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

    /// The next bytes of the submission, pieces of any size; kPiece is best.
    [[nodiscard]] Status feed(ByteView piece);
    [[nodiscard]] Result<PassReport> finish();

    /// What the clear header said, once it was read; unauthenticated.
    [[nodiscard]] const std::optional<ClearHeader>& clear_header() const noexcept;
    /// The key that the message names, once it was read.
    [[nodiscard]] const std::optional<KeyId>& key_id() const noexcept;
    /// The tag has verified and Hode is the clear header: who sent it is known, whatever else is wrong.
    [[nodiscard]] bool authentic() const noexcept;
    /// Persons without a pseudonym; for Code::invalid_number.
    [[nodiscard]] PersonMarks marked() const;

    static constexpr std::size_t kPiece = 128 * 1024;

  private:
    class Run;
    std::unique_ptr<Run> run_;
};

/// Reads only the clear header. feed() until header() is there or an error comes (which the pass would meet as well).
class HeaderPeek {
  public:
    explicit HeaderPeek(const PassLimits& limits);
    ~HeaderPeek();
    [[nodiscard]] Status feed(ByteView piece);
    [[nodiscard]] const std::optional<ClearHeader>& header() const noexcept;

  private:
    class Run;
    std::unique_ptr<Run> run_;
};

}  // namespace tpf::pseudonym
