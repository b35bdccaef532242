#include "daemon/journal_json.h"

#include "base/encoding.h"

namespace tpf::daemon {
namespace {

constexpr const char* kNext = "stop tpfd, then `tpfctl journal rebuild --reason TEXT`; see docs/recovery.md";

std::vector<std::string> losses(const queue::RebuildReport& report) {
    std::vector<std::string> lost;
    if (report.entries_lost_from != 0)
        lost.push_back("audit entries " + std::to_string(report.entries_lost_from) + " to " +
                       std::to_string(report.entries_lost_to) +
                       "; the new log goes on without them and those after them, which are in what is kept" +
                       (report.renamed ? ", and under a new origin: tell the registers (docs/recovery.md)" : ""));
    if (report.copy.foreign_lines != 0)
        lost.push_back(
            std::to_string(report.copy.foreign_lines) +
            " lines of the copy contradict the journal's log: each went on without the other. The journal's "
            "history counts; what the other one delivered is known by name, and all of it is in what is kept");
    if (report.names_twice != 0)
        lost.push_back(std::to_string(report.names_twice) +
                       " messages of that other history: the same names were delivered in this one too");
    if (report.settings_lost != 0)
        lost.push_back("the pinned settings of " + std::to_string(report.settings_lost) +
                       " messages: they have the present ones");
    if (report.marks_lost != 0)
        lost.push_back("the lists of persons without a pseudonym of " + std::to_string(report.marks_lost) +
                       " messages; how many they were is known");
    return lost;
}

}  // namespace

Json inspect_json(const queue::InspectReport& report) {
    Json json = {{"good", report.good()},     {"faults", report.faults},         {"some", report.some},
                 {"notes", report.notes},     {"messages", report.messages},     {"names", report.names},
                 {"entries", report.entries}, {"root", base64(report.end.root)}, {"copy_lines", report.copy_lines}};
    if (!report.good()) json["next"] = kNext;
    return json;
}

Json progress_json(const queue::InspectProgress& progress) {
    return {{"part", progress.part}, {"done", progress.done}, {"of", progress.of}};
}

Json rebuild_json(const queue::RebuildReport& report) {
    Json json = {{"rebuilt", true},
                 {"messages", report.messages},
                 {"names", report.names},
                 {"entries", report.entries},
                 {"copy",
                  {{"messages", report.copy.messages},
                   {"entries", report.copy.entries},
                   {"last_entry", report.copy.last_entry},
                   {"damaged_lines", report.copy.damaged_lines},
                   {"foreign_lines", report.copy.foreign_lines}}},
                 {"database", {{"messages", report.database.messages}, {"entries", report.database.entries}}},
                 {"spool",
                  {{"committed", report.spool.committed},
                   {"claimed", report.spool.claimed},
                   {"quarantined", report.spool.quarantined}}},
                 {"lost", losses(report)},
                 {"kept", report.kept}};
    if (!report.database.trouble.empty()) json["database"]["trouble"] = report.database.trouble;
    return json;
}

}  // namespace tpf::daemon
