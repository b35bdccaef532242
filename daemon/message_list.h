#pragma once
// A message's list in the pseudonym log, written while its pass runs.

#include <optional>
#include <string>
#include <vector>

#include "audit/pseudonym_list.h"
#include "daemon/live_config.h"
#include "pseudonym/tpf_layer.h"
#include "queue/spool.h"

namespace tpf::daemon {

/// Writes beside the message's output; nothing for a register that has no pseudonym log now. Not thread-safe; what it
/// is handed outlives it.
class MessageList final : public pseudonym::PseudonymSink {
  public:
    MessageList(const SpoolId& id, queue::OutputWriter& output, const LiveConfig& config)
        : id_(id), output_(output), config_(config) {}
    [[nodiscard]] Status begin(const RegisterName& to, const std::vector<unsigned>& versions,
                               std::uint64_t persons) override;
    [[nodiscard]] Status pseudonym(std::string_view text) override { return list_ ? list_->add(text) : ok(); }
    [[nodiscard]] Status none() override { return list_ ? list_->add_none() : ok(); }
    /// After a good pass, once: the file's SHA-256, lower-case hex. Empty: there is no list.
    [[nodiscard]] Result<std::string> end();

  private:
    SpoolId id_;
    queue::OutputWriter& output_;
    const LiveConfig& config_;
    std::optional<audit::ListWriter> list_;
};

}  // namespace tpf::daemon
