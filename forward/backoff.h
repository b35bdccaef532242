#pragma once
// How long to wait after a failure.

#include <chrono>
#include <functional>
#include <optional>

namespace tpf::forward {

/// A number drawn evenly from [0, 1). Injected, so that tests can name the draw.
using Draw = std::function<double()>;
/// Seeded from the system. Not thread-safe.
[[nodiscard]] Draw random_draw();

/// Doubling from `first` to `max` with full jitter ("Exponential Backoff And Jitter", M. Brooker, 2015: an even draw
/// from nothing to the ceiling), but never less than half of `first`, so that no draw makes a hot loop.
struct Backoff {
    std::chrono::milliseconds first{1'000};
    std::chrono::milliseconds max{900'000};  ///< at least `first`

    using Duration = std::chrono::steady_clock::duration;
    [[nodiscard]] Duration least() const noexcept { return Duration(first) / 2; }
    /// After `failures` in a row (1 or more), for `draw` in [0, 1): in [first/2, min(max, first * 2^(failures-1))].
    [[nodiscard]] Duration after(unsigned failures, double draw) const noexcept;
    /// What the other side asked for, within [first/2, max].
    [[nodiscard]] Duration bounded(std::chrono::seconds asked) const noexcept;
};

}  // namespace tpf::forward
