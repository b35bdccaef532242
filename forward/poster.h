#pragma once
// Sending one message to one register: the seam between the dispatcher, which decides what goes when, and the transport
// (HTTPS today, AMQP later, a double in tests).

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/fs.h"
#include "base/result.h"
#include "base/sha256.h"
#include "base/types.h"
#include "forward/answer.h"

namespace tpf::forward {

/// What is told of the core's audit log with a message. Each is base64, digits and spaces, or empty: not sent.
struct LogCheckpoint {
    std::string note;         ///< TPF-Checkpoint
    std::string consistency;  ///< TPF-Consistency
};

/// One message to send.
struct Post {
    MessageName name;       ///< its str() is the Idempotency-Key
    std::string signature;  ///< TPF-Signature: base64
    std::uint64_t bytes = 0;
    Digest sha256{};
    std::unique_ptr<File> body;  ///< open, at its beginning
    LogCheckpoint checkpoint{};
};

/// How one attempt ended.
struct Outcome {
    enum class Kind {
        answered,         ///< there is an answer for the core
        damaged,          ///< length or digest of the body are not the record's: it was not sent whole
        register_failed,  ///< no connection, no trust, or an answer that speaks of the register, not of the message
        message_failed,   ///< connected, but this message got no answer that can be used
        local_failed,     ///< the body could not be read, or something is wrong in this process
        cut,              ///< ended by cut()
    };
    Kind kind = Kind::cut;
    int http_status = 0;                              ///< 0: no answer came
    AnswerFields fields;                              ///< answered only
    std::optional<std::chrono::seconds> retry_after;  ///< register_failed only
    Error error;                                      ///< of all kinds but answered and cut
    bool alarm = false;                               ///< waiting will not help: an operator must look
};

class Poster {
  public:
    using Done = std::function<void(Outcome)>;
    virtual ~Poster() = default;
    /// Returns at once. `done` is called exactly once, on any thread, never from within this call.
    virtual void post(Post message, Done done) = 0;
    /// Ends all that is under way (Outcome::Kind::cut), closes every connection. Thread-safe.
    virtual void cut() = 0;
    /// For how long this transport's own thread, asked to take a turn, has not taken it; zero while it does, or where
    /// there is none. While it does, the deadline of each step ends what hangs. Asked from one thread.
    [[nodiscard]] virtual std::chrono::milliseconds silence() { return std::chrono::milliseconds(0); }
};

}  // namespace tpf::forward
