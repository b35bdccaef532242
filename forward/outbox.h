#pragma once
// What the forwarder needs of the spool. The queue folder implements it in fact; the two meet in daemon/.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/codes.h"
#include "base/fs.h"
#include "base/result.h"
#include "base/sha256.h"
#include "base/types.h"
#include "forward/answer.h"
#include "forward/poster.h"

namespace tpf::forward {

/// A message's record: what the core committed. Nothing in it is the message's content.
struct Record {
    RegisterName register_name;
    MessageName name;  ///< its str() is the Idempotency-Key
    std::uint64_t bytes = 0;
    Digest sha256{};
    std::string signature;  ///< base64 of the core's Ed25519 signature: TPF-Signature
    LogCheckpoint checkpoint{};
};

/// What is handed to the core about a message.
struct Receipt {
    enum class Kind {
        answer,  ///< the register's answer
        local,   ///< it was not sent: body or record is damaged
    };
    Kind kind = Kind::answer;
    int http_status = 0;         ///< answer only
    AnswerFields fields;         ///< answer only
    Code code = Code::internal;  ///< local only
    UtcTime time;                ///< when the answer came
};

/// How a register stands, for whoever runs `tpfctl status`.
struct RegisterHealth {
    RegisterName name;
    std::optional<UtcTime> last_success;  ///< an answer that was handed over
    std::uint64_t failures = 0;           ///< attempts that failed, since the last that did not
    std::optional<Code> trouble;          ///< why the last attempt failed; none: it did not
    UtcTime since;                        ///< since when it has been so, in trouble or out of it
    std::optional<UtcTime> next_attempt;  ///< while it is waited for
    unsigned in_flight = 0;
    std::size_t waiting = 0;                    ///< messages to be sent
    std::size_t handed_over = 0;                ///< answered, not yet taken by the core
    std::optional<UtcTime> certificate_ends{};  ///< of our certificate for it
    std::optional<UtcTime> authorities_end{};   ///< when the last of those that may vouch for it ends
    friend bool operator==(const RegisterHealth&, const RegisterHealth&) = default;
};

/// Used by one thread. Errors with Disposition::stop end the forwarder.
class Outbox {
  public:
    virtual ~Outbox() = default;
    /// Those to be sent, in no order: they lie in the outbox and no receipt waits for the core to take it.
    [[nodiscard]] virtual Result<std::vector<SpoolId>> to_send() = 0;
    /// It lies in the outbox, whether a receipt waits or not.
    [[nodiscard]] virtual Result<bool> is_present(const SpoolId& id) = 0;
    /// Code::not_found: it is not there any more. Code::record_damaged, Code::record_form: it cannot be used.
    [[nodiscard]] virtual Result<Record> record(const SpoolId& id) = 0;
    /// Code::not_found: it is not there any more.
    [[nodiscard]] virtual Result<std::unique_ptr<File>> open_body(const SpoolId& id) = 0;
    /// Durable when it returns. A crash before leaves either no receipt or a whole one.
    [[nodiscard]] virtual Status write_receipt(const SpoolId& id, const Receipt& receipt) = 0;
    /// Replaces what was told before, atomically. At least twice a minute, changed or not: that the forwarder lives.
    [[nodiscard]] virtual Status write_health(const std::vector<RegisterHealth>& registers) = 0;
    /// The folder in which an entry appears by a rename, its name being its id.
    [[nodiscard]] virtual Path watched_folder() const = 0;
};

}  // namespace tpf::forward
