#pragma once
// The journal: what is known of every message, in one SQLite database (WAL, synchronous=FULL, one connection). Schema:
// docs/spool-format.md.
//
// Group commit: each call hands its change to one writer thread and waits. The thread takes all changes that have
// gathered, runs them in one transaction (each in a savepoint, so that one that is refused does not harm the others),
// commits with one fsync, and then answers everybody. So many callers cost few syncs: run more workers than cores.
// A call that returned success is on the device.
//
// No change without its audit entry: every changing call takes one, by type, without default; the entry is appended in
// the same transaction, its message() set to the message concerned. Where the entry cannot be written, nothing changes.
//
// After a commit that failed, or any error of the database that is not a full disk, the journal answers every call with
// Code::journal (stop) until it is opened anew: what is on disk is then found out by reading it. A full disk before the
// commit rolls back and answers Code::disk_full (retry).
//
// Every row carries a digest of its fields that is checked whenever the row is read: a row in which a bit turned is
// Code::journal, never a wrong delivery.
//
// Thread-safe. Errors besides those: Code::not_found (no such message), Code::usage (an operator's call that the state
// does not allow), Code::internal (the same for the service's own calls: a fault in the program).

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/audit_entry.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/person_marks.h"
#include "base/result.h"
#include "base/sqlite.h"
#include "base/types.h"
#include "queue/journal_copy.h"
#include "queue/message_row.h"

namespace tpf::queue {

/// What one sender may have here at once.
struct Quota {
    std::uint64_t waiting_messages = 0;  ///< claimed, the new one included
    std::uint64_t quarantine_bytes = 0;
};

struct Claim {
    SpoolId id;
    std::string source;
    std::optional<Avsender> sender;
    UtcTime received;
    std::uint64_t size = 0;
    std::string kilde_sha256{};  ///< what kilde.json says of innsending.xml; empty: there is no such record
    std::string settings{};      ///< JSON text of the settings that the output depends on; pinned for this message
    std::optional<Quota> quota{};
};
struct Claimed {
    bool is_new;  ///< false: the journal has this spool id already; nothing changed, nothing was logged
    MessageRow row;
};

/// What a good pass found out.
struct PassResult {
    MessageName name;
    RegisterName to;
    std::string meldingstype;
    std::string opprettet;
    std::string periode_fra;
    std::string periode_til;
    std::uint64_t persons = 0;
    PersonMarks marked;
    std::string input_sha256;
    std::string output_sha256;
    std::uint64_t output_size = 0;
    std::string signature;
};
/// One entry for each way that commit_pass can end with a change. The journal adds "of" (spool id) to `duplicate`, and
/// "persons_today" and "limit" to `held`.
struct PassEntries {
    AuditEntry committed;
    AuditEntry duplicate;
    AuditEntry held;
};
struct PassOutcome {
    enum class Kind {
        committed,  ///< publish it
        duplicate,  ///< same name, same bytes as `other`: drop the output, remove the payloads, answer as for `other`
        held,       ///< over the limit: drop the output, move the input to quarantine/
        conflict,   ///< same name, other bytes than `other`: nothing changed; call quarantine(Code::id_reused)
    };
    Kind kind = Kind::committed;
    std::optional<SpoolId> other;
};

struct Quarantine {
    Code code = Code::internal;
    std::string reason{};                       ///< English, no content
    std::optional<std::string> input_sha256{};  ///< when a pass consumed all bytes; not kept for record_damaged
    std::optional<MessageName> name{};          ///< when the tag was verified
    std::optional<RegisterName> to{};
    PersonMarks marked{};                        ///< for Code::invalid_number
    std::optional<std::string> register_kode{};  ///< when the register refused
};

struct RegisterReceipt {
    std::string kvittering{};
    std::string mottatt{};  ///< as signed
};

/// For list(): newest first where `newest_first`, else oldest first, by time of receipt.
struct ListQuery {
    std::optional<State> state{};      ///< none: all
    std::optional<Avsender> sender{};  ///< that the source authenticated
    std::optional<UtcTime> received_before{};
    bool newest_first = false;
    std::size_t limit = 100;
    std::size_t offset = 0;
};
struct Usage {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
};

class Journal {
  public:
    /// Opens or creates `path` (its folder exists). `audit` and `clock` outlive the Journal. Code::locked: another
    /// process has it; Code::journal: damaged, foreign, made by a newer version, or not the one that `copy` is of.
    [[nodiscard]] static Result<std::unique_ptr<Journal>> open(const Path& path, AuditSink& audit, const Clock& clock,
                                                               std::unique_ptr<JournalCopy> copy = nullptr);
    /// Answers what was handed in, then closes.
    ~Journal();
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;

