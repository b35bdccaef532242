#include "daemon/ctl_owner.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/users.h"

namespace tpf::daemon {

Status become_owner(const Path& folder) {
    struct stat st {};
    if (::geteuid() != 0 || ::stat(folder.c_str(), &st) != 0 || st.st_uid == 0) return ok();
    const std::string name = user_name(st.st_uid);
    const auto group = gid_of(name);  // a system user's own; else the folder's
    const gid_t gid = group.value_or(st.st_gid);
    const bool known = uid_of(name) == st.st_uid;
    if ((known ? ::initgroups(name.c_str(), gid) : ::setgroups(0, nullptr)) != 0 || ::setgid(gid) != 0 ||
        ::setuid(st.st_uid) != 0) {
        return fail(Code::denied, errno_error(errno, "becoming the owner of " + folder.string()).detail());
    }
    ::umask(027);
    return ok();
}

}  // namespace tpf::daemon
