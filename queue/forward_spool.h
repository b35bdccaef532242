#pragma once
// The spool, seen from tpf-forward: reads outbox, writes receipts. It can change nothing that the core wrote.
//
// The protocol between the two is where entries lie: what is in outbox and has no answer in receipts/new is to be sent
// (again). The core takes an answer away when it has dealt with it; is the message still in outbox then, the answer was
// no receipt (wrong signature) or asked for another try, and it is sent again after the back-off.

#include <memory>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "queue/folders.h"
#include "queue/records.h"
#include "queue/spool.h"

namespace tpf::queue {

/// Thread-safe as long as no two calls work on the same id. The caller holds FolderLock(folders().forward_lock).
class ForwardSpool {
  public:
    /// The core has made the folders; Code::not_found when it never ran. Removes what a crash left in receipts/tmp;
    /// what cannot be removed (another user's) is left.
    [[nodiscard]] static Result<std::unique_ptr<ForwardSpool>> open(FileSystem& fs, const Path& root);
    [[nodiscard]] const Folders& folders() const noexcept { return folders_; }

    /// Entries of outbox without an answer in receipts/new.
    [[nodiscard]] Result<Listing> to_send() const;
    /// outbox/ID/post.json, checked; melding.xml is a regular file of that length. Code::not_found: the core took it
    /// back. Code::record_damaged, record_form: hand over a SvarRecord with that trouble.
    [[nodiscard]] Result<PostRecord> read_post(const SpoolId& id) const;
    /// What goes with each message to this register; none: there is no such record, or it is damaged (logged). The core
    /// replaces it atomically.
    [[nodiscard]] std::optional<CheckpointRecord> checkpoint(const RegisterName& to) const;
    /// melding.xml. The caller hashes while it sends, and aborts before the last chunk when the digest is another.
    [[nodiscard]] Result<std::unique_ptr<File>> open_message(const SpoolId& id) const;

    /// Hands an answer to the core: receipts/tmp/ID/svar.json, synced, renamed to receipts/new/ID, synced. An answer
    /// that already waits there stays, and this one is dropped (the register repeats itself): success.
    /// Is it lost in a crash before the last sync, the message is sent again and the register repeats its answer.
    [[nodiscard]] Status hand_over(const SvarRecord& answer);
    /// For `status`: replaces receipts/registre.json, atomically. Not more often than it changes.
    [[nodiscard]] Status write_health(const std::vector<RegisterHealth>& registers);

  private:
    ForwardSpool(FileSystem& fs, Folders folders) : fs_(&fs), folders_(std::move(folders)), group_sync_(fs) {}
    FileSystem* fs_;
    Folders folders_;
    GroupSync group_sync_;
};

}  // namespace tpf::queue
