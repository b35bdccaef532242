#pragma once
// The forwarder's outbox is the spool: here the two folders that know nothing of each other meet.

#include <memory>
#include <vector>

#include "forward/outbox.h"
#include "queue/forward_spool.h"

namespace tpf::daemon {

/// Used by one thread.
class SpoolOutbox final : public forward::Outbox {
  public:
    /// Both outlive it.
    SpoolOutbox(queue::ForwardSpool& spool, FileSystem& fs) noexcept : spool_(&spool), fs_(&fs) {}

    [[nodiscard]] Result<std::vector<SpoolId>> to_send() override;
    [[nodiscard]] Result<bool> is_present(const SpoolId& id) override;
    [[nodiscard]] Result<forward::Record> record(const SpoolId& id) override;
    [[nodiscard]] Result<std::unique_ptr<File>> open_body(const SpoolId& id) override;
    [[nodiscard]] Status write_receipt(const SpoolId& id, const forward::Receipt& receipt) override;
    /// receipts/registre.json, which the core reads, when what it holds changed; and receipts/status.json with all.
    [[nodiscard]] Status write_health(const std::vector<forward::RegisterHealth>& registers) override;
    [[nodiscard]] Path watched_folder() const override { return spool_->folders().outbox; }

  private:
    queue::ForwardSpool* spool_;
    FileSystem* fs_;
    std::string told_core_;
};

/// status.json: {"updated":"…","registers":[{"register":"IPLOS","state":"well|trouble","since":"…","failures":0,
/// "code":"…","lastSuccess":"…","nextAttempt":"…","inFlight":0,"waiting":0,"handedOver":0}]}, absent values left out.
[[nodiscard]] std::string health_json(const std::vector<forward::RegisterHealth>& registers, UtcTime now);

}  // namespace tpf::daemon
