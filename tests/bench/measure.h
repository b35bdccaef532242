#pragma once
// What the measuring programs share.

#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <type_traits>
#include <utility>

#include "base/result.h"

namespace tpf::bench {

/// Seconds on that clock.
inline double now(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

/// What fails ends the program.
template <class T>
T must(Result<T> result) {
    if (!result) {
        std::fprintf(stderr, "error: %s\n", result.error().text().c_str());
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

}  // namespace tpf::bench
