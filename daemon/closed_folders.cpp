#include "daemon/closed_folders.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/unique_fd.h"

namespace tpf::daemon {
namespace {

constexpr mode_t kModes = 07777;

/// The folder at `path`, and no link to one.
Result<UniqueFd> folder_at(const Path& path) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return fail(errno_error(errno, "opening the folder " + path.string()));
    return fd;
}

Status give(const Path& path, uid_t owner, gid_t group, mode_t mode) {
    TPF_TRY(const UniqueFd fd, folder_at(path));
    // The mode last: a change of owner may take bits of it away.
    if (::fchown(fd.get(), owner, group) != 0 || ::fchmod(fd.get(), mode) != 0)
        return fail(errno_error(errno, "giving " + path.string() + " to its owner"));
    return ok();
}

}  // namespace

Result<ClosedFolders> ClosedFolders::close(const Path& root) {
    ClosedFolders closed;
    TPF_TRY(closed.add(root));
    return closed;
}

Status ClosedFolders::add(const Path& path) {
    {
        TPF_TRY(const UniqueFd fd, folder_at(path));
        struct stat st {};
        if (::fstat(fd.get(), &st) != 0) return fail(errno_error(errno, "looking at " + path.string()));
        folders_.push_back({path, st.st_uid, st.st_gid, st.st_mode & kModes});
    }
    TPF_TRY(give(path, ::geteuid(), ::getegid(), 0700));
    // From here on nobody else makes, moves or removes anything in it.
    std::error_code error;
    std::vector<Path> below;
    for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error))
        if (entry->symlink_status(error).type() == std::filesystem::file_type::directory)
            below.push_back(entry->path());
    if (error) return fail(Code::io, "reading the folder " + path.string() + ": " + error.message());
    for (const Path& folder : below) {
        TPF_TRY(add(folder));
    }
    return ok();
}

void ClosedFolders::will_be(const Path& path, uid_t owner, gid_t group, mode_t mode) {
    const auto known =
        std::find_if(folders_.begin(), folders_.end(), [&path](const Folder& folder) { return folder.path == path; });
    if (known == folders_.end())
        folders_.push_back({path, owner, group, mode});
    else
        *known = {path, owner, group, mode};
}

Status ClosedFolders::open_again() {
    Status done = ok();
    while (!folders_.empty()) {
        const Folder folder = std::move(folders_.back());
        folders_.pop_back();
        Status given = give(folder.path, folder.owner, folder.group, folder.mode);
        if (!given && done) done = std::move(given);
    }
    return done;
}

ClosedFolders::~ClosedFolders() {
    (void)open_again();
}

}  // namespace tpf::daemon
