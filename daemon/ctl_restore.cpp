#include "daemon/ctl_restore.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/unique_fd.h"
#include "daemon/backup_copy.h"
#include "daemon/closed_folders.h"
#include "daemon/ctl_copy.h"
#include "daemon/log_origin.h"
#include "daemon/process.h"
#include "daemon/users.h"
#include "queue/folder_lock.h"
#include "queue/folders.h"

namespace tpf::daemon {
namespace {

constexpr std::string_view kJournal = "journal/journal.db";

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
    auto all = spool_places(config);
    for (auto& one : journal_places(config)) all.push_back(std::move(one));
    const Path& spool = config.fixed.paths.spool;
    for (const auto& [known, path] : all) {
        const bool below = !known.starts_with("journal/") && name.starts_with(known + "/");
        if (name != known && !below) continue;
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
    auto all = spool_places(config);
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

Result<Owner> owner_in(const BackupEntry& entry) {
    constexpr std::string_view kNameless = "uid ";  // as earlier backups have it
    const auto uid = uid_of(entry.owner.starts_with(kNameless) ? entry.owner.substr(kNameless.size()) : entry.owner);
    const auto gid = gid_of(entry.group);
    if (!uid || !gid)
        return fail(Code::usage, "there is no user " + entry.owner + " or group " + entry.group,
                    "install the package and make the sources' users first");
    return Owner{*uid, *gid};
}

/// As owner_in(), but what a source made: its group bits were an access list's mask, which is not in a backup, and its
/// group may be every source's.
Result<Owner> owner_here(const BackupEntry& entry, const Owner& core) {
    TPF_TRY(Owner owner, owner_in(entry));
    if (entry.path.rfind("spool/inbox/new/", 0) == 0) owner.group = core.group;
    return owner;
}

/// Whose the core's folders are: what root makes in them the core could not open. Where the spool is not there, or is
/// root's since a restore was cut off, the backup says.
Result<Owner> core_of(const conf::Config& config, const BackupManifest& manifest) {
    struct stat st {};
    const bool there = ::stat(config.fixed.paths.spool.c_str(), &st) == 0;
    if (!there && errno != ENOENT) return fail(errno_error(errno, "stat " + config.fixed.paths.spool.string()));
    if (there && st.st_uid != 0) return Owner{st.st_uid, st.st_gid};
    for (const BackupEntry& entry : manifest.folders)
        if (entry.path == "spool/quarantine") return owner_in(entry);
    return Owner{0, 0};
}
Status give_to(const Owner& core, const Path& path) {
    if (::lchown(path.c_str(), core.user, core.group) != 0)
        return fail(errno_error(errno, "giving " + path.string() + " to the core"));
    return ok();
}

/// Is `path` root's, and not because the core is: what a restore that was cut off leaves, or `mkdir` and `mount` by
/// hand?
bool is_left(const ClosedFolders& closed, const Path& path, const Owner& core) {
    const auto was = closed.when_opened(path);
    return was && was->first.user == 0 && (core.user != 0 || was->second == 0700);
}

/// Closed until all is in them. The spool is locked by now: under a running core nothing is closed.
Status close_all(const conf::Config& config, const Owner& core, ClosedFolders& closed) {
    const conf::Fixed::Paths& paths = config.fixed.paths;
    using Below = ClosedFolders::Below;
    const Path journal = paths.journal.parent_path();
    TPF_TRY(closed.close(journal, Below::left, core, 0700));
    TPF_TRY(closed.close(paths.spool, Below::closed, core, 02751));
    TPF_TRY(closed.close(paths.copy_folder(), Below::closed, core, 0700));
    for (const Path& folder : {journal, paths.copy_folder()}) {
        if (!is_left(closed, folder, core)) continue;
        TPF_TRY(closed.make(folder, core, 0700));
    }
    return ok();
}

/// What is missing of the core's folders, and what is root's of them. The result is whether there were such: their
/// groups and access lists are the package's to say.
Result<bool> make_missing(const queue::Folders& folders, const Owner& core, ClosedFolders& closed) {
    bool any = false;
    for (const auto& [path, mode] : queue::wanted_folders(folders)) {
        if (closed.holds(path) && !is_left(closed, path, core)) continue;
        TPF_TRY(closed.make(path, core, mode));
        any = true;
    }
    return any;
}

/// The spool's own folders that are somebody's here: as the package made them, whatever they were where the backup is
/// from.
std::set<Path> folders_of_package(const conf::Config& config, const ClosedFolders& closed) {
    std::set<Path> known;
    for (const auto& [name, path] : spool_places(config)) {
        const auto was = closed.when_opened(path);
        if (was && was->first.user != 0) known.insert(path);
    }
    return known;
}

Status put_folders(FileSystem& fs, const conf::Config& config, const BackupManifest& manifest, const Owner& core,
                   const std::set<Path>& keep, ClosedFolders& closed) {
    // As they were found: each before what is in it.
    for (const BackupEntry& entry : manifest.folders) {
        TPF_TRY(const Path path, place_of(fs, config, entry.path));
        if (keep.contains(path)) continue;
        TPF_TRY(const Owner owner, owner_here(entry, core));
        TPF_TRY(closed.make(path, owner, entry.mode));
    }
    return ok();
}

/// Whatever can be wrong with the manifest's files, before one of them is put anywhere.
Status check_files(FileSystem& fs, const conf::Config& config, const BackupManifest& manifest,
                   const ClosedFolders& closed) {
    for (const BackupEntry& entry : manifest.files) {
        if (entry.path == "tpf.toml") continue;
        TPF_TRY(const Path path, place_of(fs, config, entry.path));
        if (!closed.holds(path.parent_path()))
            return fail(Code::usage, "the manifest names " + entry.path + " and not the folder that it is in");
    }
    return ok();
}

Status check_owners(const BackupManifest& manifest) {
    for (const auto* all : {&manifest.folders, &manifest.files})
        for (const BackupEntry& entry : *all) {
            const auto owner = owner_in(entry);
            if (!owner) return fail(owner.error());
        }
    return ok();
}

/// A signal that asks to end, of those that catch_signals() blocks.
bool asked_to_end(const UniqueFd& signals) {
    pollfd one{signals.get(), POLLIN, 0};
    return ::poll(&one, 1, 0) > 0;
}

/// Removed again by the caller when it fails.
Status put_file(FileSystem& fs, const Path& from, const Path& path, const BackupEntry& entry, const Owner& core) {
    TPF_TRY(const auto done, Copier(fs, [] {}).file(from, path));
    if (hex(done.sha256) != entry.sha256)
        return fail(Code::usage, entry.path + " was changed while it was read", "who else can write the backup?");
    TPF_TRY(const Owner owner, owner_here(entry, core));
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd || ::fchown(fd.get(), owner.user, owner.group) != 0 || ::fchmod(fd.get(), entry.mode) != 0)
        return fail(errno_error(errno, "giving " + path.string() + " to its owner"));
    return fs.sync_folder(path.parent_path());
}

Status put_files(FileSystem& fs, const conf::Config& config, const Path& folder, const BackupManifest& manifest,
                 const Owner& core, const UniqueFd& signals) {
    // The journal last: where something went wrong before, there is none, beside a copy that is further, and no core
    // starts.
    std::vector<const BackupEntry*> files, last;
    for (const BackupEntry& entry : manifest.files) {
        if (entry.path == "tpf.toml") continue;
        (entry.path == kJournal ? last : files).push_back(&entry);
    }
    files.insert(files.end(), last.begin(), last.end());
    for (const BackupEntry* entry : files) {
        if (asked_to_end(signals))
            return fail(Code::usage, "ended by a signal before all was put back",
                        "remove the files that were written, then `tpfctl restore` again");
        TPF_TRY(const Path path, place_of(fs, config, entry->path));
        Status put = put_file(fs, folder / entry->path, path, *entry, core);
        if (put) continue;
        static_cast<void>(fs.remove_file(path).has_value());
        return put;
    }
    return ok();
}

Result<Json> put_back(const Ctl& ctl, const Path& folder) {
    FileSystem& fs = posix_file_system();
    TPF_TRY(const conf::Config config, configuration(ctl));
    TPF_TRY(const BackupManifest manifest, read_manifest(fs, folder));
    TPF_TRY(verify(fs, folder, manifest));
    const Status owners = check_owners(manifest);
    if (ctl.args.value("check", false)) {
        Json said{{"good", true},
                  {"files", manifest.files.size()},
                  {"time", manifest.time},
                  {"manifest_sha256", manifest.sha256}};
        // It may be looked at on another machine.
        if (!owners) said["missing here"] = std::string(owners.error().detail());
        return said;
    }
    if (!owners) return fail(owners.error());
    if (::geteuid() != 0) return fail(Code::denied, "files of several users are put back", "as root");
    if (manifest.name != config.fixed.installation.name)
        return fail(Code::usage, "this is a backup of " + manifest.name, "[installation] name says which this is");
    const queue::Folders folders(config.fixed.paths.spool);
    // From here to its end: cut off in between, folders would stay root's.
    TPF_TRY(const UniqueFd signals, catch_signals());
    TPF_TRY(const Owner core, core_of(config, manifest));
    ClosedFolders closed;
    for (const Path& root : {folders.root, config.fixed.paths.journal.parent_path()}) {
        TPF_TRY(closed.nobody_replaces(root));
    }
    // Root's alone, as one that was cut off leaves it, until close_all() says whose it will be.
    if (::mkdir(folders.root.c_str(), 0700) != 0 && errno != EEXIST)
        return fail(errno_error(errno, "making " + folders.root.string()));
    TPF_TRY(const auto lock, queue::FolderLock::take(folders.lock));
    TPF_TRY(give_to(core, folders.lock));
    TPF_TRY(close_all(config, core, closed));
    TPF_TRY(must_be_empty(config));
    const std::set<Path> keep = folders_of_package(config, closed);
    TPF_TRY(const bool made, make_missing(folders, core, closed));
    TPF_TRY(put_folders(fs, config, manifest, core, keep, closed));
    TPF_TRY(check_files(fs, config, manifest, closed));
    // Before the journal itself: one that was put back never goes on under its old name.
    TPF_TRY(
        mark_restored(fs, config.fixed.paths.journal, user_name(::getuid()), system_clock().utc(), manifest.sha256));
    TPF_TRY(give_to(core, restored_mark(config.fixed.paths.journal)));
    TPF_TRY(put_files(fs, config, folder, manifest, core, signals));
    TPF_TRY(closed.open_again());
    return Json{
        {"restored", manifest.files.size()},
        {"as of", manifest.time},
        {"manifest_sha256", manifest.sha256},
        {"next",
         std::string(made ? "`systemd-tmpfiles --create` for the folders' groups and access lists, " : "") +
             "put the key ring back (`tpfctl keys restore`), start tpfd, then `tpfctl status` and `tpfctl journal "
             "check`; the "
             "audit log has a new origin, which each register's operators must allow: `tpfctl audit key`, "
             "docs/recovery.md"}};
}

}  // namespace

void add_restore(CLI::App& app, Ctl& ctl) {
    CLI::App* restore = verb(app, ctl, "restore", "a backup into an empty installation; with the core stopped",
                             [](Ctl& c) { return run_copy(c, put_back); });
    restore->add_option("folder", ctl.files, "the backup")->required()->expected(1);
    flag(restore, ctl, "--check", "check", "only verify every file");
}

}  // namespace tpf::daemon
