#include "daemon/reload.h"

#include <algorithm>
#include <csignal>

#include "base/log.h"
#include "daemon/process.h"

namespace tpf::daemon {

Result<ConfigChange> read_change(const Path& file, const conf::Config& now) {
    auto next = conf::load(file);
    if (!next) return fail(conf::as_error(next.error()));
    ConfigChange change{std::move(next).value(), {}, {}};
    change.changed = conf::differences(now, change.next);
    change.needs_restart = conf::needs_restart(now, change.next);
    std::erase_if(change.changed, [&](const std::string& name) {
        return std::binary_search(change.needs_restart.begin(), change.needs_restart.end(), name);
    });
    return change;
}

std::string names_text(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
    return text;
}

void log_change(const ConfigChange& change) {
    if (!change.needs_restart.empty())
        log::warning("these settings need a restart",
                     {{"stage", "reload"}, {"settings", names_text(change.needs_restart)}});
    log::info(change.changed.empty() ? "reloaded: no other setting" : "reloaded",
              {{"stage", "reload"}, {"settings", names_text(change.changed)}});
}

int ask_to_reload(pid_t service) {
    if (service > 1 && ::kill(service, SIGHUP) == 0) return 0;
    print_error(Error(Code::usage, "no process with that number can be told to reload"));
    return 1;
}

}  // namespace tpf::daemon
