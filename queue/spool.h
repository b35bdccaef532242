#pragma once
// The spool, seen from the core and from the sources that live in the core's process. An entry is a folder of its own,
// named by its spool id; it appears by one rename, is never read half-written and never edited in place. Which of two
// folders an entry lies in after a crash is settled by the journal (queue/recovery.h), so moves that follow a journal
// commit need no sync of their own.
//
// What is assumed of the file system: a rename between two folders is there as a whole or not at all after a crash
// (ext4, xfs and btrfs promise it), and the sync of either folder makes it last.
//
// All calls are thread-safe as long as no two work on the same id. Errors are those of base/fs.h unless said otherwise;
// after Code::fsync_failed the caller stops the process. An entry that should be in one of two folders and is in
// neither is Code::record_damaged.

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "base/sha256.h"
#include "base/types.h"
#include "queue/blocked.h"
#include "queue/folders.h"
#include "queue/group_sync.h"
#include "queue/records.h"

namespace tpf::queue {

class Spool;

/// One hand-over into the inbox. Destroyed before commit(): what was written is removed. Not thread-safe.
///
/// Order of commit(): sync innsending.xml, write and sync kilde.json, sync inbox/tmp/ID, rename to inbox/new/ID, sync
/// inbox/new. A crash before the rename leaves inbox/tmp/ID, which recovery removes; the source was not answered and
/// sends again. A crash after the rename, before the caller acknowledged, leaves the entry: the source sends again and
/// the journal answers the second copy as a duplicate.
class InboxWriter {
  public:
    /// `expected_size`: bytes that will come, 0 if not known. Code::disk_full: see Spool::check_room.
    [[nodiscard]] static Result<InboxWriter> begin(Spool& spool, std::uint64_t expected_size);
    InboxWriter(InboxWriter&& other) noexcept;
    InboxWriter& operator=(InboxWriter&&) = delete;
    ~InboxWriter();

    [[nodiscard]] const SpoolId& id() const noexcept { return id_; }
    /// Asks for room again every 16 MiB, so that a body of unknown size cannot eat the reserve.
    [[nodiscard]] Status write(std::span<const std::uint8_t> bytes);
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

    struct Origin {
        std::string source;
        std::optional<Avsender> sender;
        std::string operator_name;
        std::string reason;
        UtcTime received;
    };
    /// After success, and only then, the caller acknowledges. Returns the record that was written. After an error the
    /// entry was not handed over, but for Code::fsync_failed, after which nothing is known and the caller stops.
    [[nodiscard]] Result<KildeRecord> commit(const Origin& origin);

  private:
    InboxWriter(Spool& spool, SpoolId id, std::unique_ptr<File> file);
    Spool* spool_;
    SpoolId id_;
    std::unique_ptr<File> file_;  // null: committed or moved from
    Sha256 digest_;
    std::uint64_t size_ = 0;
};

/// The output of one pass: work/ID.ut/ with melding.xml (0640), later post.json. Destroyed before seal(): removed.
/// Not thread-safe.
class OutputWriter {
  public:
    OutputWriter(OutputWriter&& other) noexcept;
    OutputWriter& operator=(OutputWriter&&) = delete;
    ~OutputWriter();
    /// melding.xml, open for writing; the pass writes here.
    [[nodiscard]] File& body() noexcept { return *file_; }
    /// A file for the message's list in the pseudonym log (0600), open for writing, once. seal() syncs it with the
    /// rest.
    [[nodiscard]] Result<File*> begin_list();
    /// The end of a good pass, before the journal commits: sync melding.xml, write and sync post.json, sync work/ID.ut,
    /// sync work. After it the output survives a crash, and is removed by recovery unless the journal says committed.
    /// `record.size` must be the file's size, else Code::internal.
    [[nodiscard]] Status seal(const PostRecord& record);

