#pragma once
// While root puts files of several users back, nobody else gets at the folders that they go into: whoever owns one
// could put a link in the place of a folder or file that is about to be opened. Not for use from several threads. What
// a crash leaves: folders of root, mode 0700, which the core refuses to work in (`permission denied`).

#include <sys/types.h>

#include <vector>

#include "base/fs.h"

namespace tpf::daemon {

class ClosedFolders {
  public:
    /// Makes `root` and every folder below it root's, mode 0700, each before what is in it is looked at. Needs to be
    /// root.
    [[nodiscard]] static Result<ClosedFolders> close(const Path& root);
    ClosedFolders(ClosedFolders&&) noexcept = default;
    ClosedFolders& operator=(ClosedFolders&&) = delete;
    ClosedFolders(const ClosedFolders&) = delete;
    ClosedFolders& operator=(const ClosedFolders&) = delete;
    /// As open_again(); what fails then is not told.
    ~ClosedFolders();

    /// `path`, one of them or made since, gets this owner and mode when they are opened.
    void will_be(const Path& path, uid_t owner, gid_t group, mode_t mode);
    /// Each to its owner, what lies deepest first.
    [[nodiscard]] Status open_again();

  private:
    struct Folder {
        Path path;
        uid_t owner;
        gid_t group;
        mode_t mode;
    };
    ClosedFolders() = default;
    [[nodiscard]] Status add(const Path& path);

    std::vector<Folder> folders_;  // each after the one that it lies in
};

}  // namespace tpf::daemon
