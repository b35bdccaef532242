#pragma once
// What the fuzz targets share: a judge's verdict, and an input taken apart.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace tpf::fuzz {

/// Ends the program when `holds` is not so: the fuzzer keeps the input then.
inline void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "the judge says: %s\n", what);
    std::abort();
}

/// Cuts a text into pieces, the same for the same seed.
class Splitter {
  public:
    explicit Splitter(std::uint32_t seed) : state_(seed * 2654435761U + 1) {}
    /// Calls `take` with each piece, in order; it answers whether to go on.
    template <class Take>
    void each(std::string_view text, Take take) {
        while (!text.empty()) {
            const std::size_t size = 1 + next() % ((next() & 1) != 0 ? 3 : 40);
            if (!take(text.substr(0, size))) return;
            text.remove_prefix(size < text.size() ? size : text.size());
        }
    }

  private:
    std::uint32_t next() noexcept {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 17;
        state_ ^= state_ << 5;
        return state_;
    }
    std::uint32_t state_;
};

/// The first byte chooses the mode, the second the cuts; the rest is the text.
struct Input {
    Input(const std::uint8_t* data, std::size_t size)
        : mode(size > 0 ? data[0] : 0),
          seed(size > 1 ? data[1] : 0),
          text(size > 2 ? std::string_view(reinterpret_cast<const char*>(data) + 2, size - 2) : std::string_view()) {}
    std::uint8_t mode;
    std::uint8_t seed;
    std::string_view text;
};

}  // namespace tpf::fuzz
