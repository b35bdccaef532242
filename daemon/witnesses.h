#pragma once
// The audit log's checkpoints on their way to the registers and back (docs/audit-log.md, "Witnesses").
//
// Each register is offered one checkpoint at a time: the newest, with the proof that it follows from the one that this
// register cosigned last. The next is offered when that one's cosignature is here. So however messages overtake each
// other, a checkpoint that reaches the register is new, or known to it. The offer lies in checkpoints/REGISTER.json for
// the forwarder; lost, it is made again: a register that has got further says so, and is believed when this log agrees.

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "audit/witness.h"
#include "crypto/key_ring.h"
#include "queue/journal.h"
#include "queue/spool.h"

namespace tpf::daemon {

/// What a checkpoint that a register sent back says of this log.
struct SeenCheckpoint {
    enum class Kind {
        none,         ///< there was none
        agrees,       ///< this log begins with it
        contradicts,  ///< this log's key signed it, and this log does not begin with it
        unusable,     ///< not a note that this log's and this register's keys signed
    };
    Kind kind = Kind::none;
    TreeHead head{};           ///< agrees, contradicts
    bool same_origin = false;  ///< contradicts: it is under this log's present origin
    std::string note{};        ///< agrees: the two signatures alone
    std::string why{};         ///< contradicts, unusable
};

/// How the log stands with one register.
struct WitnessState {
    TreeHead cosigned{};                    ///< the newest checkpoint that it cosigned; default: none
    std::optional<std::uint64_t> offered;   ///< entries under the one that it was offered and has not cosigned yet
    std::optional<std::string> conflict{};  ///< why what it holds cannot be of this log
    TreeHead held{};                        ///< with conflict: what it holds
    std::optional<std::string>
        unusable{};  ///< why what it sent last is no cosignature, and nothing else is known of it
};

/// Thread-safe. Errors (but begin()'s) have disposition stop: an offer that could not be written (a full disk) is told
/// of and made again with the next message, or when the register says what it misses.
class Witnesses {
  public:
    /// All outlive it.
    Witnesses(queue::Spool& spool, queue::Journal& journal, const crypto::KeyRing& keys) noexcept
        : spool_(spool), journal_(journal), keys_(keys) {}

    /// At the start, and after the log's origin changed: what each of these registers cosigned, what it was offered;
    /// where messages wait, whoever has no offer that fits this log gets one. A cosigned checkpoint that this log does
    /// not begin with (a rebuild that lost entries) is a conflict from the start.
    [[nodiscard]] Status begin(const std::vector<RegisterName>& registers);
    /// Offers the newest checkpoint unless an offer is open. Nothing where there is no checkpoint.
    [[nodiscard]] Status offer(const RegisterName& to);
    [[nodiscard]] Result<SeenCheckpoint> look(const RegisterName& from, const std::optional<std::string>& sjekkpunkt);
    /// After what look() found is in the journal. True: a conflict that was not known before.
    bool settle(const RegisterName& from, const SeenCheckpoint& seen);
    /// The register did not take the offer: another is made, from what it holds (none: from nothing). One from there
    /// that lies open stays: answers to several messages that carried the old one come one after the other.
    [[nodiscard]] Status offer_from(const RegisterName& to, const TreeHead& held);
    /// The register did not get the offer: it is written again, or another when there is none.
    [[nodiscard]] Status offer_again(const RegisterName& to);
    /// What was offered may not be sent any longer: the newest is, with the proof from `from` entries where there are
    /// so many (none: from what the register cosigned last). After a contradiction, once that is in the log: no other
    /// log has this checkpoint, so a witness has to refuse it, and from its own size it sees why.
    [[nodiscard]] Status offer_anew(const RegisterName& to, std::optional<std::uint64_t> from = std::nullopt);
    /// What a register that does not cosign was offered is not waited for.
    void expect_none(const RegisterName& from);
    [[nodiscard]] std::map<RegisterName, WitnessState> states() const;

  private:
    /// The offer that lies there, whole: a checkpoint of this log and the proof that belongs to it.
    struct Lying {
        queue::CheckpointRecord record;
        TreeHead head;
    };
    [[nodiscard]] Result<std::optional<Lying>> lying(const RegisterName& reg);
    [[nodiscard]] Status load(const RegisterName& reg, WitnessState& state);
    [[nodiscard]] Status make_offer(const RegisterName& to, WitnessState& state,
                                    std::optional<std::uint64_t> from = std::nullopt);
    [[nodiscard]] Status write_offer(const RegisterName& to, WitnessState& state, std::optional<std::uint64_t> wanted);

    queue::Spool& spool_;
    queue::Journal& journal_;
    const crypto::KeyRing& keys_;
    mutable std::mutex mutex_;
    std::map<RegisterName, WitnessState> states_;
};

}  // namespace tpf::daemon
