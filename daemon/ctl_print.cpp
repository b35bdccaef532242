#include "daemon/ctl_print.h"

#include <array>
#include <iomanip>
#include <sstream>

#include "base/codes.h"

namespace tpf::daemon {
namespace {

std::string text_of(const Json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
}
std::string field(const Json& json, const char* name, const char* fallback = "-") {
    const auto found = json.find(name);
    return found == json.end() ? std::string(fallback) : text_of(*found);
}

/// 1.5 GiB and the like: powers of 1024, one decimal.
std::string size_text(std::uint64_t bytes) {
    static constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    std::ostringstream out;
    out << std::fixed << std::setprecision(unit == 0 ? 0 : 1) << value << ' ' << kUnits[unit];
    return out.str();
}

}  // namespace

std::string print_plain(const Json& result) {
    std::ostringstream out;
    for (const auto& [name, value] : result.items())
        out << std::left << std::setw(20) << (name + ":") << text_of(value) << "\n";
    return out.str();
}

namespace {

void print_findings(std::ostream& out, const Json& result) {
    const std::string health = result.value("health", "?");
    out << (health == "ok" ? "WELL" : health == "warning" ? "WARNING" : "CRITICAL") << "\n";
    for (const Json& finding : result["findings"]) {
        out << "  " << std::left << std::setw(10) << field(finding, "level") << field(finding, "what") << "\n";
        const std::string remedy = field(finding, "do", "");
        if (!remedy.empty()) out << "            do: " << remedy << "\n";
    }
}

void print_messages(std::ostream& out, const Json& result) {
    out << "\nmessages\n  " << std::left << std::setw(14) << "in the inbox" << field(result, "inbox") << "\n";
    for (const auto& [state, count] : result["messages"].items()) {
        out << "  " << std::left << std::setw(14) << state << std::setw(8) << count;
        if (result["oldest"].contains(state)) out << " oldest of " << field(result["oldest"], state.c_str());
        out << "\n";
    }
    for (const Json& row : result["waiting"])
        out << "  waits: " << field(row, "id") << " " << field(row, "code") << ": " << field(row, "reason") << "\n";
    for (const Json& entry : result["left"]["entries"]) out << "  left: " << text_of(entry) << "\n";
}

void print_registers(std::ostream& out, const Json& result) {
    out << "\nregisters\n";
    for (const Json& reg : result["registers"]) {
        out << "  " << field(reg, "register") << ": " << field(reg, "state") << " since " << field(reg, "since");
        if (reg.contains("code"))
            out << ", " << field(reg, "code") << " (" << field(reg, "attempts") << " attempts), next try "
                << field(reg, "next_attempt", "under way");
        out << "; last answer " << field(reg, "last_success", "none yet") << ", " << field(reg, "waiting", "?")
            << " waiting\n";
        if (reg.contains("certificate_ends"))
            out << "    our certificate ends " << field(reg, "certificate_ends") << ", its authorities "
                << field(reg, "authorities_end") << "\n";
    }
}

void print_rest(std::ostream& out, const Json& result) {
    const Json& disk = result["disk"];
    out << "\ndisk       " << size_text(disk.value("free_bytes", std::uint64_t{0})) << " free at " << field(disk, "at")
        << ", reserve " << size_text(disk.value("reserve_bytes", std::uint64_t{0})) << ", intake "
        << field(disk, "intake") << "\n";
    for (const Json& ends : result["keys"]["ends"])
        out << "key        " << field(ends, "key") << " (" << field(ends, "kind") << ") until "
            << field(ends, "valid_to") << "\n";
    out << "audit log  " << field(result["audit"], "entries") << " entries, root " << field(result["audit"], "root")
        << "\n";
    const Json copy = result["journal"].value("copy", Json::object());
    if (copy.value("state", "current") != "current") {
        out << "journal    its copy is " << field(copy, "state");
        if (copy.contains("code"))
            out << " since " << field(copy, "since") << ": " << field(copy, "error")
                << "; the journal itself has everything";
        out << "\n";
    }
    if (result["keys"].contains("token")) {
        const Json& token = result["keys"]["token"];
        out << "token      " << field(token, "state") << " since " << field(token, "since");
        if (token.contains("error")) out << ", messages wait: " << field(token, "error");
        out << "\n";
    }
    for (const Json& id : result["keys"].value("suspended", Json::array()))
        out << "keys       " << text_of(id) << " is suspended after too many failures, messages under it wait; "
            << "`tpfctl keys resume`\n";
}

}  // namespace

std::string print_status(const Json& result) {
    std::ostringstream out;
    print_findings(out, result);
    out << "\ntpfd " << field(result, "version") << " since " << field(result, "since") << "; tpf-forward "
        << field(result["forwarder"], "state") << ", heard of " << field(result["forwarder"], "seen", "never") << "\n";
    print_messages(out, result);
    print_registers(out, result);
    print_rest(out, result);
    return out.str();
}

std::string print_check(const Json& result) {
    std::ostringstream out;
    if (result.value("would_pass", false)) {
        out << "would pass: " << field(result, "persons") << " persons for " << field(result, "register")
            << ", message " << field(result, "name") << "\n";
        if (result.contains("known_as"))
            out << "known already as " << field(result, "known_as") << ": " << field(result, "would_be") << "\n";
    } else {
        const Json& error = result["error"];
        out << "would not pass: " << field(error, "text") << "\nhint: " << field(error, "hint") << "\n";
    }
    const auto marked = result.find("without_pseudonym");
    if (marked != result.end() && !marked->empty()) {
        const std::uint64_t all = result.value("persons_without_pseudonym", std::uint64_t{marked->size()});
        out << all << " persons without a pseudonym:";
        for (const Json& person : *marked)
            out << " " << field(person, "person") << " (" << field(person, "code") << ")";
        if (all > marked->size()) out << " … and " << all - marked->size() << " more";
        out << "\n";
    }
    return out.str();
}

std::string print_list(const Json& result) {
    std::ostringstream out;
    out << std::left << std::setw(38) << "id" << std::setw(13) << "state" << std::setw(22) << "received"
        << std::setw(19) << "sender" << std::setw(9) << "register" << std::setw(9) << "persons"
        << "why\n";
    for (const Json& row : result["messages"]) {
        out << std::left << std::setw(38) << field(row, "id") << std::setw(13) << field(row, "state") << std::setw(22)
            << field(row, "received") << std::setw(19) << field(row, "sender") << std::setw(9) << field(row, "register")
            << std::setw(9) << field(row, "persons");
        if (row.contains("waits_for")) {
            out << field(row["waits_for"], "code") << ": " << field(row["waits_for"], "reason");
        } else if (row.contains("code")) {
            out << field(row, "code") << ": " << field(row, "reason");
        }
        out << "\n";
    }
    out << result["messages"].size() << " shown;";
    for (const auto& [state, count] : result["totals"].items()) out << " " << state << " " << count;
    out << "; in the inbox " << field(result, "inbox") << "\n";
    return out.str();
}

std::string print_message(const Json& result) {
    return print_plain(result);
}

std::string print_keys(const Json& result) {
    std::ostringstream out;
    out << std::left << std::setw(20) << "id" << std::setw(11) << "kind" << std::setw(11) << "state" << std::setw(10)
        << "register" << std::setw(9) << "version" << std::setw(12) << "from" << std::setw(12) << "to" << std::setw(14)
        << "algorithm"
        << "check value\n";
    for (const Json& key : result["keys"]) {
        out << std::left << std::setw(20) << field(key, "id") << std::setw(11) << field(key, "kind") << std::setw(11)
            << field(key, "state") << std::setw(10) << field(key, "register") << std::setw(9) << field(key, "version")
            << std::setw(12) << field(key, "valid_from") << std::setw(12) << field(key, "valid_to") << std::setw(14)
            << field(key, "algorithm") << field(key, "check_value") << "\n";
    }
    for (const Json& one : result.value("forwarder", Json::array())) {
        out << "forwarder's certificate for " << field(one, "register") << " ends " << field(one, "certificate_ends")
            << ", its authorities " << field(one, "authorities_end") << "\n";
        // As for the ring's keys.
        if (one.value("ends_in_days", 61) <= 60)
            out << "warning: forwarder's certificate for " << field(one, "register") << ": ends in "
                << field(one, "ends_in_days") << " days; renew it, then systemctl reload tpf-forward\n";
    }
    for (const Json& key : result["keys"]) {
        if (!key.contains("warnings")) continue;
        for (const Json& warning : key["warnings"])
            out << "warning: " << field(key, "id") << ": " << text_of(warning) << "\n";
    }
    return out.str();
}

std::string print_key(const Json& result) {
    std::ostringstream out;
    for (const auto& [name, value] : result.items()) {
        if (!value.is_structured() && name != "public")
            out << std::left << std::setw(20) << (name + ":") << text_of(value) << "\n";
    }
    const auto history = result.find("history");
    if (history != result.end()) {
        for (const Json& change : *history) {
            out << std::left << std::setw(20) << (field(change, "state") + ":") << field(change, "at") << " by "
                << field(change, "by");
            if (change.contains("reason")) out << ": " << field(change, "reason");
            out << "\n";
        }
    }
    const auto warnings = result.find("warnings");
    if (warnings != result.end()) {
        for (const Json& warning : *warnings) out << "warning: " << text_of(warning) << "\n";
    }
    if (result.contains("public")) out << field(result, "public");
    return out.str();
}

namespace {

/// With what a backup does not hold of them.
void print_backup_keys(std::ostream& out, const Json& keys) {
    for (const Json& key : keys) {
        const std::string place = field(key, "place"), state = field(key, "state");
        out << "  " << std::left << std::setw(20) << field(key, "id") << std::setw(11) << field(key, "kind")
            << std::setw(11) << state << field(key, "check_value");
        if (place == "token" && state != "destroyed") out << "  NOT IN THE BACKUP: it lies in the token";
        if (place == "wrapped" && state != "destroyed") out << "  opens with the token's wrapping key only";
        out << "\n";
    }
}

}  // namespace

std::string print_backup(const Json& result) {
    std::ostringstream out;
    out << "backup " << field(result, "backup") << ", " << field(result, "shares") << " shares of which "
        << field(result, "needed") << " are needed, in " << field(result, "folder") << "; each opens it:\n";
    print_backup_keys(out, result["keys"]);
    return out.str();
}

std::string print_restore(const Json& result) {
    std::ostringstream out;
    out << "backup " << field(result, "backup") << " of " << field(result, "date")
        << " opens; each key in it is the one of its check value:\n";
    print_backup_keys(out, result["keys"]);
    if (result.value("restored", false)) {
        out << "restored to " << field(result, "folder")
            << "\nnext: start tpfd; `tpfctl keys check`; states are those of the backup's day: `tpfctl keys list`\n";
    } else {
        out << "nothing was written\n";
    }
    return out.str();
}

std::string print_key_check(const Json& result) {
    std::ostringstream out;
    for (const Json& key : result["keys"]) {
        out << std::left << std::setw(20) << field(key, "id") << std::setw(11) << field(key, "state");
        if (key.value("good", false)) {
            out << "good\n";
        } else {
            out << field(key["error"], "text") << "\n  hint: " << field(key["error"], "hint") << "\n";
        }
    }
    for (const Json& name : result["strangers"])
        out << "note: no key of the ring names the file " << text_of(name) << "\n";
    if (!result.value("as_loaded", true))
        out << "keyring.json on the disk is not what tpfd has loaded: was it changed by hand?\n";
    out << (result.value("good", false) ? "all keys are good\n" : "not all keys are good\n");
    return out.str();
}

std::string print_journal_check(const Json& result) {
    std::ostringstream out;
    for (const Json& fault : result["some"]) out << "damaged: " << text_of(fault) << "\n";
    const std::uint64_t more = result.value("faults", std::uint64_t{0}) - result["some"].size();
    if (more != 0) out << "and " << more << " more\n";
    for (const Json& note : result["notes"]) out << "note: " << text_of(note) << "\n";
    out << (result.value("good", false) ? "the journal is whole: " : "looked at: ") << field(result, "messages")
        << " messages, " << field(result, "names") << " names, audit log to entry " << field(result, "entries")
        << ", copy " << field(result, "copy_lines") << " entries\n";
    if (result.contains("next")) out << "next: " << field(result, "next") << "\n";
    return out.str();
}

std::string print_rebuild(const Json& result) {
    std::ostringstream out;
    if (!result.value("rebuilt", false)) {
        const bool finished = !result["kept"].empty();
        out << (finished ? "an interrupted rebuild was finished; the journal is whole\n"
                         : "the journal is whole, nothing was changed\n");
        for (const Json& path : result["kept"]) out << "kept " << text_of(path) << "\n";
        return out.str();
    }
    const auto line = [&out](const char* what, const std::string& text) {
        out << std::left << std::setw(18) << what << text << "\n";
    };
    const Json &copy = result["copy"], &database = result["database"], &spool = result["spool"];
    line("new journal", field(result, "messages") + " messages, " + field(result, "names") +
                            " names, audit log to entry " + field(result, "entries"));
    line("from the copy", field(copy, "messages") + " messages, " + field(copy, "entries") +
                              " audit entries, to entry " + field(copy, "last_entry") +
                              "; damaged lines: " + field(copy, "damaged_lines"));
    line("from the old one", field(database, "messages") + " messages that the copy lacked, and " +
                                 field(database, "entries") + " audit entries" +
                                 (database.contains("trouble") ? "; " + field(database, "trouble") : std::string()));
    line("from the spool", field(spool, "committed") + " committed, " + field(spool, "claimed") + " claimed anew, " +
                               field(spool, "quarantined") + " quarantined");
    for (const Json& loss : result["lost"]) line("LOST", text_of(loss));
    for (const Json& path : result["kept"]) line("kept", text_of(path));
    line("next", "start tpfd; then `tpfctl status` and `tpfctl journal check`");
    return out.str();
}

std::string print_audit(const Json& result) {
    std::ostringstream out;
    for (const Json& entry : result["entries"]) {
        out << field(entry, "seq") << " " << field(entry, "time") << " " << field(entry, "kind") << " by "
            << field(entry, "actor");
        if (entry.contains("message")) out << " message " << field(entry, "message");
        for (const auto& [name, value] : entry["fields"].items()) out << " " << name << "=" << text_of(value);
        out << "\n";
    }
    return out.str();
}

std::string codes_markdown() {
    std::ostringstream out;
    out << "# Catalogue of codes\n\n"
           "Written by `tpfctl codes --markdown` from the table in `base/codes.inc`; a test compares the two. Codes "
           "are stable: they are in\n"
           "the journal, in receipts and in logs, and are never reused for something else. *Disposition* says what the "
           "service does:\n"
           "`retry` waits and tries again, `quarantine` keeps the encrypted bytes for an operator, `stop` ends the "
           "process. *Final*: the\n"
           "same bytes can never pass, the sender's receipt says `avvist`. *AppRec*: status and error code (OID "
           "2.16.578.1.12.4.1.1.8221).\n\n"
           "| code | disposition | final | AppRec | cause | remedy | text to the sender "
           "|\n|---|---|---|---|---|---|---|\n";
    for (const CodeInfo& code : all_codes()) {
        out << "| `" << code.name << "` | " << to_string(code.disposition) << " | " << (code.final_ ? "yes" : "no")
            << " | ";
        if (code.apprec_status != 0) out << code.apprec_status << " " << code.apprec_error;
        out << " | " << code.cause << " | " << code.remedy << " | " << code.sender << " |\n";
    }
    return out.str();
}

Json codes_json() {
    Json list = Json::array();
    for (const CodeInfo& code : all_codes()) {
        list.push_back({{"code", code.name},
                        {"disposition", to_string(code.disposition)},
                        {"final", code.final_},
                        {"apprec_status", code.apprec_status},
                        {"apprec_error", code.apprec_error},
                        {"cause", code.cause},
                        {"remedy", code.remedy},
                        {"sender", code.sender}});
    }
    return list;
}

}  // namespace tpf::daemon
