#include "daemon/users.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tpf::daemon {
namespace {

constexpr std::size_t kBufferBytes = 65536;

std::optional<std::string> name_of(uid_t uid) {
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(kBufferBytes);
    if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return std::nullopt;
    return std::string(entry.pw_name);
}

std::optional<std::uint32_t> plain_number(const std::string& text) {
    if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != std::string::npos)
        return std::nullopt;
    return static_cast<std::uint32_t>(std::stoul(text));
}

}  // namespace

std::optional<uid_t> uid_of(const std::string& user) {
    if (const auto number = plain_number(user)) return *number;
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(kBufferBytes);
    if (::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
        return std::nullopt;
    }
    return entry.pw_uid;
}

std::string user_name(uid_t uid) {
    return name_of(uid).value_or("uid " + std::to_string(uid));
}

std::optional<gid_t> gid_of(const std::string& name) {
    if (const auto number = plain_number(name)) return *number;
    group entry{};
    group* found = nullptr;
    std::vector<char> buffer(kBufferBytes);
    if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
        return std::nullopt;
    }
    return entry.gr_gid;
}

bool is_member(uid_t uid, gid_t gid, const std::string& group) {
    if (group.empty()) return false;
    const auto wanted = gid_of(group);
    const auto user = name_of(uid);
    if (!wanted || !user) return false;
    std::vector<gid_t> groups(1024);
    int count = static_cast<int>(groups.size());
    if (::getgrouplist(user->c_str(), gid, groups.data(), &count) < 0) return false;
    groups.resize(static_cast<std::size_t>(count));
    return std::find(groups.begin(), groups.end(), *wanted) != groups.end();
}

}  // namespace tpf::daemon
