#pragma once
// What an operator can ask the core for over its socket. Each command that changes something has the operator's name
// and, where the matter asks for it, a reason in its audit entry.

#include "audit/pseudonym_list.h"
#include "daemon/control_protocol.h"
#include "daemon/coordinator.h"
#include "daemon/core.h"
#include "daemon/lookups.h"
#include "daemon/readings.h"
#include "pseudonym/identity_number.h"

namespace tpf::daemon {

/// Who asks, as the kernel says.
struct Operator {
    uid_t uid;
    std::string name;
};

/// Thread-safe.
class Commands {
  public:
    Commands(Core& core, Coordinator& coordinator) noexcept
        : core_(core), coordinator_(coordinator), started_(core.clock.utc()) {}
    /// `request`: the object of control_protocol.h; its body, if any, is read from `stream`.
    [[nodiscard]] Result<Json> run(const Json& request, const Operator& who, ControlStream& stream);
    /// From now on a thread keeps the occurrence index up to date.
    void keep_index() { lookups_.keep_index(); }

  private:
    struct Call {
        const Json& args;
        const Operator& who;
        ControlStream& stream;
        std::uint64_t body;
    };
    using Handler = Result<Json> (Commands::*)(const Call&);

    // commands_status.cpp
    Result<Json> status(const Call& call);
    Result<Json> metrics(const Call& call);
    Result<Json> check(const Call& call);
    // commands_audit.cpp
    Result<Json> audit_show(const Call& call);
    Result<Json> audit_report(const Call& call);
    Result<Json> audit_segments(const Call& call);
    Result<Json> audit_segment(const Call& call);
    Result<Json> audit_archive(const Call& call);
    Result<Json> entries_page(const Call& call, const char* command);
    Result<Json> audit_leaves(const Call& call);
    Result<Json> audit_verify(const Call& call);
    Result<Json> audit_prove(const Call& call);
    Result<Json> audit_consistency(const Call& call);
    Result<Json> audit_key(const Call& call);
    Result<Json> audit_witness_export(const Call& call);
    Result<Json> audit_witness_import(const Call& call);
    Result<Json> audit_new_origin(const Call& call);
    // commands_lists.cpp
    Result<Json> audit_delete_list(const Call& call);
    Result<Json> ask_to_delete(const SpoolId& message, const Actor& actor);
    Result<Json> confirm_delete(const SpoolId& message, const Actor& actor, const std::string& sha256);
    [[nodiscard]] std::optional<std::string> list_fault(const SpoolId& message, const audit::ListState& state) const;
    Status add_lists(Json& json, std::uint64_t through, bool show_progress, ControlStream& stream);
    [[nodiscard]] Result<std::string> list_under(const RegisterName& reg, unsigned version) const;
    // commands_lookups.cpp
    Result<Json> audit_pseudonym(const Call& call);
    Result<Json> audit_person(const Call& call);
    Result<Json> audit_requests(const Call& call);
    Result<Json> audit_approve(const Call& call);
    Result<Json> audit_answer(const Call& call);
    Result<Json> ask_lookup(const Call& call, const Lookup& lookup);
    [[nodiscard]] Lookup new_lookup(const Call& call, std::string_view command, std::string reason) const;
    Result<std::vector<audit::Pseudonym>> pseudonyms_of(const pseudonym::IdentityNumber& number);
    Result<Json> answer_json(const audit::Occurrences& found, const std::vector<EarlierLookup>& earlier);
    [[nodiscard]] AuditEntry reading_entry(const Call& call, const char* command, const std::string& reason) const;
    Result<std::pair<std::string, Reading>> reading(const Call& call, const char* command);
    Status add_notes(Json& json);
    Status add_foreign(Json& json, const std::string& text);
    // commands_backup.cpp
    Result<Json> backup(const Call& call);
    // commands_journal.cpp
    Result<Json> journal_check(const Call& call);
    // commands_queue.cpp
    Result<Json> submit(const Call& call);
    Result<Json> queue_list(const Call& call);
    Result<Json> queue_show(const Call& call);
    Result<Json> queue_retry(const Call& call);
    Result<Json> queue_discard(const Call& call);
    Result<Json> ask_to_discard(const queue::MessageRow& row, const Actor& actor);
    Result<Json> confirm_discard(const queue::MessageRow& row, const Actor& actor);
    Result<Json> receipt(const Call& call);
    /// What Journal::resolve() finds. Code::usage for what was handed over but not claimed yet.
    Result<queue::MessageRow> resolve(const std::string& id);
    /// The one entry of the inbox that `text` (a spool id or the first 4 and more characters of one) means, if there is
    /// one.
    std::optional<SpoolId> in_inbox(const std::string& text);
    [[nodiscard]] Json inbox_json(const SpoolId& id) const;
    // commands_keys.cpp
    Result<Json> keys_list(const Call& call);
    Result<Json> keys_show(const Call& call);
    Result<Json> keys_activate(const Call& call);
    Result<Json> keys_accept(const Call& call);
    Result<Json> keys_retire(const Call& call);
    Result<Json> keys_resume(const Call& call);
    Result<Json> keys_destroy(const Call& call);
    Result<Json> keys_check(const Call& call);
    Result<Json> keys_backup(const Call& call);
    Result<Json> keys_generate(const Call& call);
    Result<Json> keys_import(const Call& call);
    Result<Json> import_pseudonym_key(const Call& call);
    Result<Json> make_key(const Call& call, const std::string& credential);
    Result<Json> keys_publish(const Call& call);
    Result<Json> keys_signing(const Call& call);
    /// One step of a key's life in the audit log: what is about to be done, and what is written when it was.
    struct KeyStep {
        const char* action;
        AuditEntry begun;
        AuditEntry ended;
    };
    [[nodiscard]] static KeyStep making(const Call& call, const char* action, const char* done, const KeyId& id,
                                        const std::string& kind);
    Result<crypto::KeyFacts> carry_out(const Call& call, const KeyId& id, const KeyStep& step,
                                       const std::function<Result<crypto::KeyFacts>()>& change);
    using KeyChanger = std::function<Result<crypto::KeyFacts>(const KeyId&, const crypto::KeyActor&)>;
    Result<Json> audited_change(const Call& call, const char* action, const KeyChanger& change);
    /// What of the configuration still needs a key that somebody wants retired or destroyed; empty: nothing.
    [[nodiscard]] Result<std::string> key_needed_for(const crypto::KeyFacts& key) const;

