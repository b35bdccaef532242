#include "daemon/users.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

using namespace tpf::daemon;

TEST_SUITE_BEGIN("daemon/users");

TEST_CASE("names and numbers") {
    CHECK(uid_of("root") == uid_t{0});
    CHECK(uid_of("65534") == uid_t{65534});
    CHECK_FALSE(uid_of("no-such-user-here"));
    CHECK_FALSE(uid_of(""));
    CHECK(user_name(0) == "root");
    CHECK(user_name(3999999) == "uid 3999999");
    CHECK(gid_of("root") == gid_t{0});
    CHECK(is_member(0, 0, "root"));
    CHECK_FALSE(is_member(0, 0, "no-such-group-here"));
    CHECK_FALSE(is_member(0, 0, ""));
}

// The plain getpwnam answers in one static buffer: with threads it gave another user's uid within seconds.
TEST_CASE("threads do not get each other's answers") {
    std::atomic<unsigned> wrong{0};
    std::vector<std::thread> threads;
    for (const auto& [name, uid] : {std::pair("nobody", 65534U), std::pair("root", 0U), std::pair("daemon", 1U)}) {
        threads.emplace_back([&wrong, name = name, uid = uid] {
            for (int i = 0; i < 2000; ++i) {
                if (uid_of(name) != uid) ++wrong;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(wrong == 0);
}

TEST_SUITE_END();
