#include "daemon/ctl.h"

#include <iostream>

#include "daemon/process.h"

namespace tpf::daemon {

Result<conf::Config> configuration(const Ctl& ctl) {
    auto config = conf::load(Path(ctl.config));
    if (!config) return fail(conf::as_error(config.error()));
    return std::move(config).value();
}

Result<Path> socket_path(const Ctl& ctl) {
    if (!ctl.socket.empty()) return Path(ctl.socket);
    TPF_TRY(const conf::Config config, configuration(ctl));
    return config.fixed.paths.socket;
}

int show_error(const Ctl& ctl, const Error& error, const std::string& file) {
    if (ctl.json) {
        Json shown{{"error", error_json(error)}};
        if (!file.empty()) shown["file"] = file;
        std::cout << shown.dump() << "\n";
    } else {
        print_error(error);
    }
    return 1;
}

void show(const Ctl& ctl, const ControlAnswer& answer, Printer print, const std::string& file) {
    if (ctl.json) {
        Json shown{{"installation", answer.installation}, {"name", answer.name}, {"result", answer.result}};
        if (!file.empty()) shown["file"] = file;
        std::cout << shown.dump() << "\n";
        return;
    }
    if (answer.installation != "production") std::cout << "TEST INSTALLATION " << answer.name << "\n";
    std::cout << print(answer.result);
}

Result<ControlAnswer> ask(const Ctl& ctl, std::string_view command, const std::optional<ControlBody>& body) {
    TPF_TRY(const Path socket, socket_path(ctl));
    return ask_core(socket, command, ctl.args, body);
}

int plain(const Ctl& ctl, std::string_view command, Printer print) {
    const auto answer = ask(ctl, command);
    if (!answer) return show_error(ctl, answer.error());
    show(ctl, answer.value(), print);
    return 0;
}

CLI::Option* text(CLI::App* sub, Ctl& ctl, const std::string& option, const char* name, const char* help) {
    return sub->add_option_function<std::string>(
        option, [&ctl, name](const std::string& v) { ctl.args[name] = v; }, help);
}
CLI::Option* number(CLI::App* sub, Ctl& ctl, const std::string& option, const char* name, const char* help) {
    return sub->add_option_function<std::uint64_t>(
        option, [&ctl, name](std::uint64_t v) { ctl.args[name] = v; }, help);
}
CLI::Option* flag(CLI::App* sub, Ctl& ctl, const std::string& option, const char* name, const char* help) {
    return sub->add_flag_callback(
        option, [&ctl, name] { ctl.args[name] = true; }, help);
}
CLI::App* verb(CLI::App& app, Ctl& ctl, const char* name, const char* help, std::function<int(Ctl&)> action) {
    CLI::App* sub = app.add_subcommand(name, help);
    sub->fallthrough();
    sub->callback([&ctl, action = std::move(action)] { ctl.action = action; });
    return sub;
}

}  // namespace tpf::daemon