  private:
    friend class Spool;
    OutputWriter(Spool& spool, SpoolId id, std::unique_ptr<File> file);
    Spool* spool_;
    SpoolId id_;
    std::unique_ptr<File> file_;    // null: sealed or moved from
    std::unique_ptr<File> list_{};  // null: there is none
};

/// What a folder of entries holds. `strangers`: names that are no spool id; nothing touches them, `status` counts them.
struct Listing {
    std::vector<SpoolId> ids;
    std::vector<std::string> strangers;
};

/// What a source handed over, as far as it could be checked without reading the body.
struct InboxEntry {
    KildeRecord kilde;
    uid_t owner = 0;         ///< of the folder and both files: decides which source it was
    std::uint64_t size = 0;  ///< of innsending.xml, equal to kilde.size
};

/// An answer in receipts/new.
struct ReceiptEntry {
    SvarRecord svar;
    uid_t owner = 0;  ///< must be the forwarder's user
};

struct SpoolOptions {
    std::uint64_t reserve_bytes = 0;  ///< room that intake leaves free, so that what was taken can be finished
    /// The file system of this folder, which may be another one, keeps the reserve free as well: the journal's, where
    /// whatever is taken in has to be logged. Empty: it is not looked at.
    Path journal_folder{};
};

class Spool {
  public:
    /// Makes missing folders. The caller holds FolderLock::take(folders.lock) for as long as the Spool lives; where the
    /// root may be missing it calls make_folders() before it takes the lock.
    [[nodiscard]] static Result<std::unique_ptr<Spool>> open(FileSystem& fs, const Path& root, SpoolOptions options);

    [[nodiscard]] const Folders& folders() const noexcept { return folders_; }
    [[nodiscard]] FileSystem& fs() const noexcept { return *fs_; }
    /// Code::disk_full when less than the reserve and `needed` bytes are free, or less than the reserve for the
    /// journal. Intake asks before it begins; the pass does not, so a full disk stops intake first.
    [[nodiscard]] Status check_room(std::uint64_t needed) const;
    /// Where there is the least of it: the spool's root or the journal's folder.
    struct Room {
        Path at;
        std::uint64_t bytes = 0;
    };
    [[nodiscard]] Result<Room> room() const;
    /// Another reserve from now on.
    void keep_free(std::uint64_t reserve_bytes) noexcept { reserve_bytes_ = reserve_bytes; }

    // --- inbox ---
    [[nodiscard]] Result<Listing> list_inbox() const;
    /// Reads inbox/new/ID strictly: a folder with exactly innsending.xml and kilde.json, both regular files, not
    /// reached through a link, one hard link each, one owner for all three; the record whole, of its form, for this id,
    /// its length that of the file. Code::record_form, Code::record_damaged (both quarantine), or the disk's errors.
    /// The digest is not checked here: the pass reads the bytes anyway and compares.
    [[nodiscard]] Result<InboxEntry> read_inbox(const SpoolId& id) const;
    /// The same for work/ID and quarantine/ID, after the entry was moved.
    [[nodiscard]] Result<InboxEntry> read_work(const SpoolId& id) const;
    /// Owner and size of inbox/new/ID's body, whatever its record is worth (owner of the folder and 0 where there is no
    /// body): what the journal row of an entry that goes straight to quarantine is made from.
    [[nodiscard]] Result<FileInfo> look(const SpoolId& id) const;
    /// Moves inbox/new/ID (or quarantine/ID, where a retry got no further than the journal) to work/ID. After the
    /// journal says claimed. Done already: success.
    [[nodiscard]] Status claim(const SpoolId& id);
    /// work/ID/innsending.xml for the pass: regular, one link (Code::record_form otherwise).
    [[nodiscard]] Result<std::unique_ptr<File>> open_input(const SpoolId& id) const;

