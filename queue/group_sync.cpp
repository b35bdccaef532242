#include "queue/group_sync.h"

namespace tpf::queue {

Status GroupSync::sync(const Path& folder) {
    std::unique_lock lock(mutex_);
    State& state = folders_[folder];
    const std::uint64_t mine = state.begun + 1;
    while (state.done < mine) {
        if (state.failed) return fail(*state.failed);
        if (state.running) {
            ended_.wait(lock);
            continue;
        }
        state.running = true;
        const std::uint64_t ticket = ++state.begun;
        lock.unlock();
        const Status synced = fs_->sync_folder(folder);
        lock.lock();
        state.running = false;
        ended_.notify_all();
        if (synced) {
            state.done = ticket;
        } else if (synced.error().code() == Code::fsync_failed) {
            state.failed = synced.error();
        } else {
            return fail(synced.error());  // it never began; the others try for themselves
        }
    }
    return ok();
}

}  // namespace tpf::queue
