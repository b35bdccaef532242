#include "daemon/ctl_audit.h"

#include "base/encoding.h"
#include "daemon/audit_keys.h"
#include "daemon/audit_proof.h"
#include "daemon/ctl_archive_verify.h"
#include "daemon/ctl_audit_archive.h"
#include "daemon/ctl_audit_export.h"
#include "daemon/ctl_audit_lookup.h"
#include "daemon/ctl_audit_print.h"
#include "daemon/ctl_audit_report.h"
#include "daemon/ctl_audit_show.h"
#include "daemon/ctl_print.h"
#include "daemon/ctl_progress.h"

namespace tpf::daemon {
namespace {

constexpr std::size_t kMaxNote = std::size_t{1} << 20;

Result<std::string> read_file(const std::string& name, std::size_t max = kMaxNote) {
    auto text = read_small(posix_file_system(), name, max);
    if (!text && text.error().code() == Code::not_found) return fail(Code::usage, name + ": no such file");
    return text;
}

/// A member of the answer goes to --out; the rest is shown.
int to_file(Ctl& ctl, std::string_view command, const char* member) {
    auto answer = ask(ctl, command);
    if (!answer) return show_error(ctl, answer.error());
    ControlAnswer shown = answer.value();
    const auto written = write_atomically(posix_file_system(), ctl.out, shown.result.value(member, ""), 0644);
    if (!written) return show_error(ctl, written.error());
    shown.result.erase(member);
    shown.result["file"] = ctl.out;
    show(ctl, shown, print_plain);
    return 0;
}

struct OfflineKeys {
    audit::LogKeys log;
    std::vector<audit::NoteKey> witnesses;
};

/// --key is the log's, --witness those of which one must have cosigned. Keys are changed: each may be given several
/// times.
Result<OfflineKeys> offline_keys(const Ctl& ctl) {
    OfflineKeys keys{};
    for (const std::string& vkey : ctl.keys) {
        const auto key = audit::NoteKey::parse(vkey);
        if (!key || key.value().type() != audit::NoteType::ed25519)
            return fail(Code::usage, "--key is no log's key: ORIGIN+ID+BASE64", "`tpfctl audit key` prints it");
        if (!keys.log.origin.empty() && keys.log.origin != key.value().name())
            return fail(Code::usage, "the keys given as --key are of different logs");
        keys.log.origin = key.value().name();
        keys.log.keys.push_back(key.value().key());
    }
    if (keys.log.keys.empty())
        return fail(Code::usage, "the log's key is needed: --key", "`tpfctl audit key` prints it");
    for (const std::string& vkey : ctl.witnesses) {
        auto witness = audit::NoteKey::parse(vkey);
        if (!witness || witness.value().type() != audit::NoteType::cosignature)
            return fail(Code::usage, "--witness is no witness's key: NAME+ID+BASE64 of type 0x04");
        keys.witnesses.push_back(std::move(witness).value());
    }
    return keys;
}

int verify_archived(Ctl& ctl) {
    const auto keys = offline_keys(ctl);
    if (!keys) return show_error(ctl, keys.error());
    // The key's name is the origin of today; a segment has that of its time.
    return verify_archive(ctl, {"", keys.value().log.keys}, keys.value().witnesses);
}

int verify_log(Ctl& ctl) {
    if (!ctl.files.empty()) {
        const auto note = read_file(ctl.files.front());
        if (!note) return show_error(ctl, note.error());
        ctl.args["checkpoint"] = note.value();
    }
    const ShowProgress progress = progress_line();
    ctl.args["progress"] = static_cast<bool>(progress);
    const auto socket = socket_path(ctl);
    if (!socket) return show_error(ctl, socket.error());
    const auto answer = ask_core(socket.value(), "audit verify", ctl.args, std::nullopt, progress);
    end_progress_line();
    if (!answer) return show_error(ctl, answer.error());
    show(ctl, answer.value(), print_audit_verify);
    return answer.value().result.value("good", false) ? 0 : 1;
}

Json proved_json(const Proved& proved, const SpoolId& message) {
    const auto& opened = proved.checkpoint;
    Json entries = Json::array();
    for (const auto& entry : proved.entries) {
        entries.push_back({{"seq", entry.seq},
                           {"time", format_utc(entry.time)},
                           {"kind", entry.kind},
                           {"actor", entry.actor},
                           {"message", message.str()},
                           {"fields", Json::parse(entry.fields, nullptr, false)}});
    }
    Json json{{"good", true},
              {"origin", opened.checkpoint.origin},
              {"log_entries", opened.checkpoint.head.size},
              {"entries", std::move(entries)}};
    if (!opened.witness.empty()) {
        json["cosigned_by"] = opened.witness;
        json["cosigned_at"] = format_utc(opened.cosigned_at.value_or(UtcTime()));
    }
    return json;
}

/// Asks nobody.
Result<Json> verify_proof(const Ctl& ctl) {
    TPF_TRY(const auto keys, offline_keys(ctl));
    TPF_TRY(const std::string text, read_file(ctl.files.front(), kMaxProofFile));
    TPF_TRY(const auto proof, parse_audit_proof(text));
    TPF_TRY(const auto proved, verify_audit_proof(proof, keys.log, keys.witnesses, NoteVerifier()));
    return proved_json(proved, proof.message);
}

int verify_proof_file(Ctl& ctl) {
    const auto result = verify_proof(ctl);
    if (!result) return show_error(ctl, result.error(), ctl.files.front());
    std::cout << (ctl.json ? Json{{"result", result.value()}}.dump() + "\n" : print_proved(result.value()));
    return 0;
}

/// Both notes' own word for their size; the proof is the core's, the judgement made here.
Result<ControlAnswer> consistency(const Ctl& ctl) {
    audit::Checkpoint heads[2];
    std::string texts[2];
    for (std::size_t i = 0; i < 2; ++i) {
        TPF_TRY(texts[i], read_file(ctl.files[i]));
        TPF_TRY(const auto note, audit::SignedNote::parse(texts[i]));
        TPF_TRY(heads[i], audit::Checkpoint::parse(note.text));
    }
    const auto& [older, newer] = heads;
    if (older.origin != newer.origin) return fail(Code::evidence, "the two checkpoints are of different logs");
    Ctl order = ctl;
    order.args["old"] = older.head.size;
    order.args["new"] = newer.head.size;
    TPF_TRY(auto answer, ask(order, "audit consistency"));
    TPF_TRY(const auto proof, audit::parse_proof(answer.result.value("proof", "")));
    if (!audit::verify_consistency(older.head, newer.head, proof))
        return fail(Code::evidence, "the newer checkpoint does not follow from the older one",
                    "`tpfctl audit verify --checkpoint` tells which of them is of this log");
    if (!ctl.out.empty()) {
        const audit::Offer offer{texts[1], older.head.size, proof};
        TPF_TRY(write_atomically(posix_file_system(), ctl.out, audit::offer_text(offer), 0644));
    }
    answer.result = {{"good", true}, {"old", older.head.size}, {"new", newer.head.size}};
    if (!ctl.out.empty()) answer.result["file"] = ctl.out;
    return answer;
}

int show_consistency(Ctl& ctl) {
    const auto answer = consistency(ctl);
    if (!answer) return show_error(ctl, answer.error());
    show(ctl, answer.value(), print_plain);
    return 0;
}

/// A whole note, or a witness's lines for the request that it was given.
Result<std::string> cosigned_note(const Ctl& ctl) {
    TPF_TRY(std::string text, read_file(ctl.files.front()));
    if (ctl.files.size() == 1) return text;
    TPF_TRY(const std::string request, read_file(ctl.files[1]));
    TPF_TRY(const auto offer, audit::parse_offer(request));
    return offer.note + text;
}

int import_witness(Ctl& ctl) {
    const auto note = cosigned_note(ctl);
    if (!note) return show_error(ctl, note.error());
    ctl.args["note"] = note.value();
    return plain(ctl, "audit witness import", print_plain);
}

void add_show(CLI::App& audit, Ctl& ctl) {
    CLI::App* show = verb(audit, ctl, "show", "entries, oldest first", show_audit);
    text(show, ctl, "--reason", "reason", "why, for the audit log")->required();
    text(show, ctl, "--from", "from", "from this day or moment on (UTC)");
    text(show, ctl, "--to", "to", "before this day or moment (UTC)");
    text(show, ctl, "--kommune", "kommune", "of messages from this kommune, four digits");
    text(show, ctl, "--register", "register", "of messages to this register");
    text(show, ctl, "--message", "message", "of one message");
    text(show, ctl, "--kind", "kind", "of one kind: received, delivered, operator …");
    text(show, ctl, "--operator", "operator", "by this user");
    number(show, ctl, "--after", "after", "entries after this number (with --newest-first: up to it)");
    number(show, ctl, "--limit", "most", "how many (default: all)");
    flag(show, ctl, "--newest-first", "newest_first", "newest first");
    flag(show, ctl, "--csv", "csv", "as comma-separated values");
    flag(show, ctl, "--no-pager", "no_pager", "write to the terminal as it comes");
}

void add_offline(CLI::App& audit, Ctl& ctl) {
    CLI::App* prove = verb(audit, ctl, "prove", "a file that proves what the log has of a message",
                           [](Ctl& c) { return to_file(c, "audit prove", "proof"); });
    text(prove, ctl, "message", "message", "spool id, its beginning, or MeldingsId")->required();
    prove->add_option("--out", ctl.out, "the file")->required();
    text(prove, ctl, "--reason", "reason", "why, for the audit log")->required();
    CLI::App* check = verb(audit, ctl, "verify-proof", "is such a file good? asks nobody", verify_proof_file);
    check->add_option("file", ctl.files, "the file")->required()->expected(1);
    check->add_option("--key", ctl.keys, "the log's key, as `tpfctl audit key` prints it; each that it had")
        ->required()
        ->allow_extra_args(false);
    check->add_option("--witness", ctl.witnesses, "a witness's key: it must have cosigned")->allow_extra_args(false);
    CLI::App* two =
        verb(audit, ctl, "consistency", "does the newer checkpoint follow from the older?", show_consistency);
    two->add_option("files", ctl.files, "two checkpoints, the older first")->required()->expected(2);
    two->add_option("--out", ctl.out, "write the proof here");
    text(two, ctl, "--reason", "reason", "why, for the audit log (default: routine)");
}

void add_witness(CLI::App& audit, Ctl& ctl) {
    CLI::App* witness = audit.add_subcommand("witness", "for a witness that is reached by hand");
    witness->require_subcommand(1)->fallthrough();
    CLI::App* out = verb(*witness, ctl, "export", "the newest checkpoint, with the proof from its last one",
                         [](Ctl& c) { return to_file(c, "audit witness export", "request"); });
    out->add_option("--out", ctl.out, "the file")->required();
    text(out, ctl, "--witness", "witness", "the witness's name; without: the proof is from nothing");
    text(out, ctl, "--reason", "reason", "why, for the audit log (default: routine)");
    CLI::App* in = verb(*witness, ctl, "import", "a checkpoint that it cosigned", import_witness);
    in->add_option("files", ctl.files, "the note; or the witness's lines, then the file that it was given")
        ->required()
        ->expected(1, 2);
    text(in, ctl, "--key", "key", "the witness's key: NAME+ID+BASE64")->required();
    text(in, ctl, "--reason", "reason", "why, for the audit log")->required();
}

}  // namespace

void add_audit(CLI::App& app, Ctl& ctl) {
    CLI::App* audit = app.add_subcommand("audit", "the log of all that was done");
    audit->require_subcommand(1)->fallthrough();
    add_show(*audit, ctl);
    CLI::App* verify = verb(*audit, ctl, "verify", "recompute the whole log; hold it against a checkpoint",
                            [](Ctl& c) { return c.archive ? verify_archived(c) : verify_log(c); });
    verify->add_option("--checkpoint", ctl.files, "a checkpoint that somebody else kept")->expected(1);
    CLI::Option* archive = verify
                               ->add_option_function<std::string>(
                                   "--archive",
                                   [&ctl](const std::string& folder) {
                                       ctl.archive = true;
                                       ctl.out = folder;
                                   },
                                   "archived years instead of the log; asks nobody")
                               ->excludes("--checkpoint");
    verify
        ->add_option("--key", ctl.keys,
                     "with --archive: the log's key, as `tpfctl audit key` prints it; each that it had")
        ->allow_extra_args(false)
        ->needs(archive);
    verify
        ->add_option("--witness", ctl.witnesses,
                     "with --archive: a witness's key, each that it had: it must have cosigned")
        ->allow_extra_args(false)
        ->needs(archive);
    text(verify, ctl, "--reason", "reason", "why, for the audit log (default: routine)");
    add_offline(*audit, ctl);
    CLI::App* files = verb(*audit, ctl, "export", "the log as static files (C2SP tlog-tiles): hashes", export_audit);
    files->add_option("folder", ctl.out, "made, or brought up to date")->required();
    flag(files, ctl, "--entries", "entries", "the entries too, which name operators");
    text(files, ctl, "--reason", "reason", "why, for the audit log")->required();
    add_witness(*audit, ctl);
    add_lookups(*audit, ctl);
    add_report(*audit, ctl);
    add_archive(*audit, ctl);
    CLI::App* list = verb(*audit, ctl, "delete-list", "a message's list in the pseudonym log, by two operators",
                          [](Ctl& c) { return plain(c, "audit delete-list", print_plain); });
    text(list, ctl, "message", "id", "spool id, its beginning, or MeldingsId")->required();
    flag(list, ctl, "--confirm", "confirm", "the second operator: it is deleted now");
    text(list, ctl, "--reason", "reason", "why, for the audit log")->required();
    verb(*audit, ctl, "key", "what others verify this log with",
         [](Ctl& c) { return plain(c, "audit key", print_audit_key); });
    CLI::App* origin = verb(*audit, ctl, "new-origin", "the log begins anew for its witnesses (docs/recovery.md)",
                            [](Ctl& c) { return plain(c, "audit new-origin", print_plain); });
    text(origin, ctl, "--reason", "reason", "why, for the audit log")->required();
}

}  // namespace tpf::daemon
