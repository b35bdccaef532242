#include "daemon/commands.h"

#include <array>

namespace tpf::daemon {

Result<Json> Commands::run(const Json& request, const Operator& who, ControlStream& stream) {
    struct Entry {
        std::string_view name;
        Handler handler;
    };
    static constexpr std::array kCommands = {
        Entry{"status", &Commands::status},
        Entry{"metrics", &Commands::metrics},
        Entry{"check", &Commands::check},
        Entry{"submit", &Commands::submit},
        Entry{"queue list", &Commands::queue_list},
        Entry{"queue show", &Commands::queue_show},
        Entry{"queue retry", &Commands::queue_retry},
        Entry{"queue discard", &Commands::queue_discard},
        Entry{"receipt", &Commands::receipt},
        Entry{"keys list", &Commands::keys_list},
        Entry{"keys show", &Commands::keys_show},
        Entry{"keys activate", &Commands::keys_activate},
        Entry{"keys accept", &Commands::keys_accept},
        Entry{"keys retire", &Commands::keys_retire},
        Entry{"keys resume", &Commands::keys_resume},
        Entry{"keys destroy", &Commands::keys_destroy},
        Entry{"keys check", &Commands::keys_check},
        Entry{"keys backup", &Commands::keys_backup},
        Entry{"keys generate", &Commands::keys_generate},
        Entry{"keys import", &Commands::keys_import},
        Entry{"keys publish", &Commands::keys_publish},
        Entry{"keys signing", &Commands::keys_signing},
        Entry{"audit show", &Commands::audit_show},
        Entry{"audit report", &Commands::audit_report},
        Entry{"audit segments", &Commands::audit_segments},
        Entry{"audit segment", &Commands::audit_segment},
        Entry{"audit archive", &Commands::audit_archive},
        Entry{"audit leaves", &Commands::audit_leaves},
        Entry{"audit verify", &Commands::audit_verify},
        Entry{"backup", &Commands::backup},
        Entry{"audit prove", &Commands::audit_prove},
        Entry{"audit consistency", &Commands::audit_consistency},
        Entry{"audit key", &Commands::audit_key},
        Entry{"audit witness export", &Commands::audit_witness_export},
        Entry{"audit witness import", &Commands::audit_witness_import},
        Entry{"audit delete-list", &Commands::audit_delete_list},
        Entry{"audit pseudonym", &Commands::audit_pseudonym},
        Entry{"audit person", &Commands::audit_person},
        Entry{"audit requests", &Commands::audit_requests},
        Entry{"audit approve", &Commands::audit_approve},
        Entry{"audit answer", &Commands::audit_answer},
        Entry{"audit new-origin", &Commands::audit_new_origin},
        Entry{"journal check", &Commands::journal_check},
    };
    TPF_TRY(const std::string name, text_arg(request, "command", true));
    TPF_TRY(const std::uint64_t body, number_arg(request, "body", 0));
    static const Json kNoArgs = Json::object();
    const auto args = request.find("args");
    if (args != request.end() && !args->is_object()) return fail(Code::usage, "args is not an object");
    const Call call{args == request.end() ? kNoArgs : *args, who, stream, body};
    for (const Entry& entry : kCommands) {
        if (entry.name == name) return (this->*entry.handler)(call);
    }
    return fail(Code::usage, "there is no such command", "tpfctl and tpfd are of different versions?");
}

}  // namespace tpf::daemon
