#pragma once
// What all commands of tpfctl share: their options, how they ask the core, how they show its answer.

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "conf/config.h"
#include "daemon/control_client.h"

namespace tpf::daemon {

using Printer = std::string (*)(const Json&);

/// What the options of all subcommands were set to; `action` is the chosen one's.
struct Ctl {
    std::string config = "/etc/tpf/tpf.toml";
    std::string socket;
    bool json = false;
    Json args = Json::object();
    std::vector<std::string> files;
    std::string out;
    bool archive = false;                ///< `out` is an archive to verify
    std::vector<std::string> keys;       ///< vkeys given as --key
    std::vector<std::string> witnesses;  ///< as --witness
    std::function<int(Ctl&)> action;
};

/// What `--config` names.
[[nodiscard]] Result<conf::Config> configuration(const Ctl& ctl);
/// The core's socket, from the options or the configuration.
[[nodiscard]] Result<Path> socket_path(const Ctl& ctl);
/// On standard error, or as JSON on standard output; the exit status. `file`: the one of several that it is about.
int show_error(const Ctl& ctl, const Error& error, const std::string& file = {});
/// Every output says so when it comes from a test installation.
void show(const Ctl& ctl, const ControlAnswer& answer, Printer print, const std::string& file = {});
[[nodiscard]] Result<ControlAnswer> ask(const Ctl& ctl, std::string_view command,
                                        const std::optional<ControlBody>& body = std::nullopt);
/// Asks and shows; the exit status.
int plain(const Ctl& ctl, std::string_view command, Printer print);

// Options that go into the request's args under `name`, and subcommands.
CLI::Option* text(CLI::App* sub, Ctl& ctl, const std::string& option, const char* name, const char* help);
CLI::Option* number(CLI::App* sub, Ctl& ctl, const std::string& option, const char* name, const char* help);
CLI::Option* flag(CLI::App* sub, Ctl& ctl, const std::string& option, const char* name, const char* help);
CLI::App* verb(CLI::App& app, Ctl& ctl, const char* name, const char* help, std::function<int(Ctl&)> action);

}  // namespace tpf::daemon
