#pragma once
// A FileSystem in front of another, that asks a hook before each call: it sees which call on which path, may fail it,
// for as long as it likes, or let something else happen first. The hook runs in the caller's thread, and nothing is
// locked.

#include <functional>
#include <mutex>

#include "tests/support/fault_fs.h"

namespace tpf::test {

/// Thread-safe; files that are open are not watched.
class HookedFs final : public FileSystem {
  public:
    using Hook = std::function<Status(Call, const Path&)>;
    explicit HookedFs(FileSystem& inner) : inner_(&inner) {}
    /// Calls that run now still have the one before.
    void hook(Hook hook) {
        const std::lock_guard lock(mutex_);
        hook_ = std::move(hook);
    }

    Result<std::unique_ptr<File>> open_read(const Path& path) override {
        TPF_TRY(ask(Call::open_read, path));
        return inner_->open_read(path);
    }
    Result<std::unique_ptr<File>> create(const Path& path, mode_t mode) override {
        TPF_TRY(ask(Call::create, path));
        return inner_->create(path, mode);
    }
    Result<FileInfo> info(const Path& path) override {
        TPF_TRY(ask(Call::info, path));
        return inner_->info(path);
    }
    Result<FileInfo> info(const File& file) override { return inner_->info(file); }
    Status may_change(const Path& folder) override {
        TPF_TRY(ask(Call::may_change, folder));
        return inner_->may_change(folder);
    }
    Status make_folder(const Path& path, mode_t mode) override {
        TPF_TRY(ask(Call::make_folder, path));
        return inner_->make_folder(path, mode);
    }
    Result<std::vector<std::string>> list(const Path& folder) override {
        TPF_TRY(ask(Call::list, folder));
        return inner_->list(folder);
    }
    /// Asked with the old name.
    Status rename(const Path& from, const Path& to) override {
        TPF_TRY(ask(Call::rename, from));
        return inner_->rename(from, to);
    }
    Status replace(const Path& from, const Path& to) override {
        TPF_TRY(ask(Call::replace, from));
        return inner_->replace(from, to);
    }
    Status sync_folder(const Path& folder) override {
        TPF_TRY(ask(Call::sync_folder, folder));
        return inner_->sync_folder(folder);
    }
    Status remove_file(const Path& path) override {
        TPF_TRY(ask(Call::remove_file, path));
        return inner_->remove_file(path);
    }
    Status remove_tree(const Path& path) override {
        TPF_TRY(ask(Call::remove_tree, path));
        return inner_->remove_tree(path);
    }
    Result<std::uint64_t> free_bytes(const Path& path) override {
        TPF_TRY(ask(Call::free_bytes, path));
        return inner_->free_bytes(path);
    }

  private:
    Status ask(Call call, const Path& path) {
        Hook hook;
        {
            const std::lock_guard lock(mutex_);
            hook = hook_;
        }
        return hook ? hook(call, path) : ok();
    }

    FileSystem* inner_;
    std::mutex mutex_;
    Hook hook_;
};

}  // namespace tpf::test
