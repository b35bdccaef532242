#pragma once
// Where the persons of an export lie, noted while it is read for the first time. The second reading cuts them out there
// instead of scanning again, which would cost as much as all of the encryption but RSA. That is sound only because a
// run compares the fingerprints of both readings before anything it made gets its name.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tpf::krypteringsmodul {

struct ExportPerson;

/// Bounded: past `max_bytes` (some 1.2 million persons) it gives up, and the second reading scans. Not thread-safe.
class PersonIndex {
  public:
    explicit PersonIndex(std::size_t max_bytes = std::size_t{8} << 20) : max_bytes_(max_bytes) {}

    /// Positions are of UTF-8 bytes, counted from the root element's '<'. `at`: the number's first byte.
    void number(std::uint64_t at, std::size_t size, std::uint64_t content_at);
    void content(std::uint64_t size);
    /// Something that it has no room or no words for.
    void give_up() noexcept;
    [[nodiscard]] bool usable() const noexcept { return usable_; }

  private:
    friend class PersonCutter;
    void append(std::uint64_t value);

    const std::size_t max_bytes_;
    std::string entries_;    // LEB128: gap before the number, its size, gap before the content, its size; and so on
    std::uint64_t end_ = 0;  // of the last content
    std::uint64_t content_at_ = 0;
    bool usable_ = true;
};

/// Cuts persons out of the text that follows the XML declaration. Not thread-safe.
class PersonCutter {
  public:
    /// `index` outlives the object, is usable and is not changed meanwhile.
    explicit PersonCutter(const PersonIndex& index);
    /// Takes from the front of `text`. Whether `person` is complete; otherwise `text` is used up.
    [[nodiscard]] bool cut(std::string_view& text, ExportPerson& person);
    /// Code::truncated when persons are left: these are not the bytes that were noted.
    [[nodiscard]] Status finish() const;

  private:
    enum class Part { root, before_number, number, before_content, content, end };
    void next_entry();
    [[nodiscard]] std::uint64_t read() noexcept;

    const std::string& entries_;
    std::size_t at_ = 0;
    Part part_ = Part::root;
    std::uint64_t left_ = 0;  // bytes of the current part still to come
    std::uint64_t number_size_ = 0;
    std::uint64_t gap_ = 0;
    std::uint64_t content_size_ = 0;
};

}  // namespace tpf::krypteringsmodul