    Core& core_;
    Coordinator& coordinator_;
    UtcTime started_;
    Readings readings_;
    std::mutex answering_;
    Lookups lookups_{core_};
};

/// args["reason"], as it may stand in the audit log. Code::usage: missing, empty, too long, control characters, or
/// something like an identity number in it.
[[nodiscard]] Result<std::string> reason_arg(const Json& args);
/// Of what changes nothing and is done day by day: "routine" when none is given.
[[nodiscard]] Result<std::string> reading_reason(const Json& args);
/// What waits for a second operator, for people: "at", "by", "reason", "until".
[[nodiscard]] Json request_json(const OperatorRequest& request);
/// At a start, before anything else: what a crash kept from being removed after the log said that it is deleted.
[[nodiscard]] Status remove_deleted_lists(queue::Journal& journal, queue::Spool& spool);
/// What two operators do to a message's list; Proposal::what.
inline constexpr std::string_view kDeleteList = "audit delete-list";
/// For `status`.
[[nodiscard]] Json copy_json(const queue::CopyState& state);
[[nodiscard]] Json row_json(const queue::MessageRow& row);
/// The first kMarksShown of them; the count stands beside, and the sender's kvittering has all.
inline constexpr std::size_t kMarksShown = 1000;
[[nodiscard]] Json marks_json(const PersonMarks& marks);

}  // namespace tpf::daemon
