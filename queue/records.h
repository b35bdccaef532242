#pragma once
// The small records that lie beside a message in the spool: kilde.json (source to core), post.json (core to forwarder),
// svar.json (forwarder to core). Bytes, grammar and examples: docs/spool-format.md.
//
// A record is one line of JSON with fixed keys in a fixed order, closed by an end mark: "slutt" is the SHA-256 of all
// bytes before it. So a record that was cut, or in which one bit turned, is known as damaged; and since a record must
// equal what we would write ourselves, byte for byte, repeated keys and other readings of it do not exist.
//
// Errors of the parse functions: Code::record_damaged (no or wrong end mark), Code::record_form (sealed rightly, but
// not a record of this kind). No error text repeats content.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/codes.h"
#include "base/result.h"
#include "base/types.h"

namespace tpf::queue {

/// Largest record in bytes that is read.
inline constexpr std::size_t kMaxRecord = 8192;

/// A source's name: `[a-z][a-z0-9-]{0,31}`; names a folder under kvittering/.
[[nodiscard]] bool is_source_name(std::string_view text) noexcept;
/// 64 lower-case hex digits.
[[nodiscard]] bool is_sha256_hex(std::string_view text) noexcept;
/// What an operator may give as a reason: UTF-8 without control characters, 1 to 500 bytes.
[[nodiscard]] bool is_reason(std::string_view text) noexcept;

/// kilde.json: where a submission came from. Which source it truly was follows from the owner of the files; `source`
/// only says so and is held against that by the core.
struct KildeRecord {
    SpoolId id;
    std::string source;              ///< is_source_name
    std::optional<Avsender> sender;  ///< the sender that the source authenticated; none: it authenticated nobody
    std::string operator_name;       ///< user name of who submitted it by hand (tpfctl submit), else empty
    std::string reason;              ///< is_reason, given by that operator, else empty
    UtcTime received;                ///< when the source had all of it
    std::uint64_t size;              ///< bytes of innsending.xml
    std::string sha256;              ///< of innsending.xml, lower-case hex
};
/// Code::record_form when a field breaks its grammar.
[[nodiscard]] Result<std::string> write_kilde(const KildeRecord& record);
[[nodiscard]] Result<KildeRecord> parse_kilde(std::string_view text);

/// post.json: what the forwarder is to send, and to whom.
struct PostRecord {
    SpoolId id;
    MessageName name;  ///< its str() is the Idempotency-Key
    RegisterName to;
    std::uint64_t size;     ///< bytes of melding.xml
    std::string sha256;     ///< of melding.xml, lower-case hex
    std::string signature;  ///< the core's, base64, for the header TPF-Signature
};
[[nodiscard]] Result<std::string> write_post(const PostRecord& record);
[[nodiscard]] Result<PostRecord> parse_post(std::string_view text);

/// svar.json: an answer of the register, as it came. Nothing in it is believed before the core verified `signature`.
/// The members of the answer are kept only where they have the form named here; other text of an answer is dropped.
struct SvarRecord {
    SpoolId id;
    unsigned http_status = 0;             ///< 0: there was none, see `trouble`
    std::optional<Code> trouble{};        ///< what the forwarder itself found: record_damaged when melding.xml does not
                                          ///< match post.json
    UtcTime answered{};                   ///< when the forwarder had the answer
    std::optional<std::string> status{};  ///< `[A-Za-z0-9._-]{1,64}`
    std::optional<std::string> kvittering{};  ///< the same
    std::optional<std::string> kode{};        ///< the same
    std::optional<std::string> navn{};        ///< a MessageName
    std::optional<std::string> sha256{};      ///< 64 hex digits
    std::optional<std::string> mottatt{};    ///< 1 to 40 characters of `[0-9TZ:+.-]`, kept as it came: it was signed so
    std::optional<std::string> signature{};  ///< base64 of at most 128 characters
    std::optional<std::string> sjekkpunkt{};  ///< base64 of at most 4096 characters: the note that the register kept
};
/// Leaves out members of the answer that have not their form.
[[nodiscard]] Result<std::string> write_svar(const SvarRecord& record);
[[nodiscard]] Result<SvarRecord> parse_svar(std::string_view text);

/// REGISTER.json in checkpoints/: what the forwarder sends of the audit log with each message to that register.
struct CheckpointRecord {
    RegisterName to;
    std::string note;            ///< base64 of at most 4096 characters, for the header TPF-Checkpoint
    std::uint64_t old_size = 0;  ///< entries under the checkpoint that the register cosigned last
    std::string proof{};         ///< base64 of at most 2732 characters, or empty; with old_size in TPF-Consistency
};
[[nodiscard]] Result<std::string> write_checkpoint(const CheckpointRecord& record);
[[nodiscard]] Result<CheckpointRecord> parse_checkpoint(std::string_view text);

/// How a register stands, as the forwarder sees it; for `status`.
struct RegisterHealth {
    RegisterName name;
    std::optional<Code> trouble;  ///< none: the last try succeeded
    UtcTime since;                ///< since when it has been so
    std::uint64_t attempts = 0;   ///< failed tries since then
};
/// registre.json: all registers, in the order given.
[[nodiscard]] Result<std::string> write_health(const std::vector<RegisterHealth>& registers);
[[nodiscard]] Result<std::vector<RegisterHealth>> parse_health(std::string_view text);

}  // namespace tpf::queue
