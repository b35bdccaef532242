#include "daemon/worker_pool.h"

#include <doctest/doctest.h>

#include <atomic>
#include <future>

using tpf::daemon::WorkerPool;
using Size = WorkerPool::Size;

namespace {

/// A gate that jobs wait at, and that counts who is there.
class Gate {
  public:
    void pass() {
        std::unique_lock lock(mutex_);
        ++inside_;
        most_ = std::max(most_, inside_);
        changed_.notify_all();
        changed_.wait(lock, [&] { return open_; });
        --inside_;
    }
    void wait_for(int count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return inside_ >= count; });
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    [[nodiscard]] int most() {
        const std::lock_guard lock(mutex_);
        return most_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int inside_ = 0;
    int most_ = 0;
    bool open_ = false;
};

void wait_until_idle(const WorkerPool& pool) {
    while (pool.busy() > 0) std::this_thread::yield();
}

}  // namespace

TEST_SUITE("daemon/worker_pool") {
    TEST_CASE("every job runs once") {
        std::atomic<int> small{0}, large{0};
        WorkerPool pool(4, 2);
        for (int i = 0; i < 500; ++i) {
            pool.submit(Size::small, [&] { ++small; });
            pool.submit(Size::large, [&] { ++large; });
        }
        wait_until_idle(pool);
        CHECK(small == 500);
        CHECK(large == 500);
    }

    TEST_CASE("large jobs never take all threads: small ones go by") {
        Gate gate;
        WorkerPool pool(3, 2);
        for (int i = 0; i < 5; ++i) pool.submit(Size::large, [&] { gate.pass(); });
        gate.wait_for(2);
        std::promise<void> ran;
        pool.submit(Size::small, [&] { ran.set_value(); });
        ran.get_future().wait();  // hangs, and ctest's time limit ends it, when large jobs hold every thread
        CHECK(gate.most() == 2);
        gate.open();
        wait_until_idle(pool);
        CHECK(gate.most() == 2);
    }

    TEST_CASE("a large job that had to wait runs when another one ends") {
        std::atomic<int> ran{0};
        WorkerPool pool(2, 1);
        for (int i = 0; i < 50; ++i) pool.submit(Size::large, [&] { ++ran; });
        wait_until_idle(pool);
        CHECK(ran == 50);
    }

    TEST_CASE("one thread does both kinds") {
        std::atomic<int> ran{0};
        WorkerPool pool(1, 1);
        pool.submit(Size::large, [&] { ++ran; });
        pool.submit(Size::small, [&] { ++ran; });
        wait_until_idle(pool);
        CHECK(ran == 2);
    }

    TEST_CASE("busy counts what waits and what runs; clear drops what waits") {
        Gate gate;
        std::atomic<int> others{0};
        WorkerPool pool(1, 1);
        CHECK(pool.busy() == 0);
        pool.submit(Size::small, [&] { gate.pass(); });
        gate.wait_for(1);
        pool.submit(Size::small, [&] { ++others; });
        pool.submit(Size::large, [&] { ++others; });
        CHECK(pool.busy() == 3);
        pool.clear();
        CHECK(pool.busy() == 1);
        gate.open();
        wait_until_idle(pool);
        CHECK(others == 0);
    }

    TEST_CASE("the end waits for what runs and drops what waits") {
        Gate gate;
        std::atomic<bool> finished{false};
        std::atomic<int> others{0};
        std::thread opener;
        {
            WorkerPool pool(1, 1);
            pool.submit(Size::small, [&] {
                gate.pass();
                finished = true;
            });
            gate.wait_for(1);
            for (int i = 0; i < 10; ++i) pool.submit(Size::small, [&] { ++others; });
            pool.clear();
            opener = std::thread([&] { gate.open(); });
        }
        CHECK(finished);
        CHECK(others == 0);
        opener.join();
    }

    TEST_CASE("a job may submit another") {
        std::atomic<int> left{100};
        WorkerPool pool(2, 1);
        std::function<void()> next = [&] {
            if (--left > 0) pool.submit(left % 2 == 0 ? Size::small : Size::large, next);
        };
        pool.submit(Size::small, next);
        while (left > 0) std::this_thread::yield();
        wait_until_idle(pool);
        CHECK(left == 0);
    }
}
