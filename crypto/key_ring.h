#pragma once
// The keys of the core: which there are, what each may be used for, and the keys themselves. Lives in one folder:
// keyring.json (public facts) and one encrypted file per private key. Every change is made on disk first (written
// beside, synced, moved over) and then in memory; a crash leaves the old ring or the new one.

#include <sys/types.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fs.h"
#include "base/result.h"
#include "base/second_operator.h"
#include "base/types.h"
#include "crypto/algorithms.h"
#include "crypto/pseudonym_mac.h"
#include "crypto/rsa.h"
#include "crypto/signature.h"

namespace tpf::crypto {

enum class KeyKind {
    message,    ///< RSA, private: opens the TPF layer
    pseudonym,  ///< 32 bytes, secret: one per register and version
    signing,    ///< Ed25519, private: the core's signature on messages to a register
    register_,  ///< RSA, public: what senders seal persons' data for
    receipt,    ///< Ed25519, public: the register's signature on receipts
};
/// prepared: not used yet. active: published and used. accepting: still opens what arrives, no longer published.
/// retired: refused, kept. destroyed: only its facts are left.
/// Where a secret lies. file: sealed under the ring's passphrase. token: in the PKCS#11 token, which never gives it
/// away (message, pseudonym). wrapped: in a file, sealed under a key of the token, and opened into memory (pseudonym).
enum class KeyPlace { file, token, wrapped };
enum class KeyState { prepared, active, accepting, retired, destroyed };
[[nodiscard]] std::string_view to_string(KeyKind kind) noexcept;
[[nodiscard]] std::string_view to_string(KeyState state) noexcept;
[[nodiscard]] std::string_view to_string(KeyPlace place) noexcept;
[[nodiscard]] Result<KeyPlace> parse_key_place(std::string_view text);
[[nodiscard]] Result<KeyKind> parse_key_kind(std::string_view text);

using KeyActor = Actor;
/// A state that a key came to.
struct KeyChange {
    KeyState state;
    UtcTime at;
    std::string by;
    std::string reason;
};
/// A first operator wants the key destroyed; a second one has to confirm it before this much time went by.
using DestroyRequest = OperatorRequest;
inline constexpr std::chrono::hours kConfirmWithin = kApproveWithin;
/// When a ring came out of a backup, which one (check value of the backup's own key), and who did it.
struct RingRestored {
    UtcTime at;
    std::string by;
    std::string reason;
    std::string backup;
};

inline constexpr std::size_t kPseudonymKeyBytes = 32;
/// What nine digits hold (formats.md § 5).
inline constexpr unsigned kMaxEdition = 999'999'999;
/// So far above the last one an edition may be given: one that is typed wrong would use up the numbers, for the senders
/// too.
inline constexpr unsigned kMaxEditionStep = 1000;
/// The last key file that was made for the senders.
struct PublishedEdition {
    unsigned edition;    ///< utgave
    std::string sha256;  ///< of the file
    friend bool operator==(const PublishedEdition&, const PublishedEdition&) = default;
};

/// What may be shown of a key.
struct KeyFacts {
    KeyId id;
    KeyKind kind;
    KeyState state;
    std::optional<RegisterName> reg;         ///< pseudonym, register_, receipt
    unsigned version = 0;                    ///< pseudonym: 1, 2, …
    std::chrono::sys_days valid_from;        ///< inclusive, Norwegian date; message and register_
    std::chrono::sys_days valid_to;          ///< inclusive
    KeyPolicy policy = KeyPolicy::modern();  ///< message and register_
    std::size_t bits = 0;
    std::string check_value;  ///< 16 hex digits that tell two keys apart; tells nothing of a secret key
    UtcTime created;
    std::vector<KeyChange> history{};                 ///< oldest first
    std::optional<DestroyRequest> destroy_request{};  ///< may have run out
    std::string public_pem{};                         ///< all kinds but pseudonym
    KeyPlace place = KeyPlace::file;
    unsigned failures = 0;  ///< legacy message keys: messages that did not open since the last resume
};
/// So many messages that do not open suspend a legacy key: an oracle is asked no further (formats.md § 2).
inline constexpr unsigned kMostFailures = 20;
[[nodiscard]] bool is_suspended(const KeyFacts& facts) noexcept;
/// When it came to its present state.
[[nodiscard]] UtcTime in_state_since(const KeyFacts& facts);

/// Thread-safe. Readers get snapshots that stay valid while they hold them.
class KeyRing {
  public:
    /// Opens `folder`; a missing folder, and a missing or empty keyring.json, are an empty ring (generate and import
    /// make them). Every secret but destroyed ones is opened and checked to be the key that the ring names: about 0.1 s
    /// each. Code::wrong_key when the passphrase does not open a file or a file is not that key. Code::config: folder
    /// or files that others may read or write (the hint is the command that mends it), a keyring.json that is not
    /// understood, or an empty passphrase where the ring holds secrets. `fs` outlives the ring. One ring per folder at
    /// a time, but for a second one that only reads. `owner`: whose the files must be (or root's); this process's user
    /// unless told. What a crash left of a destroyed key's file is removed. `token`: for keys that lie there or are
    /// wrapped by it; while it is away, and without it, they are Code::no_key to who wants to use them.
    [[nodiscard]] static Result<std::unique_ptr<KeyRing>> open(FileSystem& fs, const Path& folder,
                                                               SecretBytes passphrase, uid_t owner = ::geteuid(),
                                                               std::shared_ptr<const Pkcs11Token> token = nullptr);
    ~KeyRing();

