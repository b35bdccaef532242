#pragma once
// Chance that can be had again: the same seed gives the same file, on every machine. Not for keys.

#include <cstdint>
#include <optional>

namespace tpf::generator {

/// SplitMix64's finaliser (Steele, Lea, Flood 2014): a good 64-bit mix of one value.
[[nodiscard]] std::uint64_t mix(std::uint64_t value) noexcept;

/// xoshiro256** (Blackman, Vigna 2018), seeded through SplitMix64. Not thread-safe.
class Random {
  public:
    explicit Random(std::uint64_t seed) noexcept;
    [[nodiscard]] std::uint64_t next() noexcept;
    /// 0 to `bound` - 1; as good as even for bounds far below 2^32.
    [[nodiscard]] unsigned below(unsigned bound) noexcept {
        return static_cast<unsigned>(((next() >> 32) * bound) >> 32);
    }
    [[nodiscard]] bool one_in(unsigned n) noexcept { return below(n) == 0; }
    /// True in `percent` of 100 cases.
    [[nodiscard]] bool percent(double percent) noexcept {
        return static_cast<double>(next() >> 11) < percent / 100.0 * 9007199254740992.0;
    }

  private:
    std::uint64_t state_[4];
};

/// Every value from 0 to `size` - 1 once, in an order that looks like chance, in constant memory: a Feistel network
/// over the next power of four, walking past what is out of range (Black, Rogaway 2002). Not thread-safe.
class Permutation {
  public:
    Permutation(std::uint64_t size, std::uint64_t seed) noexcept;
    /// Nothing when all were given out.
    [[nodiscard]] std::optional<std::uint64_t> next() noexcept;

  private:
    [[nodiscard]] std::uint64_t permute(std::uint64_t value) const noexcept;
    std::uint64_t size_;
    std::uint64_t seed_;
    std::uint64_t at_ = 0;
    unsigned half_bits_ = 1;
};

}  // namespace tpf::generator
