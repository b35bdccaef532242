#include "daemon/ctl_copy.h"

#include <chrono>
#include <iostream>

#include "base/clock.h"
#include "base/encoding.h"
#include "daemon/backup_copy.h"
#include "daemon/ctl_print.h"

namespace tpf::daemon {
namespace {

Result<Json> take_backup(const Ctl& ctl, const Path& folder) {
    FileSystem& fs = posix_file_system();
    TPF_TRY(const conf::Config config, configuration(ctl));
    TPF_TRY(fs.make_folder(folder, 0700));
    Json manifest = {{"form", kBackupForm},
                     {"version", TPF_VERSION},
                     {"name", config.fixed.installation.name},
                     {"time", format_utc(system_clock().utc())},
                     {"files", Json::array()},
                     {"folders", Json::array()}};
    ControlStream* stream = nullptr;
    auto said = std::chrono::steady_clock::now();
    Copier copier(fs, [&] {
        const auto now = std::chrono::steady_clock::now();
        if (stream == nullptr || now - said < std::chrono::seconds(2)) return;
        said = now;
        static_cast<void>(stream->write(as_bytes(".")).has_value());
    });
    Status copied = copier.tree(Path(ctl.config), folder / "tpf.toml", "tpf.toml", manifest);
    if (!copied) return fail(copied.error());
    const auto talk = [&](const Json& progress, ControlStream& to) -> Status {
        stream = &to;
        const std::string part = progress.value("part", "");
        if (part == "spool") {
            TPF_TRY(copier.all(spool_places(config), folder, manifest));
            return to.write(as_bytes("j"));
        }
        if (part == "journal") {
            TPF_TRY(copier.all(journal_places(config), folder, manifest));
            return to.write(as_bytes("e"));
        }
        return ok();
    };
    TPF_TRY(const auto answer, ask_core_and_talk(config.fixed.paths.socket, "backup", ctl.args, talk));
    manifest["audit"] = answer.result;
    const std::string text = manifest_text(manifest);
    TPF_TRY(write_manifest(fs, folder, text));
    TPF_TRY(const BackupManifest written, parse_manifest(text));
    return Json{{"backup", folder.string()},
                {"files", written.files.size()},
                {"manifest_sha256", written.sha256},
                {"audit_entries", answer.result.value("entries", std::uint64_t{0})},
                {"not in it", "the key ring and its passphrase: `tpfctl keys backup`"}};
}

}  // namespace

int run_copy(Ctl& ctl, Result<Json> (*action)(const Ctl&, const Path&)) {
    const auto done = action(ctl, Path(ctl.files.front()));
    if (!done) return show_error(ctl, done.error());
    std::cout << (ctl.json ? done.value().dump() + "\n" : print_plain(done.value()));
    return 0;
}

void add_copy(CLI::App& app, Ctl& ctl) {
    CLI::App* backup = verb(app, ctl, "backup", "spool, journal and audit log into a new folder; with the core running",
                            [](Ctl& c) { return run_copy(c, take_backup); });
    backup->add_option("folder", ctl.files, "the backup")->required()->expected(1);
    text(backup, ctl, "--reason", "reason", "why, for the audit log (default: routine)");
}

}  // namespace tpf::daemon
