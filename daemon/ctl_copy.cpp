#include "daemon/ctl_copy.h"

#include <fcntl.h>
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
#include "base/unique_fd.h"
#include "daemon/backup_manifest.h"
#include "daemon/closed_folders.h"
#include "daemon/ctl_print.h"
#include "daemon/log_origin.h"
#include "daemon/users.h"
#include "queue/folder_lock.h"
#include "queue/folders.h"

namespace tpf::daemon {
namespace {

constexpr const char* kManifest = "MANIFEST.json";
constexpr unsigned kDeepest = 3;  // folders below inbox/new, kvittering, …
constexpr std::size_t kBlock = 256 * 1024;
constexpr std::size_t kMostManifest = std::size_t{1} << 30;
constexpr std::array kSpoolParts = {"inbox/new",  "work",       "outbox",     "receipts/new",
                                    "quarantine", "kvittering", "pseudonyms", "lookups"};

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
    const mode_t kept = S_ISDIR(st.st_mode) ? kFolderModes : kFileModes;
    return Stat{st.st_mode & kept, user_name(st.st_uid), group_name(st.st_gid)};
}

/// Copies and hashes; `alive` is called now and then.
class Copier {
  public:
    Copier(FileSystem& fs, std::function<void()> alive) : fs_(fs), alive_(std::move(alive)) {}

