#include "base/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/unique_fd.h"

namespace tpf {
namespace {

constexpr mode_t kPermissions = 0777;

Error path_error(int err, const char* call, const Path& path) {
    if (err == ENOENT) return Error(Code::not_found, std::string(call) + " " + path.string() + ": no such file");
    return errno_error(err, std::string(call) + " " + path.string());
}

FileInfo info_of(const struct stat& st) {
    FileInfo info;
    info.regular = S_ISREG(st.st_mode);
    info.folder = S_ISDIR(st.st_mode);
    info.size = static_cast<std::uint64_t>(st.st_size);
    info.links = static_cast<unsigned>(st.st_nlink);
    info.owner = st.st_uid;
    info.mode = st.st_mode & 07777;
    info.modified = std::chrono::sys_time<std::chrono::nanoseconds>(std::chrono::seconds(st.st_mtim.tv_sec) +
                                                                    std::chrono::nanoseconds(st.st_mtim.tv_nsec));
    info.device = st.st_dev;
    info.inode = st.st_ino;
    return info;
}

class PosixFile final : public File {
  public:
    PosixFile(UniqueFd fd, Path path) : fd_(std::move(fd)), path_(std::move(path)) {}

    Result<std::size_t> read(std::span<std::uint8_t> to) override {
        std::size_t done = 0;
        while (done < to.size()) {
            const ssize_t n = ::read(fd_.get(), to.data() + done, to.size() - done);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return fail(path_error(errno, "read", path_));
            if (n == 0) break;
            done += static_cast<std::size_t>(n);
        }
        return done;
    }
    Status write(std::span<const std::uint8_t> from) override {
        std::size_t done = 0;
        while (done < from.size()) {
            const ssize_t n = ::write(fd_.get(), from.data() + done, from.size() - done);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return fail(path_error(errno, "write", path_));
            done += static_cast<std::size_t>(n);
        }
        written_ += done;
        return ok();
    }
    Status sync() override {
        // Not retried on EINTR either: after any failure the kernel may have dropped the pages (platform, "SQLite").
        if (::fsync(fd_.get()) != 0)
            return fail(Code::fsync_failed, errno_error(errno, "fsync " + path_.string()).detail());
        return ok();
    }
    void start_writeback() noexcept override {
        constexpr std::uint64_t kStep = 8U << 20;
        if (written_ - flushed_ < kStep) return;
        static_cast<void>(::sync_file_range(fd_.get(), static_cast<off_t>(flushed_),
                                            static_cast<off_t>(written_ - flushed_), SYNC_FILE_RANGE_WRITE));
        flushed_ = written_;
    }
    Status seek(std::uint64_t offset) override {
        if (::lseek(fd_.get(), static_cast<off_t>(offset), SEEK_SET) < 0)
            return fail(path_error(errno, "lseek", path_));
        return ok();
    }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    [[nodiscard]] const Path& path() const noexcept { return path_; }

