#pragma once
// While root puts files of several users back, nobody else gets at the folders that they go into: whoever owns one
// could put a link in the place of a folder or file that is about to be opened. Not for use from several threads. What
// a crash leaves: folders of root, mode 0700, which the core refuses to work in.

#include <sys/types.h>

#include <optional>
#include <utility>
#include <vector>

#include "base/fs.h"

namespace tpf::daemon {

/// Whose a file or folder is.
struct Owner {
    uid_t user = 0;
    gid_t group = 0;
    friend bool operator==(const Owner&, const Owner&) = default;
};

class ClosedFolders {
  public:
    enum class Below : bool { left, closed };

    ClosedFolders() = default;
    ClosedFolders(const ClosedFolders&) = delete;
    ClosedFolders& operator=(const ClosedFolders&) = delete;
    /// As open_again(); what fails then is not told.
    ~ClosedFolders();

    /// Code::usage when somebody else could replace a folder above `folder`.
    [[nodiscard]] Status nobody_replaces(const Path& folder) const;
    /// Makes `root` (where it is missing: to be of `owner`, with `mode`) this process's, mode 0700, and so each folder
    /// below it before what is in it is looked at. Code::usage as nobody_replaces().
    [[nodiscard]] Status close(const Path& root, Below below, const Owner& owner, mode_t mode);
    /// `path`, a folder in one that is closed, made where it is missing, gets this owner and mode when they are opened.
    /// Access lists that were another owner's are taken off.
    [[nodiscard]] Status make(const Path& path, const Owner& owner, mode_t mode);
    /// Is `path` one of them, so that nobody else puts anything into it?
    [[nodiscard]] bool holds(const Path& path) const { return find(path) != nullptr; }
    /// How `path` was when it was closed, or is to be; nothing where it is not one of them.
    [[nodiscard]] std::optional<std::pair<Owner, mode_t>> when_opened(const Path& path) const;
    /// Each to its owner, what lies deepest first.
    [[nodiscard]] Status open_again();

  private:
    struct Folder {
        Path path;
        Owner owner;
        mode_t mode;
    };
    [[nodiscard]] const Folder* find(const Path& path) const;
    [[nodiscard]] Status add(const Path& path, Below below);

    std::vector<Folder> folders_;  // each after the one that it lies in
};

}  // namespace tpf::daemon