    /// What `from` holds, at `to`; nothing where it does not exist. Each is noted in `manifest` under `name`.
    /// What lies deeper, or has another name, than anything of TPF's is a source's own, and left out.
    [[nodiscard]] Status tree(const Path& from, const Path& to, const std::string& name, Json& manifest,
                              unsigned depth = 0) {
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
        if (!info.value().folder || depth == kDeepest) return ok();
        TPF_TRY(make_folders(to));
        manifest["folders"].push_back(std::move(entry));
        TPF_TRY(const auto names, fs_.list(from));
        for (const std::string& one : names) {
            if (!is_plain_path(one)) continue;
            TPF_TRY(tree(from / one, to / one, name + "/" + one, manifest, depth + 1));
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

/// The manifest is written last: a backup without one is none.
Status write_manifest(FileSystem& fs, const Path& folder, const std::string& text) {
    TPF_TRY(write_new(fs, folder / kManifest, text, 0600));
    return fs.sync_folder(folder);
}

Result<BackupManifest> read_manifest(FileSystem& fs, const Path& folder) {
    TPF_TRY(const std::string text, read_small(fs, folder / kManifest, kMostManifest));
    return parse_manifest(text);
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
    const std::string text = manifest_text(manifest);
    TPF_TRY(write_manifest(fs, folder, text));
    TPF_TRY(const BackupManifest written, parse_manifest(text));
    return Json{{"backup", folder.string()},
                {"files", written.files.size()},
                {"manifest_sha256", written.sha256},
                {"audit_entries", answer.result.value("entries", std::uint64_t{0})},
                {"not in it", "the key ring and its passphrase: `tpfctl keys backup`"}};
}

/// No component of `below` under `root` is a link, or anything but a folder before the last.
Status no_links(FileSystem& fs, Path root, const Path& below) {
    for (const Path& part : below) {
        root /= part;
        const auto info = fs.info(root);
        if (!info && info.error().code() == Code::not_found) return ok();
        if (!info) return fail(info.error());
        if (!info.value().folder && !info.value().regular)
            return fail(Code::usage, root.string() + " is neither a file nor a folder");
    }
    return ok();
}

/// Every file is there with its bytes, and nothing besides.
Status verify(FileSystem& fs, const Path& folder, const BackupManifest& manifest) {
    Copier reader(fs, [] {});
    std::size_t found = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.is_symlink() || (!entry.is_regular_file() && !entry.is_directory()))
            return fail(Code::usage, entry.path().string() + " is neither a file nor a folder");
        found += entry.is_regular_file() ? 1U : 0U;
    }
    if (found != manifest.files.size() + 1)
        return fail(Code::usage, "the backup has " + std::to_string(found) + " files, its manifest names " +
                                     std::to_string(manifest.files.size() + 1));
    for (const BackupEntry& file : manifest.files) {
        TPF_TRY(no_links(fs, folder, file.path));
        TPF_TRY(const auto done, reader.digest(folder / file.path));
        if (hex(done.sha256) != file.sha256)
            return fail(Code::usage, (folder / file.path).string() + " is not what was backed up");
    }
    return ok();
}

/// Where a file of a backup belongs here. Code::usage: nowhere.
Result<Path> place_of(FileSystem& fs, const conf::Config& config, const std::string& name) {
    auto all = places(config);
    for (auto& one : journal_places(config)) all.push_back(std::move(one));
    const Path& spool = config.fixed.paths.spool;
    for (const auto& [known, path] : all) {
        if (name != known && name.rfind(known + "/", 0) != 0) continue;
        const Path place = name == known ? path : path / name.substr(known.size() + 1);
        // What lies above these is the system's, below them the core's and its neighbours'.
        const Path root = name.rfind("spool/", 0) == 0 ? spool : path.parent_path();
        TPF_TRY(no_links(fs, root, place.lexically_relative(root)));
        return place;
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

struct Owner {
    uid_t user;
    gid_t group;
};
Result<Owner> owner_in(const BackupEntry& entry) {
    const auto uid = uid_of(entry.owner);
    const auto gid = gid_of(entry.group);
    if (!uid || !gid)
        return fail(Code::usage, "there is no user " + entry.owner + " or group " + entry.group,
                    "install the package and make the sources' users first");
    return Owner{*uid, *gid};
}

/// What root makes in the spool the core could not open: it is given to the spool's owner.
Result<Owner> core_of(const Path& spool) {
    struct stat st {};
    if (::stat(spool.c_str(), &st) != 0) return fail(errno_error(errno, "stat " + spool.string()));
    return Owner{st.st_uid, st.st_gid};
}
Status give_to(const Owner& core, const Path& path) {
    if (::lchown(path.c_str(), core.user, core.group) != 0)
        return fail(errno_error(errno, "giving " + path.string() + " to the core"));
    return ok();
}

/// Closed until all is in them.
Status put_folders(FileSystem& fs, const conf::Config& config, const BackupManifest& manifest, ClosedFolders& closed) {
    // As they were found: each before what is in it.
    for (const BackupEntry& entry : manifest.folders) {
        TPF_TRY(const Path path, place_of(fs, config, entry.path));
        TPF_TRY(const Owner owner, owner_in(entry));
        std::error_code error;
        std::filesystem::create_directories(path, error);
        if (error) return fail(Code::io, "making " + path.string() + ": " + error.message());
        closed.will_be(path, owner.user, owner.group, entry.mode);
    }
    return ok();
}

Status put_files(FileSystem& fs, const conf::Config& config, const Path& folder, const BackupManifest& manifest) {
    Copier copier(fs, [] {});
    for (const BackupEntry& entry : manifest.files) {
        if (entry.path == "tpf.toml") continue;
        TPF_TRY(const Path path, place_of(fs, config, entry.path));
        TPF_TRY(const auto done, copier.file(folder / entry.path, path));
        if (hex(done.sha256) != entry.sha256) {
            TPF_TRY(fs.remove_file(path));
            return fail(Code::usage, entry.path + " was changed while it was read", "who else can write the backup?");
        }
        TPF_TRY(const Owner owner, owner_in(entry));
        const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        if (!fd || ::fchown(fd.get(), owner.user, owner.group) != 0 || ::fchmod(fd.get(), entry.mode) != 0)
            return fail(errno_error(errno, "giving " + path.string() + " to its owner"));
        TPF_TRY(fs.sync_folder(path.parent_path()));
    }
    return ok();
}

Status mark(FileSystem& fs, const conf::Config& config, const BackupManifest& manifest, const Owner& core) {
    const Path& journal = config.fixed.paths.journal;
    if (!fs.info(journal.parent_path())) {
        TPF_TRY(fs.make_folder(journal.parent_path(), 0700));
        TPF_TRY(give_to(core, journal.parent_path()));
    }
    TPF_TRY(mark_restored(fs, journal, user_name(::getuid()), system_clock().utc(), manifest.sha256));
    return give_to(core, restored_mark(journal));
}

Result<Json> put_back(const Ctl& ctl, const Path& folder) {
    FileSystem& fs = posix_file_system();
    TPF_TRY(const conf::Config config, config_of(ctl));
    TPF_TRY(const BackupManifest manifest, read_manifest(fs, folder));
    TPF_TRY(verify(fs, folder, manifest));
    if (ctl.args.value("check", false))
        return Json{{"good", true},
                    {"files", manifest.files.size()},
                    {"time", manifest.time},
                    {"manifest_sha256", manifest.sha256}};
    if (::geteuid() != 0) return fail(Code::denied, "files of several users are put back", "as root");
    if (manifest.name != config.fixed.installation.name)
        return fail(Code::usage, "this is a backup of " + manifest.name, "[installation] name says which this is");
    const queue::Folders folders(config.fixed.paths.spool);
    TPF_TRY(queue::make_folders(fs, folders));
    TPF_TRY(const auto lock, queue::FolderLock::take(folders.lock));
    TPF_TRY(const Owner core, core_of(folders.root));
    TPF_TRY(give_to(core, folders.lock));
    TPF_TRY(ClosedFolders closed, ClosedFolders::close(folders.root));
    TPF_TRY(must_be_empty(config));
    TPF_TRY(put_folders(fs, config, manifest, closed));
    // Before the journal itself: one that was put back never goes on under its old name.
    TPF_TRY(mark(fs, config, manifest, core));
    TPF_TRY(put_files(fs, config, folder, manifest));
    TPF_TRY(closed.open_again());
    return Json{{"restored", manifest.files.size()},
                {"as of", manifest.time},
                {"manifest_sha256", manifest.sha256},
                {"next",
                 "put the key ring back (`tpfctl keys restore`), start tpfd, then `tpfctl status` and `tpfctl journal "
                 "check`; the "
                 "audit log has a new origin, which each register's operators must allow: `tpfctl audit key`, "
                 "docs/recovery.md"}};
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
