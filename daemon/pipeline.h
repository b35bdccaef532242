#pragma once
// One message's way through the core: claimed, passed, committed, published, or quarantined. Every step is taken in the
// order of architecture.md, "A message's life", so that a crash after any of them is carried on by recovery.

#include "base/audit_entry.h"
#include "daemon/core.h"
#include "daemon/pass_runner.h"

namespace tpf::daemon {

/// Thread-safe; a message is worked on by one thread at a time.
class Pipeline {
  public:
    explicit Pipeline(Core& core) noexcept : core_(core) {}

    enum class Outcome {
        done,   ///< the message is in a state of rest: committed and published, duplicate, quarantined, held
        later,  ///< something that is not its fault kept it: try again after a while
    };
    /// Takes inbox/new/ID, or goes on with a claimed message. Errors have disposition stop.
    [[nodiscard]] Result<Outcome> process(const SpoolId& id);

  private:
    [[nodiscard]] Result<std::optional<queue::MessageRow>> claim(const SpoolId& id);
    [[nodiscard]] Status claim_damaged(const SpoolId& id, const Error& why);
    [[nodiscard]] Result<Outcome> go_on(const queue::MessageRow& row);
    [[nodiscard]] Result<bool> answer_known_bytes(const queue::MessageRow& row, const pseudonym::PassLimits& limits,
                                                  const queue::InboxEntry& entry);
    [[nodiscard]] Result<Outcome> pass(const queue::MessageRow& row, const queue::InboxEntry& entry);
    [[nodiscard]] Result<Outcome> commit(const queue::MessageRow& row, const PassRun& run, queue::OutputWriter output);
    [[nodiscard]] Result<Outcome> settle(const queue::MessageRow& row, const queue::PassResult& result,
                                         const queue::PassOutcome& outcome, const PassRun& run);
    [[nodiscard]] Result<Outcome> failed(const queue::MessageRow& row, const Error& error, const PassRun* run);
    [[nodiscard]] Status quarantine(const queue::MessageRow& row, const Error& error, const PassRun* run);
    [[nodiscard]] Result<std::string> sign(const MessageName& name, const RegisterName& reg,
                                           const std::string& sha256) const;

    Core& core_;
};

/// May more of this sender come in? Code::quota (retry) while too many of its messages wait, or its quarantine is full:
/// junk from one never stops the others.
[[nodiscard]] Status check_quota(Core& core, const std::optional<Avsender>& sender);

/// Which source the files' owner is: the embedded ones for the service's own user, else the configured folder source.
/// Code::record_form when the record names another.
[[nodiscard]] Result<std::string> source_of(const conf::Config& config, const queue::KildeRecord& record, uid_t owner);

}  // namespace tpf::daemon
