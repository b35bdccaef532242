#include "queue/group_sync.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/queue/fixtures.h"
#include "tests/support/fault_fs.h"

namespace tpf::queue::test {

using tpf::test::Call;
using tpf::test::FaultFs;
using tpf::test::Loss;

TEST_SUITE("queue/group_sync") {
    TEST_CASE("whoever returned finds what it made after a power cut; syncs are shared") {
        constexpr int kThreads = 6;
        constexpr int kEach = 20;
        const TempFolder folder;
        FaultFs fs(folder.path());
        GroupSync sync(fs);
        std::vector<std::thread> threads;
        std::atomic<int> failures = 0;
        for (int t = 0; t < kThreads; ++t) {
            threads.emplace_back([&, t] {
                for (int i = 0; i < kEach; ++i) {
                    const Path path = folder.path() / (std::to_string(t) + "-" + std::to_string(i));
                    if (!fs.make_folder(path, 0700) || !sync.sync(folder.path())) ++failures;
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
        CHECK(failures == 0);
        fs.crash(Loss::unsynced);
        CHECK(get(fs.list(folder.path())).size() == kThreads * kEach);
    }

    TEST_CASE("a failed sync fails everybody from then on; another error only that call") {
        const TempFolder folder;
        FaultFs fs(folder.path());
        GroupSync sync(fs);
        CHECK(code_of(sync.sync(folder.path() / "nowhere" / "at" / "all")) == Code::not_found);
        good(sync.sync(folder.path()));
        fs.fail_at(Call::sync_folder, 1, Code::io);
        CHECK(code_of(sync.sync(folder.path())) == Code::fsync_failed);
        CHECK(code_of(sync.sync(folder.path())) == Code::fsync_failed);
    }
}

}  // namespace tpf::queue::test
