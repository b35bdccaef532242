#pragma once
// A FileSystem that fails, stops and forgets on command, over a real folder. It keeps a second picture of that folder:
// what a power cut would leave. crash() makes the real folder look like that, so that recovery can be run on it.
//
// The model of durability, stricter than any one file system:
// - bytes of a file last once the file was synced; without, any prefix, zeros, or the old bytes may be there;
// - a name in a folder (made, moved, removed) lasts once that folder was synced, whatever was synced of the file
// itself;
// - a rename is atomic: the sync of either folder makes it last in both (ext4, xfs and btrfs promise it; queue/spool.h
//   depends on it);
// - after a failed sync nothing written before it ever becomes durable, even if a later sync says so (fsyncgate).
//
// Real syncs are not made: runs are fast, and the process that tests is not the one that is killed. Files outside the
// root are handed through, with faults, without the model. Thread-safe; the faults are meant for one thread.

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"

namespace tpf::test {

/// Thrown by the call at which the "process" ends. Every later call fails without effect, until crash().
struct Stopped {};

enum class Call {
    open_read,
    read,
    create,
    write,
    sync_file,
    info,
    may_change,
    make_folder,
    list,
    rename,
    replace,
    sync_folder,
    remove_file,
    remove_tree,
    free_bytes,
};
[[nodiscard]] const char* to_string(Call call) noexcept;

enum class Loss {
    none,      ///< kill -9: what was written is there
    unsynced,  ///< power cut: exactly what was synced is there
    random,    ///< power cut: of what was not synced, each part by the toss of a coin
};

class FaultFs final : public FileSystem {
  public:
    /// `root` exists; all that is in it counts as synced.
    explicit FaultFs(Path root, FileSystem& real = posix_file_system());
    ~FaultFs() override;

    /// Calls so far, of all kinds, since the last reset_count().
    [[nodiscard]] std::uint64_t calls() const;
    void reset_count();
    /// The n-th call from now (from 1) ends the process: half of it is done if it is a write or a
    /// remove_tree, else nothing.
    void stop_at(std::uint64_t n);
    /// The n-th call from now fails with `code` (a sync always with Code::fsync_failed), without effect.
    void fail_at(std::uint64_t n, Code code);
    /// The n-th call of this kind from now.
    void fail_at(Call kind, std::uint64_t n, Code code);
    /// The n-th write from now writes half and fails with Code::disk_full.
    void short_write_at(std::uint64_t n);
    /// Syncs of this kind (sync_file or sync_folder) on paths that match say that they succeeded and do nothing.
    void drop_syncs(
        Call kind, std::function<bool(const Path&)> match = [](const Path&) { return true; });
    /// Bytes that free_bytes() answers, for paths below `under`; none: the real ones.
    void set_free_bytes(std::optional<std::uint64_t> bytes, const Path& under = {});
    /// Which call the last stop or failure hit: "rename inbox/tmp/…"; empty: none fired.
    [[nodiscard]] std::string fired() const;

    /// The machine comes up again: the root holds what `loss` leaves, faults are cleared, open files are dead.
    void crash(Loss loss, std::uint64_t seed = 0);

    Result<std::unique_ptr<File>> open_read(const Path& path) override;
    Result<std::unique_ptr<File>> create(const Path& path, mode_t mode) override;
    Result<FileInfo> info(const Path& path) override;
    Result<FileInfo> info(const File& file) override;
    Status may_change(const Path& folder) override;
    Status make_folder(const Path& path, mode_t mode) override;
    Result<std::vector<std::string>> list(const Path& folder) override;
    Status rename(const Path& from, const Path& to) override;
    Status replace(const Path& from, const Path& to) override;
    Status sync_folder(const Path& folder) override;
    Status remove_file(const Path& path) override;
    Status remove_tree(const Path& path) override;
    Result<std::uint64_t> free_bytes(const Path& path) override;

  private:
    class FaultFile;
    class Model;
    struct Fault {
        enum class Kind { stop, fail, short_write } kind = Kind::stop;
        std::optional<Call> call;  // none: any
        std::uint64_t left = 0;    // calls until it fires
        Code code = Code::io;
    };
    enum class Verdict { go, half, drop };
    [[nodiscard]] Result<Verdict> enter(Call call, const Path& path);
    [[nodiscard]] Result<Verdict> fire(const Fault& fault, Call call, const Path& path);
    void arm(Fault fault);
    void remove_first_of(const Path& folder);

    mutable std::mutex mutex_;
    Path root_;
    FileSystem* real_;
    std::unique_ptr<Model> model_;
    std::vector<Fault> faults_;
    std::vector<std::pair<Call, std::function<bool(const Path&)>>> dropped_;
    std::optional<std::uint64_t> free_;
    Path free_under_;
    std::string fired_;
    std::uint64_t calls_ = 0;
    std::uint64_t life_ = 0;  // counts crashes: files of an earlier life are dead
    bool stopped_ = false;
};

}  // namespace tpf::test