    // --- changes ---
    /// An event without a change of state: start, stop, configuration, key events, operators' readings.
    [[nodiscard]] Status record(const AuditEntry& entry);
    /// A message was found in the inbox. Before Spool::claim. Code::quota (retry): see check_quota; nothing changed.
    [[nodiscard]] Result<Claimed> claim(const Claim& claim, const AuditEntry& entry);
    /// The end of a good pass, after OutputWriter::seal. Inside the transaction: is the name known? (names are kept for
    /// ever); is the sender (avsender of the name) over `persons_per_day` (none: no limit) on this Norwegian date, and
    /// the message not released? A message that had been committed before (retried after the register refused it) must
    /// come out with the same output digest: Code::internal otherwise, and nothing changed.
    [[nodiscard]] Result<PassOutcome> commit_pass(const SpoolId& id, const PassResult& result,
                                                  std::optional<std::uint64_t> persons_per_day,
                                                  const PassEntries& entries);
    /// The bytes are those of `other` (found by find_by_input_digest before any pass). claimed → duplicate.
    [[nodiscard]] Status mark_duplicate(const SpoolId& id, const SpoolId& other, std::string_view input_sha256,
                                        const AuditEntry& entry);
    /// claimed or committed → quarantined. Before Spool::quarantine.
    [[nodiscard]] Status quarantine(const SpoolId& id, const Quarantine& why, const AuditEntry& entry);
    /// quarantined or held → claimed; a held one is released. `settings`: JSON of the settings now in force; pinned
    /// instead of the old ones unless the message has been committed before: then the old ones stay, so that the pass
    /// makes the same bytes. Before Spool::retry.
    [[nodiscard]] Status retry(const SpoolId& id, std::string_view settings, const AuditEntry& entry);
    /// quarantined or held → discarded. Before Spool::remove_payloads.
    [[nodiscard]] Status discard(const SpoolId& id, const AuditEntry& entry);
    /// The register's receipt, its signature verified. committed → delivered.
    [[nodiscard]] Status delivered(const SpoolId& id, const RegisterReceipt& receipt, const AuditEntry& entry);
    /// The payloads of a delivered message may go. Before Spool::remove_payloads. Already so: Code::internal.
    [[nodiscard]] Status payloads_removed(const SpoolId& id, const AuditEntry& entry);
    /// Something that is not the message's fault kept it from going on (claimed or committed only). The same code and
    /// reason as last time: success, and nothing is written or logged.
    [[nodiscard]] Status note_attempt(const SpoolId& id, Code code, std::string_view reason, const AuditEntry& entry);
    /// The sender's kvittering for `revision` of the row is written. Is the row newer meanwhile: success, still due.
    [[nodiscard]] Status answered(const SpoolId& id, std::uint64_t revision, const AuditEntry& entry);