  private:
    UniqueFd fd_;
    Path path_;
    std::uint64_t written_ = 0;
    std::uint64_t flushed_ = 0;
};

class PosixFileSystem final : public FileSystem {
  public:
    Result<std::unique_ptr<File>> open_read(const Path& path) override {
        UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
        if (!fd) return fail(path_error(errno, "open", path));
        struct stat st {};
        if (::fstat(fd.get(), &st) != 0) return fail(path_error(errno, "fstat", path));
        if (!S_ISREG(st.st_mode)) return fail(Code::io, "open " + path.string() + ": not a regular file");
        static_cast<void>(::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL));
        return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(fd), path));
    }
    Result<std::unique_ptr<File>> create(const Path& path, mode_t mode) override {
        UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
        if (!fd) return fail(path_error(errno, "create", path));
        if (::fchmod(fd.get(), mode) != 0) {
            const int err = errno;
            ::unlink(path.c_str());
            return fail(path_error(err, "fchmod", path));
        }
        return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(fd), path));
    }
    Result<FileInfo> info(const Path& path) override {
        struct stat st {};
        if (::lstat(path.c_str(), &st) != 0) return fail(path_error(errno, "lstat", path));
        return info_of(st);
    }
    Result<FileInfo> info(const File& file) override {
        const auto& posix = dynamic_cast<const PosixFile&>(file);
        struct stat st {};
        if (::fstat(posix.fd(), &st) != 0) return fail(path_error(errno, "fstat", posix.path()));
        return info_of(st);
    }
    Status make_folder(const Path& path, mode_t mode) override {
        if (::mkdir(path.c_str(), mode & kPermissions) != 0) return fail(path_error(errno, "mkdir", path));
        // The set-group bit is inherited where the folder around has it. A service that may not set one
        // (RestrictSUIDSGID=) gets on like that.
        const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        struct stat st {};
        const bool as_wanted = fd && ::fstat(fd.get(), &st) == 0 && (st.st_mode & 07777U) == mode;
        if (!fd || (!as_wanted && ::fchmod(fd.get(), mode) != 0)) {
            const int err = errno;
            ::rmdir(path.c_str());
            return fail(path_error(err, "chmod", path));
        }
        return ok();
    }
    Result<std::vector<std::string>> list(const Path& folder) override {
        DIR* dir = ::opendir(folder.c_str());
        if (dir == nullptr) return fail(path_error(errno, "opendir", folder));
        std::vector<std::string> names;
        errno = 0;
        while (const dirent* entry = ::readdir(dir)) {
            const std::string_view name = entry->d_name;
            if (name != "." && name != "..") names.emplace_back(name);
            errno = 0;
        }
        const int err = errno;
        ::closedir(dir);
        if (err != 0) return fail(path_error(err, "readdir", folder));
        std::sort(names.begin(), names.end());
        return names;
    }
    Status rename(const Path& from, const Path& to) override {
        if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
            return fail(path_error(errno, "rename", from));
        }
        return ok();
    }
    Status replace(const Path& from, const Path& to) override {
        if (::rename(from.c_str(), to.c_str()) != 0) return fail(path_error(errno, "rename", from));
        return ok();
    }
    Status sync_folder(const Path& folder) override {
        const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!fd) return fail(path_error(errno, "open", folder));
        if (::fsync(fd.get()) != 0)
            return fail(Code::fsync_failed, errno_error(errno, "fsync " + folder.string()).detail());
        return ok();
    }
    Status remove_file(const Path& path) override {
        if (::unlink(path.c_str()) != 0) return fail(path_error(errno, "unlink", path));
        return ok();
    }
    Status remove_tree(const Path& path) override { return remove_tree(path, 2); }
    Result<std::uint64_t> free_bytes(const Path& path) override {
        struct statvfs st {};
        if (::statvfs(path.c_str(), &st) != 0) return fail(path_error(errno, "statvfs", path));
        return static_cast<std::uint64_t>(st.f_bavail) * st.f_frsize;
    }

  private:
    Status remove_tree(const Path& path, int depth) {
        const auto what = info(path);
        if (!what) return what.error().code() == Code::not_found ? ok() : Status(fail(what.error()));
        if (!what.value().folder) return remove_file(path);
        if (depth == 0) return fail(Code::io, "folder nested too deep: " + path.string());
        TPF_TRY(const auto names, list(path));
        for (const std::string& name : names) {
            TPF_TRY(remove_tree(path / name, depth - 1));
        }
        if (::rmdir(path.c_str()) != 0) return fail(path_error(errno, "rmdir", path));
        return ok();
    }
};

}  // namespace

Status FileSystem::may_change(const Path& folder) {
    TPF_TRY(const FileInfo what, info(folder));
    if (!what.folder) return ok();
    if (::faccessat(AT_FDCWD, folder.c_str(), R_OK | W_OK | X_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) != 0) {
        return fail(path_error(errno, "access", folder));
    }
    return ok();
}

FileSystem& posix_file_system() noexcept {
    static PosixFileSystem fs;
    return fs;
}

Result<std::string> read_small(FileSystem& fs, const Path& path, std::size_t max) {
    TPF_TRY(const auto file, fs.open_read(path));
    std::string content(max + 1, '\0');
    TPF_TRY(const std::size_t size, file->read({reinterpret_cast<std::uint8_t*>(content.data()), content.size()}));
    if (size > max) return fail(Code::limit, path.string() + " is larger than " + std::to_string(max) + " bytes");
    content.resize(size);
    return content;
}

Status write_new(FileSystem& fs, const Path& path, std::string_view content, mode_t mode) {
    TPF_TRY(const auto file, fs.create(path, mode));
    TPF_TRY(file->write({reinterpret_cast<const std::uint8_t*>(content.data()), content.size()}));
    return file->sync();
}

Status write_atomically(FileSystem& fs, const Path& path, std::string_view content, mode_t mode) {
    Path beside = path;
    beside += ".tmp";
    if (auto gone = fs.remove_file(beside); !gone && gone.error().code() != Code::not_found) return gone;
    TPF_TRY(write_new(fs, beside, content, mode));
    TPF_TRY(fs.replace(beside, path));
    return fs.sync_folder(path.has_parent_path() ? path.parent_path() : Path("."));
}

}  // namespace tpf
