#include "tests/tools/generator/random.h"

#include <bit>

namespace tpf::generator {

std::uint64_t mix(std::uint64_t value) noexcept {
    value += 0x9e3779b97f4a7c15;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
}

Random::Random(std::uint64_t seed) noexcept : state_{} {
    for (std::uint64_t& word : state_) {
        seed = mix(seed);
        word = seed;
    }
}

std::uint64_t Random::next() noexcept {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

Permutation::Permutation(std::uint64_t size, std::uint64_t seed) noexcept : size_(size), seed_(mix(seed)) {
    while ((std::uint64_t{1} << (2 * half_bits_)) < size_) ++half_bits_;
}

std::uint64_t Permutation::permute(std::uint64_t value) const noexcept {
    const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
    std::uint64_t left = value >> half_bits_;
    std::uint64_t right = value & mask;
    for (unsigned round = 0; round < 4; ++round) {
        const std::uint64_t next = left ^ (mix(seed_ + (right << 2) + round) & mask);
        left = right;
        right = next;
    }
    return (left << half_bits_) | right;
}

std::optional<std::uint64_t> Permutation::next() noexcept {
    if (at_ == size_) return std::nullopt;
    std::uint64_t value = permute(at_++);
    while (value >= size_) value = permute(value);
    return value;
}

}  // namespace tpf::generator
