#pragma once
// One instance per spool: an exclusive flock(2) on a file, held while the object lives, dropped by the kernel when the
// process ends in whatever way. The file stays and holds nothing.

#include "base/fs.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tpf::queue {

class FolderLock {
  public:
    /// Code::locked (stop) when another process, or another FolderLock of this one, holds it. Never waits.
    [[nodiscard]] static Result<FolderLock> take(const Path& file);

  private:
    explicit FolderLock(UniqueFd fd) noexcept : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

}  // namespace tpf::queue
