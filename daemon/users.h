#pragma once
// The system's users and groups, looked up in a way that threads can share (the plain calls answer in one static
// buffer).

#include <sys/types.h>

#include <optional>
#include <string>

namespace tpf::daemon {

/// A user's uid: its name, or its decimal number. Empty: there is no such user, or the system does not say.
[[nodiscard]] std::optional<uid_t> uid_of(const std::string& user);
/// "uid N" where the system knows none.
[[nodiscard]] std::string user_name(uid_t uid);
[[nodiscard]] std::optional<gid_t> gid_of(const std::string& group);
/// Whether the user, whose primary group is `gid`, belongs to the group.
[[nodiscard]] bool is_member(uid_t uid, gid_t gid, const std::string& group);

}  // namespace tpf::daemon
