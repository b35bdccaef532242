#pragma once
// Signed notes, checkpoints and cosignatures as C2SP defines them (https://c2sp.org/signed-note, tlog-checkpoint,
// tlog-cosignature), with Ed25519. Parsers take exactly what the writers here and in the specifications make; anything
// else is Code::evidence. Pure functions and values, thread-safe.
//
// This folder holds no keys: who signs and verifies is handed in (the daemon does it with crypto's keys).

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/audit_entry.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/result.h"

namespace tpf::audit {

using Ed25519Key = std::array<std::uint8_t, 32>;
using Ed25519Signature = std::array<std::uint8_t, 64>;

/// Ed25519 (RFC 8032), with one private key.
class NoteSigner {
  public:
    virtual ~NoteSigner() = default;
    [[nodiscard]] virtual Ed25519Key public_key() const = 0;
    [[nodiscard]] virtual Ed25519Signature sign(std::string_view message) const = 0;
};
class NoteVerifier {
  public:
    virtual ~NoteVerifier() = default;
    [[nodiscard]] virtual bool verify(const Ed25519Key& key, std::string_view message,
                                      const Ed25519Signature& signature) const = 0;
};

/// The signature types of signed-note that we know.
enum class NoteType : std::uint8_t {
    ed25519 = 0x01,
    cosignature = 0x04,  ///< cosignature/v1: with its time, over a checkpoint
};

/// A public key with the name and the type of signature that it is known by. As text ("vkey"):
/// NAME "+" key id (8 hex digits, lower case) "+" base64(type || key).
class NoteKey {
  public:
    /// `name`: UTF-8, not empty, without white space, control characters and "+"; usually a URL without its scheme.
    [[nodiscard]] static Result<NoteKey> create(std::string name, NoteType type, const Ed25519Key& key);
    [[nodiscard]] static Result<NoteKey> parse(std::string_view vkey);
    [[nodiscard]] std::string str() const;
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] NoteType type() const noexcept { return type_; }
    [[nodiscard]] const Ed25519Key& key() const noexcept { return key_; }
    /// The first four bytes of SHA-256(name || 0x0A || type || key).
    [[nodiscard]] std::uint32_t id() const noexcept { return id_; }
    friend bool operator==(const NoteKey&, const NoteKey&) = default;

  private:
    NoteKey(std::string name, NoteType type, const Ed25519Key& key);
    std::string name_;
    NoteType type_;
    Ed25519Key key_;
    std::uint32_t id_;
};

/// A signature line, of whatever type: "— " NAME " " base64(key id || bytes).
struct NoteSignature {
    std::string name;
    std::uint32_t key_id = 0;
    Bytes bytes;  ///< at least one
    friend bool operator==(const NoteSignature&, const NoteSignature&) = default;
};

/// A text and who signed it; nothing is verified yet.
struct SignedNote {
    std::string text;                       ///< UTF-8, ends in LF, no other control characters
    std::vector<NoteSignature> signatures;  ///< at least one
    static constexpr std::size_t kMostSignatures = 100;
    static constexpr std::size_t kMostBytes = std::size_t{1} << 20;
    [[nodiscard]] static Result<SignedNote> parse(std::string_view note);
    /// Code::evidence: what it holds cannot be written as a note.
    [[nodiscard]] Result<std::string> str() const;
};

/// A signature that verified.
struct VerifiedSignature {
    NoteKey key;
    std::optional<UtcTime> time;  ///< NoteType::cosignature: when, as the cosigner says
};

/// The signatures of `known` keys, in the note's order. Other keys' lines are passed over. Code::evidence: a known
/// key's signature does not verify, or there is none. Code::usage: two of `known` have the same name and id.
[[nodiscard]] Result<std::vector<VerifiedSignature>> verify_note(const SignedNote& note, std::span<const NoteKey> known,
                                                                 const NoteVerifier& verifier);
/// A line of type NoteType::ed25519. Code::evidence: not a note's text, or not a name.
[[nodiscard]] Result<NoteSignature> sign_note(std::string_view text, std::string_view name, const NoteSigner& signer);

/// A tree head and whose it is. As text: origin, size in decimal, root in base64, then extension lines; each with LF.
struct Checkpoint {
    std::string origin;  ///< a line, not empty
    TreeHead head;
    std::vector<std::string> extensions{};  ///< lines, none empty
    [[nodiscard]] static Result<Checkpoint> parse(std::string_view text);
    /// Code::evidence: an origin or extension that is not such a line.
    [[nodiscard]] Result<std::string> str() const;
    friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

/// A line of type NoteType::cosignature for the text of a checkpoint. `time`: not before 1970.
[[nodiscard]] Result<NoteSignature> cosign(std::string_view checkpoint, std::string_view name, const NoteSigner& signer,
                                           UtcTime time);

}  // namespace tpf::audit