    [[nodiscard]] std::vector<KeyFacts> list() const;

    struct GenerateRequest {
        KeyKind kind;  ///< message, pseudonym or signing
        KeyId id;
        std::optional<RegisterName> reg;
        unsigned version = 0;
        std::chrono::sys_days valid_from;
        std::chrono::sys_days valid_to;
        KeyPolicy policy = KeyPolicy::modern();
        std::size_t bits = kMinModernRsaBits;
        KeyState state = KeyState::active;  ///< or prepared
        KeyActor actor{};
        KeyPlace place = KeyPlace::file;
        /// A pseudonym key that exists already (32 bytes), in place of a fresh one. Not for place token.
        std::shared_ptr<const SecretBytes> existing{};
    };
    /// Made, and in use at once unless only prepared. An id, or a pseudonym version, that exists, or a request that
    /// does not fit its kind: Code::usage. Without a passphrase: Code::config. RSA: seconds, during which readers go
    /// on.
    [[nodiscard]] Result<KeyFacts> generate(const GenerateRequest& request, UtcTime now);

    struct ImportRequest {
        KeyKind kind;  ///< register_ (RSA PEM) or receipt (Ed25519 PEM)
        KeyId id;
        RegisterName reg;
        std::string pem;
        std::chrono::sys_days valid_from;
        std::chrono::sys_days valid_to;
        KeyPolicy policy = KeyPolicy::modern();
        KeyState state = KeyState::active;  ///< or prepared
        KeyActor actor{};
    };
    /// In use at once unless only prepared. Code::usage: an id that exists, a register called TPF, an RSA key that is
    /// too short for its profile, or one that the ring has under another profile or as the TPF's own. Code::field_form:
    /// not such a PEM.
    [[nodiscard]] Result<KeyFacts> import(const ImportRequest& request, UtcTime now);

    /// Brings a key into the state active (from prepared, accepting or retired), accepting (from active or retired;
    /// only kinds under which something arrives: message, register_, receipt) or retired (from any but destroyed). A
    /// request to destroy it is dropped. Code::not_found; Code::usage: no such change.
    [[nodiscard]] Result<KeyFacts> change(const KeyId& id, KeyState to, const KeyActor& actor, UtcTime now);
    /// Called before a key is suspended: what it fails with stays (no suspension without its audit entry).
    using BeforeSuspension = std::function<Status(const KeyFacts&)>;
    /// A message under the message key `id` did not open; on disk when it returns. Only legacy keys count them. True:
    /// the key is suspended by this one.
    [[nodiscard]] Result<bool> note_failure(const KeyId& id, const BeforeSuspension& before_suspension);
    /// Counts from none again. Code::not_found; Code::usage: not a legacy message key, or no failure to forget.
    [[nodiscard]] Result<KeyFacts> resume(const KeyId& id);
    /// What still needs a key (a text for operators, "a pseudonym list under it is kept"); empty: nothing does.
    using NeededFor = std::function<Result<std::string>(const KeyFacts&)>;
    /// The first of two operators; a later request takes the place of an earlier one. Only a prepared or retired key
    /// that nothing needs: else Code::usage.
    [[nodiscard]] Result<KeyFacts> request_destroy(const KeyId& id, const KeyActor& actor, const NeededFor& needed_for,
                                                   UtcTime now);
    /// The second: the secret is gone from ring and folder, its facts stay. Code::denied: root or a user without a name
    /// (who is that?), or the operator who asked, by name or uid. Code::usage: no request, or one older than
    /// kConfirmWithin; not retired or prepared; something needs it. Code::io: the ring has it destroyed, its file could
    /// not be removed; the next start tries again.
    [[nodiscard]] Result<KeyFacts> confirm_destroy(const KeyId& id, const KeyActor& actor, const NeededFor& needed_for,
                                                   UtcTime now);

