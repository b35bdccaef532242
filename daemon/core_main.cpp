// tpfd: the core. Holds the keys, has no network.

#include <sys/eventfd.h>

#include <CLI/CLI.hpp>

#include "audit/event_log.h"
#include "base/log.h"
#include "daemon/audit_keys.h"
#include "daemon/control_server.h"
#include "daemon/coordinator.h"
#include "daemon/credentials.h"
#include "daemon/log_origin.h"
#include "daemon/lookups.h"
#include "daemon/process.h"
#include "daemon/reload.h"
#include "daemon/segments.h"
#include "queue/folder_lock.h"
#include "queue/journal_rebuild.h"
#include "queue/journal_upgrade.h"
#include "queue/recovery.h"

namespace tpf::daemon {
namespace {

struct Options {
    std::string config = "/etc/tpf/tpf.toml";
    bool check_config = false;
    bool drain = false;
    std::optional<pid_t> reload;
    std::optional<int> passphrase_fd;
};

/// The process's exit status, or what to do.
std::optional<int> parse(int argc, char** argv, Options& options) {
    CLI::App app("The core of TPF: pseudonymises what lies in the inbox. Holds the keys, has no network.", "tpfd");
    app.set_version_flag("--version", "tpfd " TPF_VERSION);
    app.add_option("--config", options.config, "configuration file")->capture_default_str();
    app.add_flag("--check-config", options.check_config, "only check the configuration");
    app.add_flag("--drain", options.drain, "work off what is there and end: 0 nothing is left, 75 something waits");
    app.add_option("--reload", options.reload,
                   "check the configuration, then tell the service with this process number to read it anew");
    app.add_option("--passphrase-fd", options.passphrase_fd,
                   "read the keyring's passphrase from this descriptor (default: the credential keyring-passphrase)");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    return std::nullopt;
}

/// Start and stop stand in the audit log, with which configuration, and whose journal it was.
AuditEntry start_entry(const conf::Config& config) {
    AuditEntry entry(AuditKind::start, kServiceActor);
    entry.with("version", TPF_VERSION)
        .with("installation", config.fixed.installation.name)
        .with("kind", conf::to_string(config.fixed.installation.kind))
        .with("configuration_sha256", conf::digest(config));
    return entry;
}

Status upgrade_journal(FileSystem& fs, const Path& path, AuditEntry& start) {
    TPF_TRY(const auto upgraded, queue::upgrade_journal(fs, path));
    if (!upgraded) return ok();
    start.with("journal_was", static_cast<std::uint64_t>(upgraded->from))
        .with("journal_kept", upgraded->kept.filename().string());
    log::warning("a journal of an older version was brought up to date; it is kept as it was",
                 {{"stage", "start"},
                  {"from", static_cast<std::uint64_t>(upgraded->from)},
                  {"to", static_cast<std::uint64_t>(upgraded->to)},
                  {"path", upgraded->kept.native()}});
    return ok();
}

/// Takes what a changed configuration says, and keeps the old one when the new one is no good. An error is the
/// journal's.
Status reload(const Path& file, Core& core) {
    const Reloading telling;
    const auto change = read_change(file, *core.config.now());
    if (!change) {
        log::error("not reloaded, what was in force stays",
                   {{"stage", "reload"}, {"code", change.error().name()}, {"error", change.error().detail()}});
        return ok();
    }
    const ConfigChange& found = change.value();
    AuditEntry entry(AuditKind::configuration, kServiceActor);
    entry.with("configuration_sha256", conf::digest({core.config.fixed, found.next.reloadable}))
        .with("changed", names_text(found.changed))
        .with("needs_restart", names_text(found.needs_restart));
    if (!found.nothing()) {
        TPF_TRY(core.journal.record(entry));
    }
    core.config.take(found.next.reloadable);
    core.spool.keep_free(found.next.reloadable.disk.reserve_bytes);
    log::set_level(found.next.reloadable.log.level);
    log_change(found);
    return ok();
}

/// Keys came out of a backup while the core was stopped: the first it says of them.
Status record_restore(queue::Journal& journal, const crypto::RingRestored& restored) {
    AuditEntry entry(AuditKind::key_event, restored.by);
    entry.with("action", "restored")
        .with("backup", restored.backup)
        .with("reason", restored.reason)
        .with("at", format_utc(restored.at));
    return journal.record(entry);
}

std::vector<RegisterName> register_names(const conf::Config& config) {
    std::vector<RegisterName> names;
    for (const auto& [name, settings] : config.reloadable.registers) names.push_back(name);
    return names;
}

/// The journal's folder is the core's alone.
Status make_journal_folder(FileSystem& fs, const Path& journal) {
    const Path folder = journal.parent_path();
    const auto there = fs.info(folder);
    if (there) return ok();
    if (there.error().code() != Code::not_found) return fail(there.error());
    TPF_TRY(fs.make_folder(folder, 0700));
    return fs.sync_folder(folder.parent_path());
}

Result<std::unique_ptr<queue::Journal>> open_journal(FileSystem& fs, const conf::Config& config, AuditSink& events,
                                                     const Clock& clock, AuditEntry& start) {
    const Path& path = config.fixed.paths.journal;
    TPF_TRY(make_journal_folder(fs, path));
    TPF_TRY(const auto kept, queue::finish_rebuild(fs, path));
    for (const std::string& file : kept)
        log::warning("a rebuild was finished, the old journal is kept", {{"path", file}});
    TPF_TRY(upgrade_journal(fs, path, start));
    auto copy = std::make_unique<queue::JournalCopy>(fs, events, clock,
                                                     queue::CopySettings{.folder = config.fixed.paths.copy_folder()});
    return queue::Journal::open(path, events, clock, std::move(copy));
}

Status need_no_token(const crypto::KeyRing& keys) {
    for (const auto& key : keys.list()) {
        if (key.place == crypto::KeyPlace::file || key.state == crypto::KeyState::destroyed) continue;
        return fail(Code::config, "the key " + key.id.str() + " lies in a token, and the configuration names none",
                    "`uri` in [pkcs11]");
    }
    return ok();
}

void log_recovery(const queue::RecoveryReport& report) {
    log::info("recovered", {{"stage", "start"},
                            {"claimed", report.claimed_moves},
                            {"published", report.published},
                            {"outputs_dropped", report.outputs_dropped},
                            {"quarantined", report.quarantine_moves},
                            {"removed", report.payloads_removed},
                            {"receipts_removed", report.receipts_removed},
                            {"damaged", report.damaged},
                            {"strangers", report.strangers},
                            {"left", report.left}});
}

/// Everything between a good configuration and the end. The result is whether nothing waits; `was_ready` whether it got
/// beyond the start.
Result<bool> serve(const Options& options, const conf::Config& config, int signal_fd, bool& was_ready) {
    const UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    Lifecycle lifecycle(wake.get());
    MessageLocks locks;
    FileSystem& fs = posix_file_system();
    const Clock& clock = system_clock();
    TPF_TRY(auto spool, queue::Spool::open(fs, config.fixed.paths.spool,
                                           {.reserve_bytes = config.reloadable.disk.reserve_bytes,
                                            .journal_folder = config.fixed.paths.journal.parent_path()}));
    TPF_TRY(const auto lock, queue::FolderLock::take(spool->folders().lock));
    audit::EventLog events;
    AuditEntry start = start_entry(config);
    TPF_TRY(auto journal, open_journal(fs, config, events, clock, start));
    TPF_TRY(journal->record(start));
    TPF_TRY(const auto recovered, queue::recover(*spool, *journal, clock));
    log_recovery(recovered);
    TPF_TRY(remove_deleted_lists(*journal, *spool));
    TPF_TRY(auto passphrase, read_passphrase(options.passphrase_fd));
    TPF_TRY(const auto token, open_token(config.fixed.pkcs11_uri));
    TPF_TRY(auto keys,
            crypto::KeyRing::open(fs, config.fixed.paths.keyring, std::move(passphrase), ::geteuid(), token));
    if (!token) {
        TPF_TRY(need_no_token(*keys));
    }
    crypto::wipe_stack();
    TPF_TRY(keys->announce_restore([&](const auto& restored) { return record_restore(*journal, restored); }));

    const RingSigner signer(*keys);
    events.sign_with(signer);
    TPF_TRY(ensure_origin(fs, *journal, config));
    // Only now: a log that was restored closes nothing under the name that it had.
    TPF_TRY(close_year(*journal, clock, ClockTrust::fresh));
    Witnesses witnesses(*spool, *journal, *keys);
    TPF_TRY(witnesses.begin(register_names(config)));
    LiveConfig live(config);
    Metrics metrics;
    Proposals proposals(fs, config.fixed.paths.journal.parent_path() / kProposalsFile);
    TPF_TRY(forget_lookups(proposals, clock.utc()));
    Core core{fs, clock, live, *spool, *journal, *keys, lifecycle, locks, metrics, witnesses, proposals, token.get()};
    bool nothing_left = false;
    {
        Coordinator coordinator(core, wake.get(), signal_fd);
        coordinator.on_hangup([&] {
            if (const Status taken = reload(options.config, core); !taken) lifecycle.fatal(taken.error());
        });
        TPF_TRY(const auto control, ControlServer::start(core, coordinator));
        control->keep_index();
        was_ready = true;
        notify_systemd("READY=1");
        log::info("ready", {{"stage", "start"}, {"installation", config.fixed.installation.name}});
        nothing_left = coordinator.run(options.drain ? Coordinator::Mode::drain : Coordinator::Mode::serve);
        lifecycle.request_stop();
    }
    if (const auto fatal = lifecycle.fatal_error()) return fail(*fatal);
    TPF_TRY(journal->record(AuditEntry(AuditKind::stop, kServiceActor)));
    log::info("stopped", {{"stage", "stop"}});
    return nothing_left;
}

int run(int argc, char** argv) {
    Options options;
    if (const auto status = parse(argc, argv, options)) return *status;
    const auto config = load_config(options.config);
    if (!config) return kExitConfig;
    log::init("tpfd", config->reloadable.log.level);
    log::set_installation(config->fixed.installation.kind);
    if (options.check_config) {
        std::printf("%s is valid (%s installation %s)\n", options.config.c_str(),
                    config->fixed.installation.kind == Installation::test ? "TEST" : "production",
                    config->fixed.installation.name.c_str());
        return 0;
    }
    if (options.reload) return ask_to_reload(*options.reload);
    harden_process();
    if (const Status locked = lock_memory(config->fixed.memory.lock); !locked) {
        print_error(locked.error());
        return kExitConfig;
    }
    const auto signals = catch_signals();
    if (!signals) {
        print_error(signals.error());
        return 1;
    }
    bool was_ready = false;
    const auto nothing_left = serve(options, *config, signals.value().get(), was_ready);
    if (!nothing_left) {
        print_error(nothing_left.error());
        // What went wrong while it worked (a commit that failed, say) the next start may mend, or find to be damage.
        return was_ready ? 1 : exit_status(nothing_left.error());
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
