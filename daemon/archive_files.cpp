#include "daemon/archive_files.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/sha256.h"

namespace tpf::daemon {

std::string witness_file(const std::string& name) {
    constexpr std::size_t kMost = 64;
    constexpr std::size_t kDigits = 32;
    const auto letter = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    };
    const bool plain =
        !name.empty() && name.size() <= kMost && letter(name.front()) &&
        std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || c == '.' || c == '_' || c == '-'; });
    return plain ? name : "sha256-" + hex(sha256(name)).substr(0, kDigits);
}

}  // namespace tpf::daemon