    /// What a look at every file found. Nothing is changed.
    struct CheckReport {
        struct Key {
            KeyId id;
            KeyState state;
            std::optional<Error> fault;  ///< none: opened with the passphrase, and it is the key of its check value
        };
        std::vector<Key> keys;
        std::vector<std::string> strangers;  ///< names of files that no key of the ring names
        bool as_loaded = true;               ///< keyring.json says what this ring has in memory
    };
    /// Opens every file of the folder anew: about 0.1 s each. Errors are those of open() that concern the whole folder.
    [[nodiscard]] Result<CheckReport> check() const;

    /// All that the ring is, in one piece: for key_backup.h. Errors: none but Code::internal.
    [[nodiscard]] Result<SecretBytes> bundle() const;
    /// Opens a bundle and proves every key in it against its check value; the keys' facts. Code::field_form: not a
    /// bundle.
    [[nodiscard]] static Result<std::vector<KeyFacts>> prove(const SecretBytes& bundle);
    /// Writes a bundle's keys as a ring into `folder`, under `passphrase`, and opens it: every key is proved against
    /// its check value before the first write and again from the disk. Code::usage: a folder that holds a ring already.
    /// Code::field_form: not a bundle. A crash leaves no keyring.json: the same restore can be made again.
    [[nodiscard]] static Result<std::unique_ptr<KeyRing>> restore(FileSystem& fs, const Path& folder,
                                                                  SecretBytes passphrase, const SecretBytes& bundle,
                                                                  const RingRestored& restored);
    /// Hands a restore that is not in the audit log yet to `record`, and then forgets it; again after a crash.
    [[nodiscard]] Status announce_restore(const std::function<Status(const RingRestored&)>& record);

    /// A message key that may open what arrives: its unwrapper and policy. Code::unknown_key when there is none of that
    /// id (of kind message), Code::key_expired when its state no longer accepts, Code::no_key when it is suspended or
    /// lies in a token that there is not.
    struct MessageKey {
        std::shared_ptr<const KeyUnwrapper> unwrapper;
        KeyPolicy policy;
        std::size_t modulus_bytes;
    };
    [[nodiscard]] Result<MessageKey> message_key(const KeyId& id) const;
    /// Whether any message key can be used at all; without one, messages wait.
    [[nodiscard]] bool has_message_key() const;
    /// Keyed and ready, one for the calling thread. Code::no_key when the ring has no usable key of that version.
    /// `retired_too`: to find what was made under it, not to make more.
    [[nodiscard]] Result<PseudonymMac> pseudonym_mac(const RegisterName& reg, unsigned version,
                                                     bool retired_too = false) const;
    /// The active one that became so last; Code::no_key without one.
    [[nodiscard]] Result<SigningKey> signing_key() const;
    /// A register's active and accepting keys: for checking the register layer.
    struct RegisterKey {
        KeyId id;
        std::size_t modulus_bytes;
        KeyPolicy policy;
    };
    [[nodiscard]] std::vector<RegisterKey> register_keys(const RegisterName& reg) const;
    [[nodiscard]] std::vector<VerifyKey> receipt_keys(const RegisterName& reg) const;

    /// The senders' key file (formats.md § 5), UTF-16LE with BOM: active message and register keys that have not ended,
    /// the TPF's first, then by register and valid_from. versjon is the year of valid_from of the newest message key;
    /// without one Code::no_key. `edition`: the one after the last when none is given; senders refuse a lower one than
    /// they have used, so that one lower than the last is Code::usage, and the last one again where it would be another
    /// file. The number is on disk before the file is handed out.
    struct PublishedFile {
        std::string content;
        PublishedEdition edition;
    };
    [[nodiscard]] Result<PublishedFile> publish(std::optional<unsigned> edition, UtcTime now);

  private:
    struct State;
    explicit KeyRing(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace tpf::crypto
