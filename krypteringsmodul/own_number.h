#pragma once
// Looks for a person's own number in what is said of that person. The content goes to the register, which must not see
// the number; content that holds it stops the run.

#include <array>
#include <cstddef>
#include <string_view>

namespace tpf::krypteringsmodul {

/// Finds one number in text handed over in pieces. Between two digits white space (no-break space too), '-' and '.' may
/// stand; a piece may end anywhere. Not thread-safe.
class OwnNumberSearch {
  public:
    ~OwnNumberSearch();
    /// Starts anew for this number. A number is looked for by its digits; where it has fewer than kLeastDigits it is no
    /// identity number, could stand in any field by chance, and is not looked for.
    void reset(std::string_view number) noexcept;
    void feed(std::string_view piece) noexcept;
    [[nodiscard]] bool found() const noexcept { return size_ != 0 && matched_ == size_; }

    static constexpr std::size_t kLeastDigits = 9;

  private:
    void take(unsigned char c) noexcept;

    // Knuth, Morris, Pratt: how much of the number still matches when the next digit does not.
    std::array<char, 32> digits_{};
    std::array<std::size_t, 33> fallback_{};
    std::size_t size_ = 0;
    std::size_t matched_ = 0;
    bool in_space_ = false;  // the first byte of a no-break space was seen
};

}  // namespace tpf::krypteringsmodul
