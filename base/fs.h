#pragma once
// The one seam to the operating system's files: everything durable goes through a FileSystem, so that tests can fail a
// call, drop what was not synced, or stop between two steps.
//
// Errors: Code::disk_full for ENOSPC and EDQUOT, Code::fsync_failed when a sync fails (never retried, the caller
// stops), Code::not_found where the name does not exist, else Code::io. Paths appear in error texts; names in the spool
// are UUIDs, so they hold nothing of a message.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tpf {

using Path = std::filesystem::path;

/// An open regular file. Closed by its destructor (a close error after a successful sync means nothing; a file whose
/// bytes matter is synced first). Not thread-safe.
class File {
  public:
    virtual ~File() = default;
    /// Reads up to `to.size()` bytes; fewer only at the end of the file, 0 there.
    [[nodiscard]] virtual Result<std::size_t> read(std::span<std::uint8_t> to) = 0;
    /// Writes all of `from`, however many calls that takes.
    [[nodiscard]] virtual Status write(std::span<const std::uint8_t> from) = 0;
    /// Data and what is needed to read it back are on the device.
    [[nodiscard]] virtual Status sync() = 0;
    /// Starts writing back what was written so far, without waiting: keeps the final sync short. A hint.
    virtual void start_writeback() noexcept = 0;
    [[nodiscard]] virtual Status seek(std::uint64_t offset) = 0;
};

struct FileInfo {
    bool regular = false;  ///< a regular file, not reached through a link
    bool folder = false;
    std::uint64_t size = 0;  ///< bytes
    unsigned links = 0;      ///< number of hard links
    uid_t owner = 0;
    mode_t mode = 0;  ///< permission bits
    std::chrono::sys_time<std::chrono::nanoseconds> modified;
    dev_t device = 0;
    ino_t inode = 0;  ///< with the device: which file it is, whatever its name
};

/// Thread-safe: every call stands alone.
class FileSystem {
  public:
    virtual ~FileSystem() = default;
    /// Never follows a link in the last component, never blocks on a FIFO; only regular files open.
    [[nodiscard]] virtual Result<std::unique_ptr<File>> open_read(const Path& path) = 0;
    /// The file must not exist. Mode is exact, whatever the umask.
    [[nodiscard]] virtual Result<std::unique_ptr<File>> create(const Path& path, mode_t mode) = 0;
    /// lstat: a link is neither regular nor folder.
    [[nodiscard]] virtual Result<FileInfo> info(const Path& path) = 0;
    /// Of an open file, for checks that must hold for what is read.
    [[nodiscard]] virtual Result<FileInfo> info(const File& file) = 0;
    [[nodiscard]] virtual Status make_folder(const Path& path, mode_t mode) = 0;
    /// Names in the folder, sorted, without "." and "..".
    [[nodiscard]] virtual Result<std::vector<std::string>> list(const Path& folder) = 0;
    /// Code::io for a folder that this process may not list, enter and change: moving it takes no less. Else success.
    [[nodiscard]] virtual Status may_change(const Path& folder);
    /// rename(2) that never replaces anything (RENAME_NOREPLACE); EEXIST and ENOTEMPTY are Code::io.
    [[nodiscard]] virtual Status rename(const Path& from, const Path& to) = 0;
    /// rename(2) that replaces a file, for small state files written beside and moved over.
    [[nodiscard]] virtual Status replace(const Path& from, const Path& to) = 0;
    /// The entries of the folder are on the device.
    [[nodiscard]] virtual Status sync_folder(const Path& folder) = 0;
    [[nodiscard]] virtual Status remove_file(const Path& path) = 0;
    /// A folder and the files in it, one level of folders deep at the most; never follows links. Missing: success.
    [[nodiscard]] virtual Status remove_tree(const Path& path) = 0;
    /// Bytes that an unprivileged process can still write there.
    [[nodiscard]] virtual Result<std::uint64_t> free_bytes(const Path& path) = 0;
};

/// The real one. One for the process, never destroyed.
[[nodiscard]] FileSystem& posix_file_system() noexcept;

/// The whole of a small file; Code::limit when it is larger than `max` bytes.
[[nodiscard]] Result<std::string> read_small(FileSystem& fs, const Path& path, std::size_t max);
/// Writes `content` to a new file and syncs it (not its folder).
[[nodiscard]] Status write_new(FileSystem& fs, const Path& path, std::string_view content, mode_t mode);
/// Writes beside, syncs, moves over, syncs the folder: after it the file holds either all of the old or all of the new.
[[nodiscard]] Status write_atomically(FileSystem& fs, const Path& path, std::string_view content, mode_t mode);

}  // namespace tpf
