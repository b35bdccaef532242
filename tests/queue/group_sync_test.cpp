#include "queue/group_sync.h"

#include <doctest/doctest.h>

#include <atomic>
#include <latch>
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

    TEST_CASE("a sync that had begun before the call does not count for it") {
        const TempFolder folder;
        FaultFs fs(folder.path());
        GroupSync sync(fs);
        std::latch running(1);
        std::latch go_on(1);
        std::atomic<int> syncs = 0;
        fs.drop_syncs(Call::sync_folder, [&](const Path&) {
            if (++syncs == 1) {
                running.count_down();
                go_on.wait();
            }
            return false;
        });
        std::thread first([&] { good(sync.sync(folder.path())); });
        running.wait();
        std::atomic<bool> called = false;
        std::thread second([&] {
            called = true;
            good(sync.sync(folder.path()));
        });
        while (!called) std::this_thread::yield();
        for (int i = 0; i < 1000; ++i) std::this_thread::yield();  // let it see the first one running
        go_on.count_down();
        first.join();
        second.join();
        CHECK(syncs == 2);
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
