#include "forward/folder_watch.h"

#include <sys/inotify.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace tpf::forward {

Result<FolderWatch> FolderWatch::open(const Path& folder) {
    UniqueFd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!fd) return fail(errno_error(errno, "inotify_init1"));
    constexpr std::uint32_t kEvents = IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR;
    if (::inotify_add_watch(fd.get(), folder.c_str(), kEvents) < 0) {
        return fail(errno_error(errno, "inotify_add_watch " + folder.string()));
    }
    return FolderWatch(std::move(fd));
}

FolderWatch::Changes FolderWatch::changes() {
    Changes changes;
    std::array<char, 16 * 1024> buffer{};
    for (;;) {
        const ssize_t size = ::read(fd_.get(), buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return changes;
        for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            const char* name = buffer.data() + at + sizeof event;
            if ((event.mask & (IN_Q_OVERFLOW | IN_IGNORED)) != 0) changes.lost = true;
            if (event.len > 0) ((event.mask & IN_MOVED_TO) != 0 ? changes.appeared : changes.left).emplace_back(name);
            at += sizeof event + event.len;
        }
    }
}

}  // namespace tpf::forward
