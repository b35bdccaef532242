#include "daemon/readings.h"

#include <algorithm>

#include "base/types.h"

namespace tpf::daemon {
namespace {

constexpr std::size_t kMost = 200;
constexpr std::chrono::hours kLasts{24};

}  // namespace

std::string Readings::begin(Reading reading) {
    std::string name = SpoolId::random().str();
    const std::lock_guard lock(mutex_);
    if (all_.size() >= kMost) {
        const auto oldest = std::min_element(
            all_.begin(), all_.end(), [](const auto& a, const auto& b) { return a.second.begun < b.second.begun; });
        all_.erase(oldest);
    }
    all_.emplace(name, std::move(reading));
    return name;
}

Result<Reading> Readings::find(const std::string& name, const std::string& who, std::string_view command,
                               UtcTime now) const {
    const std::lock_guard lock(mutex_);
    const auto found = all_.find(name);
    const bool good = found != all_.end() && found->second.who == who && found->second.command == command &&
                      now - found->second.begun < kLasts;
    if (!good) return fail(Code::usage, "that reading of the audit log has ended", "begin it again");
    return found->second;
}

}  // namespace tpf::daemon
