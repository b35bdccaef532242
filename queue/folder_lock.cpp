#include "queue/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

namespace tpf::queue {

Result<FolderLock> FolderLock::take(const Path& file) {
    UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return fail(errno_error(errno, "open " + file.string()));
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return fail(Code::locked, "another instance holds " + file.string());
        return fail(errno_error(errno, "flock " + file.string()));
    }
    return FolderLock(std::move(fd));
}

}  // namespace tpf::queue
