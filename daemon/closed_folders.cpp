#include "daemon/closed_folders.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/unique_fd.h"

namespace tpf::daemon {
namespace {

constexpr mode_t kModes = 07777;
constexpr mode_t kClosed = 0700;

/// The folder at `path`, and no link to one.
Result<UniqueFd> folder_at(const Path& path) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return fail(errno_error(errno, "opening the folder " + path.string()));
    return fd;
}

Status give(const UniqueFd& fd, const Path& path, const Owner& owner, mode_t mode) {
    // The mode last: a change of owner may take bits of it away.
    if (::fchown(fd.get(), owner.user, owner.group) != 0 || ::fchmod(fd.get(), mode) != 0)
        return fail(errno_error(errno, "giving " + path.string() + " to its owner"));
    return ok();
}

Owner self() {
    return {::geteuid(), ::getegid()};
}

}  // namespace

const ClosedFolders::Folder* ClosedFolders::find(const Path& path) const {
    const auto at =
        std::find_if(folders_.begin(), folders_.end(), [&path](const Folder& one) { return one.path == path; });
    return at == folders_.end() ? nullptr : &*at;
}

Status ClosedFolders::nobody_replaces(const Path& folder) const {
    // As it is written, and where a link of the system's in it leads.
    std::error_code error;
    const Path meant = std::filesystem::canonical(folder.parent_path(), error);
    if (error)
        return fail(Code::io, folder.parent_path().string() + ": " + error.message(),
                    "make it, or mount its disk; [paths] in the configuration names what lies there");
    std::vector<Path> all;
    for (const Path& one : {folder.parent_path(), meant}) {
        Path above;
        for (const Path& part : one) all.push_back(above /= part);
    }
    for (const Path& above : all) {
        if (find(above) != nullptr) continue;
        struct stat st {};
        if (::stat(above.c_str(), &st) != 0) return fail(errno_error(errno, "stat " + above.string()));
        // In a sticky folder nobody renames what is another's.
        const bool others = (st.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (st.st_mode & S_ISVTX) == 0;
        if ((st.st_uid != 0 && st.st_uid != ::geteuid()) || others)
            return fail(Code::usage,
                        above.string() + " is another user's, who could replace " + folder.string() + " meanwhile",
                        "let root own it, not writable for others, while this runs");
    }
    return ok();
}

Status ClosedFolders::close(const Path& root, Below below, const Owner& owner, mode_t mode) {
    if (!root.is_absolute() || root != root.lexically_normal())
        return fail(Code::usage, root.string() + " is not written as an absolute path without . and ..");
    if (find(root) != nullptr) return ok();
    TPF_TRY(nobody_replaces(root));
    const bool missing = ::mkdir(root.c_str(), kClosed) == 0;
    if (!missing && errno != EEXIST) return fail(errno_error(errno, "making " + root.string()));
    TPF_TRY(add(root, below));
    return missing ? make(root, owner, mode) : ok();
}

Status ClosedFolders::add(const Path& path, Below below) {
    if (find(path) != nullptr) return ok();
    {
        TPF_TRY(const UniqueFd fd, folder_at(path));
        struct stat st {};
        if (::fstat(fd.get(), &st) != 0) return fail(errno_error(errno, "looking at " + path.string()));
        folders_.push_back({path, {st.st_uid, st.st_gid}, st.st_mode & kModes});
        TPF_TRY(give(fd, path, self(), kClosed));
    }
    // From here on nobody else makes, moves or removes anything in it.
    if (below == Below::left) return ok();
    std::error_code error;
    std::vector<Path> inside;
    for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
        std::error_code unknown;
        const bool folder = entry->symlink_status(unknown).type() == std::filesystem::file_type::directory;
        if (unknown) return fail(Code::io, "looking at " + entry->path().string() + ": " + unknown.message());
        if (folder) inside.push_back(entry->path());
    }
    if (error) return fail(Code::io, "reading the folder " + path.string() + ": " + error.message());
    for (const Path& folder : inside) {
        TPF_TRY(add(folder, below));
    }
    return ok();
}

Status ClosedFolders::make(const Path& path, const Owner& owner, mode_t mode) {
    if (find(path) == nullptr) {
        if (find(path.parent_path()) == nullptr)
            return fail(Code::usage, path.string() + " is not in a folder that was closed");
        // One that is there, and not known, was left open (Below::left): by its name alone it may not become anybody's.
        if (::mkdir(path.c_str(), kClosed) != 0) return fail(errno_error(errno, "making " + path.string()));
        folders_.push_back({path, self(), kClosed});
    }
    TPF_TRY(const UniqueFd fd, folder_at(path));
    Folder& known =
        *std::find_if(folders_.begin(), folders_.end(), [&path](const Folder& one) { return one.path == path; });
    if (!(known.owner == owner)) {
        for (const char* list : {"system.posix_acl_access", "system.posix_acl_default"})
            if (::fremovexattr(fd.get(), list) != 0 && errno != ENODATA && errno != ENOTSUP)
                return fail(errno_error(errno, "taking the access list off " + path.string()));
        TPF_TRY(give(fd, path, self(), kClosed));
    }
    known.owner = owner;
    known.mode = mode;
    return ok();
}

std::optional<std::pair<Owner, mode_t>> ClosedFolders::when_opened(const Path& path) const {
    const Folder* known = find(path);
    return known == nullptr ? std::nullopt : std::optional(std::pair(known->owner, known->mode));
}

Status ClosedFolders::open_again() {
    Status done = ok();
    while (!folders_.empty()) {
        const Folder folder = std::move(folders_.back());
        folders_.pop_back();
        const auto fd = folder_at(folder.path);
        Status given = fd ? give(fd.value(), folder.path, folder.owner, folder.mode) : Status(fail(fd.error()));
        if (given && ::fsync(fd.value().get()) != 0)
            given = fail(errno_error(errno, "syncing " + folder.path.string()));
        if (!given && done) done = std::move(given);
    }
    return done;
}

ClosedFolders::~ClosedFolders() {
    (void)open_again();
}

}  // namespace tpf::daemon