    // --- questions ---
    /// Code::quota (retry) while the sender has as much here as it may: junk from one never stops the others.
    [[nodiscard]] Status check_quota(const Quota& quota, const std::optional<Avsender>& sender);
    [[nodiscard]] Result<std::optional<MessageRow>> find(const SpoolId& id);
    /// The message that this name was first committed with.
    [[nodiscard]] Result<std::optional<MessageRow>> find_by_name(const MessageName& name);
    /// What an operator types: a spool id or the first 4 and more characters of one, a MeldingsId, or a whole name.
    /// Code::not_found; Code::usage when more than one message fits. Duplicates fit only where nothing else does.
    [[nodiscard]] Result<MessageRow> resolve(std::string_view text);
    /// Is this MeldingsId known at all? Then the new message is hashed before its pass.
    [[nodiscard]] Result<bool> knows_meldings_id(const MeldingsId& id);
    /// A message with these bytes from the same authenticated sender that is not a duplicate itself; of several the one
    /// that came furthest (delivered, committed, claimed, held, quarantined, discarded). Another sender's is not found:
    /// whoever copied a message gets no receipt for it.
    [[nodiscard]] Result<std::optional<MessageRow>> find_by_input_digest(std::string_view sha256,
                                                                         const std::optional<Avsender>& sender);
    [[nodiscard]] Result<std::vector<MessageRow>> duplicates_of(const SpoolId& id);
    [[nodiscard]] Result<std::vector<MessageRow>> list(const ListQuery& query);
    /// All ids in a state, oldest first; for the worker pool and for recovery.
    [[nodiscard]] Result<std::vector<SpoolId>> ids_in(State state);
    [[nodiscard]] Result<std::map<State, std::uint64_t>> counts();
    /// Time of receipt of the oldest claimed or committed message.
    [[nodiscard]] Result<std::optional<UtcTime>> oldest_waiting();
    /// Messages with a note_attempt that still stands.
    [[nodiscard]] Result<std::vector<MessageRow>> in_trouble(std::size_t limit);
    /// Rows whose sender waits for a kvittering, oldest first; those behind `after` where it is given.
    [[nodiscard]] Result<std::vector<MessageRow>> answers_due(std::size_t limit, const MessageRow* after = nullptr);
    /// Delivered at `before` or earlier, payloads not removed.
    [[nodiscard]] Result<std::vector<SpoolId>> removable(UtcTime before, std::size_t limit);
    /// What a sender has in `state`, for quotas.
    [[nodiscard]] Result<Usage> usage(State state, const std::optional<Avsender>& sender);
    /// Persons committed for this sender on this Norwegian date.
    [[nodiscard]] Result<std::uint64_t> persons_on(const Avsender& sender, std::chrono::sys_days day);
    /// The persons behind MessageRow::marked; nobody where the row has none.
    [[nodiscard]] Result<PersonMarks> marks(const MessageRow& row);
    /// The text behind MessageRow::settings.
    [[nodiscard]] Result<std::string> settings(std::string_view digest);
    /// The settings that a pass may still be made under: those of claimed and committed messages (an output that is
    /// lost is made again), and of quarantined ones that were committed before (a retry makes the same bytes).
    struct BoundSettings {
        std::string json;
        std::optional<RegisterName> to;  ///< none: no pass has read it yet
        SpoolId example;                 ///< the one of these messages with the lowest id
        std::uint64_t messages = 0;
    };
    [[nodiscard]] Result<std::vector<BoundSettings>> bound_settings();
    /// The audit log's own end of a transaction (AuditSink::seal) without a change: after a start, and when its key
    /// came.
    [[nodiscard]] Status seal();
    /// Runs `question` in the writer's thread on the database, read-only (a change in it fails): for the audit log's
    /// own readers. Keep it short: all commits wait.
    [[nodiscard]] Status ask(const std::function<Status(sqlite::Database&)>& question);
    /// SQLite's quick check, then every row's digest and the agreement of names and counts with the rows. Slow on a
    /// big journal. Code::journal says what is wrong.
    [[nodiscard]] Status check();
    /// Transactions committed and changes in them since it was opened: the ratio is what group commit saves. `waiting`:
    /// calls that the writer has not taken yet.
    struct Statistics {
        std::uint64_t commits = 0;
        std::uint64_t changes = 0;
        std::uint64_t waiting = 0;
    };
    [[nodiscard]] Statistics statistics() const;
    /// How its copy stands.
    [[nodiscard]] CopyState copy_state() const;

  private:
    class Writer;
    explicit Journal(std::unique_ptr<Writer> writer);
    std::unique_ptr<Writer> writer_;
};

}  // namespace tpf::queue
