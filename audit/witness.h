#pragma once
// What a witness of the log decides: it cosigns a checkpoint only when the log's key signed it and it follows from the
// one that it cosigned before. Never two that contradict each other, never a smaller one after a larger one. Rules:
// docs/audit-log.md, "Witnesses". Pure functions and values, thread-safe.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/merkle.h"
#include "audit/note.h"
#include "base/result.h"

namespace tpf::audit {

/// A checkpoint on its way to a witness, with the proof that it follows from that of `old_size` entries.
struct Offer {
    std::string note;
    std::uint64_t old_size = 0;
    Proof proof{};
};
/// A proof has at most so many hashes.
inline constexpr std::size_t kMostProof = 64;
/// The hashes one after the other, in base64; empty for an empty proof.
[[nodiscard]] std::string proof_text(const Proof& proof);
/// Code::evidence: not base64, not whole hashes, or more than kMostProof.
[[nodiscard]] Result<Proof> parse_proof(std::string_view base64);
/// The same as C2SP's tlog-witness writes it, for an offline witness: "old " size LF, a line of base64 for each hash,
/// an empty line, the note.
[[nodiscard]] std::string offer_text(const Offer& offer);
[[nodiscard]] Result<Offer> parse_offer(std::string_view text);

/// What a witness knows of one log.
struct WitnessMemory {
    TreeHead newest{};              ///< that it cosigned; default: nothing yet
    std::vector<TreeHead> earlier;  ///< some that it cosigned before, in any order
};
enum class WitnessVerdict {
    fresh,          ///< it follows from the newest: cosign it, keep it
    known,          ///< cosigned before: there is nothing to do
    stale,          ///< older than the newest, or with a proof from another size: ask for one from the newest
    contradiction,  ///< it does not follow from what was cosigned: somebody is shown another log
};
/// `head`: of a note whose signature was verified.
[[nodiscard]] WitnessVerdict judge(const WitnessMemory& memory, const TreeHead& head, std::uint64_t old_size,
                                   const Proof& proof);

/// A note with the log's own signature and, where asked for, a witness's; both verified.
struct OpenedNote {
    Checkpoint checkpoint;
    std::string note;                      ///< with these signatures alone
    std::string witness{};                 ///< its name; empty: not asked for
    std::optional<UtcTime> cosigned_at{};  ///< as the witness says
};
/// The log's keys, raw; twice the same counts once. `origin`: of the log, which is its key's name too; empty: the one
/// that the note names.
struct LogKeys {
    std::string origin;
    std::vector<Ed25519Key> keys;
};
/// `witnesses`: none, or those of which one must have cosigned. Code::evidence says what is missing or wrong.
[[nodiscard]] Result<OpenedNote> open_note(std::string_view note, const LogKeys& log,
                                           std::span<const NoteKey> witnesses, const NoteVerifier& verifier);

}  // namespace tpf::audit
