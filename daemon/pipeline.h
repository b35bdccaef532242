#pragma once
// One message's way through the core: claimed, passed, committed, published, or quarantined. Every step is taken in the
// order of architecture.md, "A message's life", so that a crash after any of them is carried on by recovery.

#include <memory>
#include <mutex>

#include "base/audit_entry.h"
#include "conf/output_settings.h"
#include "daemon/core.h"
#include "daemon/pass_runner.h"

namespace tpf::daemon {

/// Thread-safe; a message is worked on by one thread at a time.
class Pipeline {
  public:
    explicit Pipeline(Core& core) noexcept : core_(core) {}

    enum class Outcome {
        published,  ///< committed and published; the sender is not due an answer yet
        done,       ///< the message is in another state of rest: duplicate, quarantined, held
        later,      ///< something that is not its fault kept it: try again after a while
    };
    /// Takes inbox/new/ID, or goes on with a claimed message. Errors have disposition stop.
    [[nodiscard]] Result<Outcome> process(const SpoolId& id);

  private:
    struct Taken {
        queue::MessageRow row;
        std::optional<queue::InboxEntry> entry;  // when it was claimed just now
    };
    [[nodiscard]] Result<std::optional<Taken>> take(const SpoolId& id);
    [[nodiscard]] Result<std::optional<Taken>> take_known(queue::MessageRow row);
    [[nodiscard]] Result<std::optional<Taken>> claim(const SpoolId& id, const queue::InboxEntry& entry,
                                                     const std::string& source);
    [[nodiscard]] Status claim_damaged(const SpoolId& id, const Error& why);
    [[nodiscard]] Result<Outcome> go_on(const queue::MessageRow& row, const std::optional<queue::InboxEntry>& taken);
    [[nodiscard]] Result<std::shared_ptr<const conf::OutputSettings>> pinned_settings(const std::string& digest);
    [[nodiscard]] Result<bool> answer_known_bytes(const queue::MessageRow& row, const pseudonym::PassLimits& limits,
                                                  const std::string& expected_sha256, File& file);
    [[nodiscard]] Result<Outcome> pass(const queue::MessageRow& row, const queue::InboxEntry& entry,
                                       const conf::OutputSettings& settings, File& input);
    [[nodiscard]] Result<Outcome> commit(const queue::MessageRow& row, const PassRun& run,
                                         const std::string& list_sha256, queue::OutputWriter output);
    [[nodiscard]] Result<Outcome> settle(const queue::MessageRow& row, const queue::PassResult& result,
                                         const queue::PassOutcome& outcome, const PassRun& run);
    [[nodiscard]] Result<Outcome> failed(const queue::MessageRow& row, const Error& error, const PassRun* run);
    [[nodiscard]] Status quarantine(const queue::MessageRow& row, const Error& error, const PassRun* run);
    [[nodiscard]] Result<std::string> sign(const MessageName& name, const RegisterName& reg,
                                           const std::string& sha256) const;

    Core& core_;
    std::mutex settings_mutex_;
    std::shared_ptr<const conf::OutputSettings> settings_;  // of settings_digest_
    std::string settings_digest_;
};

[[nodiscard]] queue::Quota quota_of(const conf::Config& config);

/// Which source the files' owner is: the embedded ones for the service's own user, else the configured folder source.
/// Code::record_form when the record names another.
[[nodiscard]] Result<std::string> source_of(const conf::Fixed& fixed, const queue::KildeRecord& record, uid_t owner);

}  // namespace tpf::daemon
