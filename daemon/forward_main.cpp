// tpf-forward: from the outbox to the registers. Has the network, holds no key but its TLS client key.

#include <CLI/CLI.hpp>
#include <utility>

#include "base/log.h"
#include "daemon/forward_outbox.h"
#include "daemon/process.h"
#include "daemon/reload.h"
#include "daemon/watchdog.h"
#include "forward/dispatcher.h"
#include "forward/endpoint.h"
#include "queue/folder_lock.h"

namespace tpf::daemon {
namespace {

struct Options {
    std::string config = "/etc/tpf/tpf.toml";
    bool check_config = false;
    bool drain = false;
    std::optional<pid_t> reload;
};

/// The process's exit status, or what to do.
std::optional<int> parse(int argc, char** argv, Options& options) {
    CLI::App app(
        "Sends what lies in the outbox to the registers and hands their answers over. Holds no key but its TLS client "
        "key.",
        "tpf-forward");
    app.set_version_flag("--version", "tpf-forward " TPF_VERSION);
    app.add_option("--config", options.config, "configuration file")->capture_default_str();
    app.add_flag("--check-config", options.check_config,
                 "only check the configuration, and the certificates and keys that it names");
    app.add_flag("--drain", options.drain,
                 "send what is there, each message once, and end: 0 all is answered, 75 something remains");
    app.add_option("--reload", options.reload,
                   "check the configuration and what it names, then tell the service with this process number to read "
                   "it anew");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    return std::nullopt;
}

using Routes = std::map<RegisterName, forward::Route>;

/// An endpoint for each register. The first whose files are not in order ends it.
Result<Routes> make_routes(const conf::Reloadable& settings) {
    const auto& times = settings.forward;
    Routes routes;
    for (const auto& [name, reg] : settings.registers) {
        const forward::EndpointSettings endpoint{
            .host = reg.url.host,
            .port = reg.url.port,
            .prefix = reg.url.prefix,
            .files = {reg.ca_file, reg.client_certificate, reg.client_key},
            .times = {times.connect_seconds, times.handshake_seconds, times.send_stall_seconds, times.answer_seconds,
                      forward::EndpointTimes().idle}};
        auto poster = forward::make_endpoint(endpoint, posix_file_system(), system_clock());
        if (!poster) {
            const Error& error = poster.error();
            return fail(error.code(), "register." + name.str() + ": " + error.detail(), std::string(error.hint()));
        }
        TPF_TRY(const UtcTime certificate_ends,
                forward::certificates_end(reg.client_certificate, forward::Ends::first));
        TPF_TRY(const UtcTime authorities_end, forward::certificates_end(reg.ca_file, forward::Ends::last));
        routes.emplace(name,
                       forward::Route{reg.connections, std::move(poster).value(), certificate_ends, authorities_end});
    }
    return routes;
}

forward::DispatcherSettings dispatcher_settings(const conf::Config& config, bool drain, const Watchdog& watchdog) {
    const auto& settings = config.reloadable.forward;
    forward::DispatcherSettings out;
    out.limits.overall = config.fixed.forward.connections;
    out.limits.backoff = {settings.backoff_first_seconds, settings.backoff_max_seconds};
    out.drain = drain;
    out.longest_wait = watchdog.at_most(out.longest_wait);
    out.poll = settings.poll_seconds;
    out.alarm_after = settings.alarm_after_seconds;
    return out;
}

/// A changed configuration, or new certificates under the same names: all of it, or what was in force stays.
std::optional<forward::DispatcherChange> reload(const Path& file, LiveConfig& live, const Watchdog& watchdog) {
    const Reloading telling;
    const auto refuse = [](const Error& error) {
        log::error("not reloaded, what was in force stays",
                   {{"stage", "reload"}, {"code", error.name()}, {"error", error.detail()}, {"hint", error.hint()}});
        return std::nullopt;
    };
    const auto change = read_change(file, *live.now());
    if (!change) return refuse(change.error());
    const conf::Reloadable& next = change.value().next.reloadable;
    auto routes = make_routes(next);
    if (!routes) return refuse(routes.error());
    live.take(next);
    log::set_level(next.log.level);
    log_change(change.value());
    return forward::DispatcherChange{dispatcher_settings(*live.now(), false, watchdog), std::move(routes).value()};
}

void log_report(const forward::Dispatcher::Report& report) {
    if (report.remaining == 0) return log::info("all is answered", {{"stage", "drain"}});
    std::string away;
    for (const RegisterName& name : report.away) away += (away.empty() ? "" : ",") + name.str();
    log::warning("messages remain in the outbox",
                 {{"stage", "drain"}, {"remaining", report.remaining}, {"away", away}});
}

/// Everything between a good configuration and the end. The result is whether nothing waits.
Result<bool> serve(const Options& options, const conf::Config& config, int signal_fd) {
    FileSystem& fs = posix_file_system();
    TPF_TRY(auto routes, make_routes(config.reloadable));
    TPF_TRY(const auto lock, queue::FolderLock::take(queue::Folders(config.fixed.paths.spool).forward_lock));
    TPF_TRY(auto spool, queue::ForwardSpool::open(fs, config.fixed.paths.spool));
    SpoolOutbox outbox(*spool, fs);
    Watchdog watchdog;
    forward::Dispatcher dispatcher(dispatcher_settings(config, options.drain, watchdog), std::move(routes), outbox,
                                   system_clock(), forward::random_draw());
    LiveConfig live(config);
    dispatcher.on_hangup([&] { return reload(options.config, live, watchdog); });
    notify_systemd("READY=1");
    log::info("ready", {{"stage", "start"}, {"installation", config.fixed.installation.name}});
    bool stopping = false;
    const auto heartbeat = [&] {
        if (!std::exchange(stopping, dispatcher.stopping()) && stopping) notify_systemd("STOPPING=1");
        watchdog.alive(dispatcher.silence());
    };
    TPF_TRY(const auto report, dispatcher.run(heartbeat, signal_fd));
    if (!stopping) notify_systemd("STOPPING=1");
    if (options.drain) log_report(report);
    log::info("stopped", {{"stage", "stop"}});
    return report.remaining == 0;
}

/// Says what is valid, or what is wrong with a certificate or key.
int check(const Options& options, const conf::Config& config) {
    if (const auto routes = make_routes(config.reloadable); !routes) {
        print_error(routes.error());
        return kExitConfig;
    }
    std::printf("%s is valid (%s installation %s)\n", options.config.c_str(),
                config.fixed.installation.kind == Installation::test ? "TEST" : "production",
                config.fixed.installation.name.c_str());
    return 0;
}

int run(int argc, char** argv) {
    Options options;
    if (const auto status = parse(argc, argv, options)) return *status;
    const auto config = load_config(options.config);
    if (!config) return kExitConfig;
    log::init("tpf-forward", config->reloadable.log.level);
    log::set_installation(config->fixed.installation.kind);
    harden_process();
    // Before any thread: the endpoints' threads inherit the mask.
    const auto signals = catch_signals();
    if (!signals) {
        print_error(signals.error());
        return 1;
    }
    if (options.check_config || options.reload) {
        const int status = check(options, *config);
        return options.reload && status == 0 ? ask_to_reload(*options.reload) : status;
    }
    const auto nothing_left = serve(options, *config, signals.value().get());
    if (!nothing_left) {
        print_error(nothing_left.error());
        return exit_status(nothing_left.error());
    }
    return options.drain && !nothing_left.value() ? kExitLater : 0;
}

}  // namespace
}  // namespace tpf::daemon

int main(int argc, char** argv) {
    try {
        return tpf::daemon::run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n", error.what());
        return 1;
    }
}
