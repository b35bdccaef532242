#pragma once
// What the journal knows of one message, and the states it goes through.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/codes.h"
#include "base/types.h"

namespace tpf::queue {

/// Where a message is in its life. The names (to_string) are in the journal and never change.
enum class State {
    claimed,      ///< taken from the inbox; waits for its pass, or is in it
    committed,    ///< pseudonymised and logged; its output is in outbox, or recovery puts it there
    delivered,    ///< the register's receipt is verified and logged. Last state.
    quarantined,  ///< can not pass as it is; an operator retries or discards
    held,         ///< over the sender's persons per day; an operator retries (which releases it) or discards
    discarded,    ///< by an operator; payloads removed. Last state.
    duplicate,    ///< the same bytes as another message, whose answer is its answer; payloads removed. Last state.
};
inline constexpr State kStates[] = {State::claimed, State::committed, State::delivered, State::quarantined,
                                    State::held,    State::discarded, State::duplicate};
[[nodiscard]] std::string_view to_string(State state) noexcept;
[[nodiscard]] std::optional<State> parse_state(std::string_view text) noexcept;
/// claimed → committed, quarantined, held, duplicate; committed → delivered, quarantined; quarantined and held →
/// claimed, discarded. Nothing else.
[[nodiscard]] bool may_become(State from, State to) noexcept;

/// One row. Digests are lower-case hex. Nothing in it is content of a message beyond its header, and nothing can be
/// tested against an identity number.
struct MessageRow {
    explicit MessageRow(const SpoolId& id_) : id(id_) {}

    SpoolId id;
    State state = State::claimed;
    std::uint64_t revision = 0;  ///< counts changes of this row

    // From the claim
    std::string source;
    std::optional<Avsender> sender;  ///< that the source authenticated
    UtcTime received{};
    std::uint64_t size = 0;
    UtcTime claimed{};         ///< last time it became `claimed`
    std::string settings;      ///< SHA-256 of the pinned settings; their text: Journal::settings()
    std::string kilde_sha256;  ///< of innsending.xml, as its record said at the claim; empty: no such record
    bool released = false;     ///< an operator let it pass its sender's persons per day

    // From the pass
    std::optional<MessageName> name;
    std::optional<RegisterName> to;
    std::string meldingstype;
    std::string opprettet;    ///< as in Hode
    std::string periode_fra;  ///< YYYY-MM-DD
    std::string periode_til;
    std::optional<std::uint64_t> persons;
    std::uint64_t marked = 0;                 ///< persons without a pseudonym
    std::string marked_sha256;                ///< which: Journal::marks(); empty: none
    std::optional<std::string> input_sha256;  ///< of the bytes that a pass consumed to their end
    std::optional<std::string> output_sha256;
    std::optional<std::uint64_t> output_size;
    std::string signature;  ///< the core's, base64
    std::optional<UtcTime> committed;

    // Quarantine, duplicate
    std::optional<Code> code;  ///< why it is, or last was, quarantined or held
    std::string reason;        ///< English, no content of the message
    std::optional<UtcTime> quarantined;
    std::optional<SpoolId> duplicate_of;

    // The register's answer
    std::optional<std::string> register_kvittering;
    std::optional<std::string> register_kode;     ///< when it refused
    std::optional<std::string> register_mottatt;  ///< as the register wrote it
    std::optional<UtcTime> delivered;

    std::optional<UtcTime> removed;  ///< payloads are gone from the spool (or recovery removes them)

    // Trouble that is not the message's fault, for `status`; cleared by the next change of state
    std::uint64_t attempts = 0;  ///< how often the trouble became another one
    std::optional<Code> attempt_code;
    std::string attempt_reason;
    std::optional<UtcTime> attempt_since;  ///< since when this code and reason

    bool answer_due = false;  ///< the sender's kvittering is older than the row
};

}  // namespace tpf::queue
