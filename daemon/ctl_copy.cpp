#include "daemon/ctl_copy.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/sha256.h"
#include "daemon/ctl_print.h"
#include "daemon/users.h"
#include "queue/folder_lock.h"
#include "queue/folders.h"

namespace tpf::daemon {
namespace {

constexpr const char* kManifest = "MANIFEST.json";
constexpr const char* kForm = "tpf-backup-1";
constexpr std::size_t kBlock = 256 * 1024;
constexpr std::size_t kMostManifest = std::size_t{1} << 30;
constexpr std::array kSpoolParts = {"inbox/new", "work", "outbox", "receipts/new", "quarantine", "kvittering"};

std::string group_name(gid_t gid) {
    std::array<char, 16384> buffer{};
    group entry{};
    group* found = nullptr;
    if (::getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
        return std::to_string(gid);
    return entry.gr_name;
}

/// Where things lie here, under the names that they have in a backup.
std::vector<std::pair<std::string, Path>> places(const conf::Config& config) {
    const conf::Fixed::Paths& paths = config.fixed.paths;
    std::vector<std::pair<std::string, Path>> all;
    all.reserve(kSpoolParts.size());
    for (const char* part : kSpoolParts) all.emplace_back(std::string("spool/") + part, paths.spool / part);
    return all;
}
/// Those that change with each commit.
std::vector<std::pair<std::string, Path>> journal_places(const conf::Config& config) {
    const conf::Fixed::Paths& paths = config.fixed.paths;
    return {{"journal/journal.db", paths.journal},
            {"journal/journal.db-wal", Path(paths.journal.native() + "-wal")},
            {"journal-copy", paths.copy_folder()}};
}

struct Stat {
    mode_t mode = 0;
    std::string owner, group;
};
Result<Stat> stat_of(const Path& path) {
    struct stat st {};
    if (::lstat(path.c_str(), &st) != 0) return fail(errno_error(errno, "lstat " + path.string()));
    return Stat{static_cast<mode_t>(st.st_mode & 07777), user_name(st.st_uid), group_name(st.st_gid)};
}

/// Copies and hashes; `alive` is called now and then.
class Copier {
  public:
    Copier(FileSystem& fs, std::function<void()> alive) : fs_(fs), alive_(std::move(alive)) {}

    /// What `from` holds, at `to`; nothing where it does not exist. Each is noted in `manifest` under `name`.
    [[nodiscard]] Status tree(const Path& from, const Path& to, const std::string& name, Json& manifest) {
        const auto info = fs_.info(from);
        if (!info && info.error().code() == Code::not_found) return ok();
        if (!info) return fail(info.error());
        TPF_TRY(const Stat stat, stat_of(from));
        Json entry = {{"path", name}, {"mode", stat.mode}, {"owner", stat.owner}, {"group", stat.group}};
        if (info.value().regular) {
            TPF_TRY(make_folders(to.parent_path()));
            TPF_TRY(const Done done, file(from, to));
            entry["size"] = done.size;
            entry["sha256"] = hex(done.sha256);
            manifest["files"].push_back(std::move(entry));
            return ok();
        }
        // Sockets and links are nobody's message.
        if (!info.value().folder) return ok();
        TPF_TRY(make_folders(to));
        manifest["folders"].push_back(std::move(entry));
        TPF_TRY(const auto names, fs_.list(from));
        for (const std::string& one : names) {
            TPF_TRY(tree(from / one, to / one, name + "/" + one, manifest));
        }
        return fs_.sync_folder(to);
    }

    struct Done {
        std::uint64_t size = 0;
        Digest sha256{};
    };
    [[nodiscard]] Result<Done> file(const Path& from, const Path& to) {
        TPF_TRY(const auto in, fs_.open_read(from));
        TPF_TRY(const auto out, fs_.create(to, 0600));
        TPF_TRY(const Done done, read(*in, [&](ByteView piece) { return out->write(piece); }));
        TPF_TRY(out->sync());
        return done;
    }
    [[nodiscard]] Result<Done> digest(const Path& path) {
        TPF_TRY(const auto in, fs_.open_read(path));
        return read(*in, [](ByteView) { return ok(); });
    }

  private:
    template <class Take>
    [[nodiscard]] Result<Done> read(File& in, const Take& take) {
        Sha256 sha;
        Done done;
        Bytes block(kBlock);
        while (true) {
            TPF_TRY(const std::size_t size, in.read(block));
            if (size == 0) break;
            sha.update(ByteView(block.data(), size));
            TPF_TRY(take(ByteView(block.data(), size)));
            done.size += size;
            alive_();
        }
        done.sha256 = sha.finish();
        return done;
    }
    [[nodiscard]] static Status make_folders(const Path& path) {
        std::error_code error;
        std::filesystem::create_directories(path, error);
        if (error) return fail(Code::io, "making " + path.string() + ": " + error.message());
        return ok();
    }

    FileSystem& fs_;
    std::function<void()> alive_;
};

Status copy_all(Copier& copier, const std::vector<std::pair<std::string, Path>>& from, const Path& to, Json& manifest) {
    for (const auto& [name, path] : from) {
        TPF_TRY(copier.tree(path, to / name, name, manifest));
    }
    return ok();
}

/// The manifest is written last: a backup without one is none. Its own digest is its last member.
Status write_manifest(FileSystem& fs, const Path& folder, Json manifest) {
    manifest["sha256"] = hex(sha256(manifest.dump()));
    TPF_TRY(write_new(fs, folder / kManifest, manifest.dump(1) + "\n", 0600));
    return fs.sync_folder(folder);
}

Result<Json> read_manifest(FileSystem& fs, const Path& folder) {
    TPF_TRY(const std::string text, read_small(fs, folder / kManifest, kMostManifest));
    Json manifest = Json::parse(text, nullptr, false);
    if (!manifest.is_object() || manifest.value("form", "") != kForm)
        return fail(Code::usage, "this is no backup of TPF");
    const std::string said = manifest.value("sha256", "");
    manifest.erase("sha256");
    if (hex(sha256(manifest.dump())) != said) return fail(Code::usage, "the backup's manifest was changed");
    return manifest;
}

Result<conf::Config> config_of(const Ctl& ctl) {
    auto config = conf::load(Path(ctl.config));
    if (!config) return fail(conf::as_error(config.error()));
    return std::move(config).value();
}

Result<Json> take_backup(const Ctl& ctl, const Path& folder) {
    FileSystem& fs = posix_file_system();
    TPF_TRY(const conf::Config config, config_of(ctl));
    TPF_TRY(fs.make_folder(folder, 0700));
    Json manifest = {{"form", kForm},
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
            TPF_TRY(copy_all(copier, places(config), folder, manifest));
            return to.write(as_bytes("j"));
        }
        if (part == "journal") {
            TPF_TRY(copy_all(copier, journal_places(config), folder, manifest));
            return to.write(as_bytes("e"));
        }
        return ok();
    };
    TPF_TRY(const auto answer, ask_core_and_talk(config.fixed.paths.socket, "backup", ctl.args, talk));
    manifest["audit"] = answer.result;
    TPF_TRY(write_manifest(fs, folder, manifest));
    return Json{{"backup", folder.string()},
                {"files", manifest["files"].size()},
                {"audit_entries", answer.result.value("entries", std::uint64_t{0})},
                {"not in it", "the key ring and its passphrase: `tpfctl keys backup`"}};
}

/// Every file is there with its bytes, and none besides.
Status verify(FileSystem& fs, const Path& folder, const Json& manifest) {
    Copier reader(fs, [] {});
    std::size_t found = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
        found += entry.is_regular_file() ? 1U : 0U;
    if (found != manifest["files"].size() + 1)
        return fail(Code::usage, "the backup has " + std::to_string(found) + " files, its manifest names " +
                                     std::to_string(manifest["files"].size() + 1));
    for (const Json& file : manifest["files"]) {
        const Path path = folder / file.value("path", "");
        TPF_TRY(const auto done, reader.digest(path));
        if (hex(done.sha256) != file.value("sha256", ""))
            return fail(Code::usage, path.string() + " is not what was backed up");
    }
    return ok();
}

/// Where a file of a backup belongs here. Code::usage: nowhere.
Result<Path> place_of(const conf::Config& config, const std::string& name) {
    if (name.find("..") != std::string::npos) return fail(Code::usage, "a path in the manifest that leads elsewhere");
    auto all = places(config);
    for (auto& one : journal_places(config)) all.push_back(std::move(one));
    for (const auto& [known, path] : all) {
        if (name == known) return path;
        if (name.rfind(known + "/", 0) == 0) return path / name.substr(known.size() + 1);
    }
    return fail(Code::usage, "the manifest names " + name + ", which is no part of a backup");
}

/// Restoring beside what is there would mix two histories.
Status must_be_empty(const conf::Config& config) {
    auto all = places(config);
    for (auto& one : journal_places(config)) all.push_back(std::move(one));
    for (const auto& [name, path] : all) {
        std::error_code error;
        // kvittering/SOURCE is made by operators: its files count.
        bool taken = std::filesystem::is_regular_file(path, error);
        if (std::filesystem::is_directory(path, error))
            for (const auto& entry : std::filesystem::recursive_directory_iterator(path, error))
                taken = taken || !entry.is_directory();
        if (taken)
            return fail(Code::usage, path.string() + " is not empty",
                        "move what is there away first; see docs/recovery.md for a damaged journal");
    }
    return ok();
}

Status give(const Path& path, const Json& entry) {
    const auto uid = uid_of(entry.value("owner", ""));
    const auto gid = gid_of(entry.value("group", ""));
    if (!uid || !gid)
        return fail(Code::usage,
                    "there is no user " + entry.value("owner", "") + " or group " + entry.value("group", ""),
                    "install the package and make the sources' users first");
    if (::lchown(path.c_str(), *uid, *gid) != 0 ||
        ::chmod(path.c_str(), static_cast<mode_t>(entry.value("mode", 0600U))) != 0)
        return fail(errno_error(errno, "giving " + path.string() + " to its owner"));
    return ok();
}

Result<Json> put_back(const Ctl& ctl, const Path& folder) {
    FileSystem& fs = posix_file_system();
    TPF_TRY(const conf::Config config, config_of(ctl));
    TPF_TRY(const Json manifest, read_manifest(fs, folder));
    TPF_TRY(verify(fs, folder, manifest));
    if (ctl.args.value("check", false))
        return Json{{"good", true}, {"files", manifest["files"].size()}, {"time", manifest["time"]}};
    if (::geteuid() != 0) return fail(Code::denied, "files of several users are put back", "as root");
    if (manifest["name"] != config.fixed.installation.name)
        return fail(Code::usage, "this is a backup of " + manifest.value("name", "?"),
                    "[installation] name says which this is");
    TPF_TRY(queue::make_folders(fs, queue::Folders(config.fixed.paths.spool)));
    TPF_TRY(const auto lock, queue::FolderLock::take(queue::Folders(config.fixed.paths.spool).lock));
    TPF_TRY(must_be_empty(config));
    Copier copier(fs, [] {});
    // Folders first, as they were found: each before what is in it.
    for (const Json& entry : manifest["folders"]) {
        TPF_TRY(const Path path, place_of(config, entry.value("path", "")));
        std::error_code error;
        std::filesystem::create_directories(path, error);
        if (error) return fail(Code::io, "making " + path.string() + ": " + error.message());
        TPF_TRY(give(path, entry));
    }
    for (const Json& entry : manifest["files"]) {
        const std::string name = entry.value("path", "");
        if (name == "tpf.toml") continue;
        TPF_TRY(const Path path, place_of(config, name));
        TPF_TRY(const auto done, copier.file(folder / name, path));
        static_cast<void>(done);
        TPF_TRY(give(path, entry));
        TPF_TRY(fs.sync_folder(path.parent_path()));
    }
    return Json{
        {"restored", manifest["files"].size()},
        {"as of", manifest["time"]},
        {"next",
         "put the key ring back (`tpfctl keys restore`), start tpfd, then `tpfctl status` and `tpfctl journal check`"}};
}

int run(Ctl& ctl, Result<Json> (*action)(const Ctl&, const Path&)) {
    const auto done = action(ctl, Path(ctl.files.front()));
    if (!done) return show_error(ctl, done.error());
    std::cout << (ctl.json ? done.value().dump() + "\n" : print_plain(done.value()));
    return 0;
}

}  // namespace

void add_copy(CLI::App& app, Ctl& ctl) {
    CLI::App* backup = verb(app, ctl, "backup", "spool, journal and audit log into a new folder; with the core running",
                            [](Ctl& c) { return run(c, take_backup); });
    CLI::App* restore = verb(app, ctl, "restore", "a backup into an empty installation; with the core stopped",
                             [](Ctl& c) { return run(c, put_back); });
    for (CLI::App* sub : {backup, restore}) sub->add_option("folder", ctl.files, "the backup")->required()->expected(1);
    text(backup, ctl, "--reason", "reason", "why, for the audit log (default: routine)");
    flag(restore, ctl, "--check", "check", "only verify every file");
}

}  // namespace tpf::daemon
