#pragma once
// What appears in and leaves one folder, as inotify(7) tells it. A help, never the truth: whoever uses it lists the
// folder at the start and from time to time.

#include <string>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tpf::forward {

/// Not thread-safe.
class FolderWatch {
  public:
    /// Code::io when the system has no watch to give (fs.inotify.max_user_watches) or the folder is not there.
    [[nodiscard]] static Result<FolderWatch> open(const Path& folder);
    /// Readable when changes() has something.
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    struct Changes {
        std::vector<std::string> appeared;  ///< by a rename into the folder
        std::vector<std::string> left;      ///< by a rename out of it, or removed
        bool lost = false;                  ///< more happened than is told here: list the folder
    };
    /// What happened since the last call. Never waits.
    [[nodiscard]] Changes changes();

  private:
    explicit FolderWatch(UniqueFd fd) noexcept : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

}  // namespace tpf::forward
