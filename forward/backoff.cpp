#include "forward/backoff.h"

#include <algorithm>
#include <random>

namespace tpf::forward {

Draw random_draw() {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return [engine = std::mt19937_64(seed)]() mutable { return std::generate_canonical<double, 53>(engine); };
}

Backoff::Duration Backoff::after(unsigned failures, double draw) const noexcept {
    Duration ceiling(first);
    for (unsigned i = 1; i < failures && ceiling < Duration(max); ++i) ceiling *= 2;
    ceiling = std::min(ceiling, Duration(max));
    const auto spread = static_cast<double>((ceiling - least()).count());
    return least() + Duration(static_cast<Duration::rep>(spread * std::clamp(draw, 0.0, 1.0)));
}

Backoff::Duration Backoff::bounded(std::chrono::seconds asked) const noexcept {
    // Compared in whole seconds: a time asked for can be too long for a Duration.
    if (asked >= std::chrono::floor<std::chrono::seconds>(max)) return Duration(max);
    return std::max(Duration(asked), least());
}

}  // namespace tpf::forward