    // --- work and outbox ---
    /// A new work/ID.ut; what an earlier pass left there is removed.
    [[nodiscard]] Result<OutputWriter> begin_output(const SpoolId& id);
    /// Drops a sealed output that will not be published (duplicate, held, conflict). Missing: success.
    [[nodiscard]] Status drop_output(const SpoolId& id);
    /// Moves the message's list into the pseudonym log, then work/ID.ut to outbox/ID, and syncs outbox. After the
    /// journal committed, never before. Done already: success.
    [[nodiscard]] Status publish(const SpoolId& id);
    /// Moves a list that still lies with an output, published or not, into the pseudonym log, in place of an older
    /// one. None there: success.
    [[nodiscard]] Status keep_list(const SpoolId& id);
    /// Removes the message's list from the pseudonym log; durable when it returns. None there: success. After the
    /// journal says so.
    [[nodiscard]] Status remove_list(const SpoolId& id);
    /// Takes outbox/ID back to work/ID.ut, so that the forwarder lets go of it: after delivery where payloads are
    /// kept, and before quarantine. Not there: success.
    [[nodiscard]] Status withdraw(const SpoolId& id);
    [[nodiscard]] Result<Listing> list_outbox() const;
    /// checkpoints/REGISTER.json: what goes with each message to that register from now on. Durable when it returns.
    [[nodiscard]] Status write_checkpoint(const CheckpointRecord& record);
    /// Removes what a crash left of such a write.
    [[nodiscard]] Status sweep_checkpoints();
    /// Code::not_found; Code::record_damaged, Code::record_form.
    [[nodiscard]] Result<CheckpointRecord> read_checkpoint(const RegisterName& to) const;

    // --- quarantine ---
    /// Moves inbox/new/ID or work/ID to quarantine/ID and drops the output, published or not. After the journal row
    /// says quarantined or held. Done already: success.
    [[nodiscard]] Status quarantine(const SpoolId& id);
    /// Moves quarantine/ID back to work/ID. After the journal row says claimed again. Done already: success.
    [[nodiscard]] Status retry(const SpoolId& id);
    /// Removes what work, outbox and quarantine have of ID: after the journal says discarded, duplicate, or that the
    /// payloads are removed. Nothing there: success. So is what its source's rights or content keep from being removed:
    /// that is left, see blocked().
    [[nodiscard]] Status remove_payloads(const SpoolId& id);

    // --- receipts from the forwarder ---
    [[nodiscard]] Result<Listing> list_receipts() const;
    /// Code::record_form or Code::record_damaged: no answer; remove it, the forwarder will send again and get another.
    [[nodiscard]] Result<ReceiptEntry> read_receipt(const SpoolId& id) const;
    /// After the journal has what it says and the message was taken out of outbox (withdraw, quarantine or
    /// remove_payloads), or when it is no receipt. The forwarder sends a message again when it lies in
    /// outbox and has no entry in receipts/new. Not there: success.
    [[nodiscard]] Status remove_receipt(const SpoolId& id);
    /// What the forwarder last wrote of its registers; empty when it has not written yet, or the file is damaged.
    [[nodiscard]] std::vector<RegisterHealth> register_health() const;

    // --- kvittering ---
    /// kvittering/SOURCE/ID.json (0640), atomically, replacing an older one, synced. `write` writes the content; its
    /// error is ours, and the older one stays. Code::usage: not a source's name.
    [[nodiscard]] Status write_kvittering(std::string_view source, const SpoolId& id,
                                          const std::function<Status(File&)>& write);

    /// What is where, for recovery and for journal rebuild.
    struct Survey {
        Listing inbox_tmp, inbox_new, work, outputs, outbox, quarantine, receipts;  ///< outputs: work/*.ut
    };
    [[nodiscard]] Result<Survey> survey() const;
    /// Removes half-written hand-overs from inbox/tmp: those of this user at once (called when no source runs yet),
    /// those of other users when they are older than a day by `now`. One that cannot be removed is left, see blocked().
    [[nodiscard]] Status sweep_inbox_tmp(UtcTime now);

    /// What could not be moved or removed, for `status`.
    [[nodiscard]] const Blocked& blocked() const noexcept { return blocked_; }
    /// Notes `entry` as such, logged when it is new; an error with disposition stop is handed back (but for
    /// Code::not_found: somebody else removed it). Success clears the note.
    [[nodiscard]] Status leave_blocked(const Path& entry, const Status& outcome);

  private:
    friend class InboxWriter;
    friend class OutputWriter;
    Spool(FileSystem& fs, Folders folders, SpoolOptions options);
    [[nodiscard]] Result<InboxEntry> read_entry(const Path& entry, const SpoolId& id) const;
    [[nodiscard]] Status move_once(const Path& from, const Path& to);

    FileSystem* fs_;
    Folders folders_;
    std::atomic<std::uint64_t> reserve_bytes_;
    Path journal_folder_;
    mutable GroupSync group_sync_;
    Blocked blocked_;
};

}  // namespace tpf::queue
