#include "daemon/ctl_audit_print.h"

#include <sstream>

#include "daemon/ctl_print.h"

namespace tpf::daemon {
namespace {

std::string text_in(const Json& json, const char* name) {
    const auto found = json.find(name);
    if (found == json.end()) return "";
    return found->is_string() ? found->get<std::string>() : found->dump();
}

}  // namespace

std::string print_audit_verify(const Json& result) {
    std::ostringstream out;
    for (const Json& fault : result.value("faults", Json::array()))
        out << "WRONG: " << fault.get<std::string>() << "\n";
    out << "log        " << text_in(result, "origin") << "\nentries    " << text_in(result, "entries")
        << "\nroot       " << text_in(result, "root") << "\n";
    for (const Json& one : result.value("witnessed", Json::array())) {
        out << "cosigned   " << text_in(one, "entries") << " entries, by " << text_in(one, "witness") << "\n";
    }
    for (const Json& one : result.value("former", Json::array()))
        out << "former     " << one.get<std::string>() << "\n";
    if (result.contains("lists")) {
        const Json& lists = result["lists"];
        out << "lists      " << text_in(lists, "kept") << " kept, " << text_in(lists, "deleted") << " deleted, "
            << text_in(lists, "not_recorded") << " not recorded\n";
    }
    if (result.contains("checkpoint") && !result["checkpoint"].empty()) {
        const Json& given = result["checkpoint"];
        out << "given      a checkpoint of " << text_in(given, "entries") << " entries";
        for (const Json& one : given.value("cosigned", Json::array()))
            out << ", cosigned by " << text_in(one, "witness") << " at " << text_in(one, "at");
        out << "\n";
    }
    out << (result.value("good", false) ? "good: every entry, node, checkpoint and list is the one that was written\n"
                                        : "next       docs/recovery.md, \"A register holds another audit log\"\n");
    return out.str();
}

std::string print_audit_key(const Json& result) {
    std::ostringstream out;
    out << "log        " << text_in(result, "origin") << "\n";
    for (const Json& key : result["keys"]) out << "key        " << key.get<std::string>() << "\n";
    for (const Json& key : result["witnesses"]) out << "witness    " << key.get<std::string>() << "\n";
    const std::string note = text_in(result, "checkpoint");
    if (!note.empty()) out << "newest checkpoint:\n" << note;
    return out.str();
}

std::string print_proved(const Json& result) {
    std::ostringstream out;
    out << print_audit(result) << "proved: these entries are in the log " << text_in(result, "origin") << " of "
        << text_in(result, "log_entries") << " entries";
    if (result.contains("cosigned_by"))
        out << ", which " << text_in(result, "cosigned_by") << " cosigned at " << text_in(result, "cosigned_at");
    out << "\n";
    return out.str();
}

}  // namespace tpf::daemon
