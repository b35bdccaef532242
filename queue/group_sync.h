#pragma once
// Folder syncs shared by those who wait for them at the same time: each caller returns after a sync that began after
// its call, so whatever it did to the folder before is on the device; callers that came while one ran share the next.

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "base/fs.h"
#include "base/result.h"

namespace tpf::queue {

/// Thread-safe. After a failed sync every later call for that folder fails with the same error (a failed sync is never
/// retried: the process stops and recovers from what is on disk).
class GroupSync {
  public:
    explicit GroupSync(FileSystem& fs) noexcept : fs_(&fs) {}
    [[nodiscard]] Status sync(const Path& folder);

  private:
    struct State {
        std::uint64_t begun = 0;  // syncs begun, counting from 1
        std::uint64_t done = 0;   // the last one that ended
        bool running = false;
        std::optional<Error> failed;
    };
    FileSystem* fs_;
    std::mutex mutex_;
    std::condition_variable ended_;
    std::map<Path, State> folders_;
};

}  // namespace tpf::queue
