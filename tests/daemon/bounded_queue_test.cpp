#include "daemon/bounded_queue.h"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

using tpf::daemon::BoundedQueue;

TEST_SUITE("daemon/bounded_queue") {
    TEST_CASE("items come out in order, whichever side is the faster") {
        for (const std::size_t capacity : {1U, 4U}) {
            BoundedQueue<int> queue(capacity);
            std::thread producer([&] {
                for (int i = 0; i < 20000; ++i) queue.push(i);
                queue.close();
            });
            std::vector<int> got;
            while (const auto item = queue.pop()) got.push_back(*item);
            producer.join();
            REQUIRE(got.size() == 20000);
            for (int i = 0; i < 20000; ++i) REQUIRE(got[static_cast<std::size_t>(i)] == i);
        }
    }

    TEST_CASE("never more than its capacity inside") {
        BoundedQueue<int> queue(2);
        std::atomic<int> pushed{0};
        std::thread producer([&] {
            for (int i = 0; i < 1000; ++i) {
                queue.push(i);
                ++pushed;
            }
            queue.close();
        });
        int popped = 0;
        while (queue.pop()) {
            // What was pushed and not popped is inside, or the one that is just being handed over.
            CHECK(pushed.load() - popped <= 3);
            ++popped;
        }
        producer.join();
        CHECK(popped == 1000);
    }

    TEST_CASE("closing lets out what is inside and turns away what comes") {
        BoundedQueue<int> queue(4);
        CHECK(queue.push(1));
        CHECK(queue.push(2));
        queue.close();
        CHECK_FALSE(queue.push(3));
        CHECK(queue.pop() == 1);
        CHECK(queue.pop() == 2);
        CHECK_FALSE(queue.pop());
        CHECK_FALSE(queue.pop());
    }

    TEST_CASE("closing wakes whoever waits on either side") {
        BoundedQueue<int> empty(1);
        std::thread consumer([&] { CHECK_FALSE(empty.pop()); });
        empty.close();
        consumer.join();

        BoundedQueue<int> full(1);
        CHECK(full.push(1));
        std::thread producer([&] { CHECK_FALSE(full.push(2)); });
        full.close();
        producer.join();
        CHECK(full.pop() == 1);
        CHECK_FALSE(full.pop());
    }

    TEST_CASE("items that can only be moved") {
        BoundedQueue<std::unique_ptr<int>> queue(1);
        CHECK(queue.push(std::make_unique<int>(7)));
        const auto item = queue.pop();
        REQUIRE(item);
        CHECK(**item == 7);
    }
}
