#pragma once
// Text that is gathered to be written: grows like a string, but its room is not filled before it is written to, so that
// long runs can be made in place.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace tpf {

/// Not thread-safe; movable. What it held is not wiped.
class TextBuffer {
  public:
    TextBuffer() = default;
    TextBuffer(TextBuffer&& other) noexcept { swap(other); }
    TextBuffer& operator=(TextBuffer&& other) noexcept {
        swap(other);
        return *this;
    }
    TextBuffer(const TextBuffer&) = delete;
    TextBuffer& operator=(const TextBuffer&) = delete;
    ~TextBuffer() = default;

    [[nodiscard]] std::string_view view() const noexcept { return {data_.get(), size_}; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    void clear() noexcept { size_ = 0; }

    TextBuffer& append(std::string_view text) {
        char* const to = room(text.size());
        if (!text.empty()) std::memcpy(to, text.data(), text.size());
        return grow(text.size());
    }
    TextBuffer& append(char c) {
        *room(1) = c;
        return grow(1);
    }
    /// Room behind the text for `size` characters more; valid until the next call.
    [[nodiscard]] char* room(std::size_t size) {
        if (size > capacity_ - size_) enlarge(size);
        return data_.get() + size_;
    }
    /// `size` characters of the room belong to the text now.
    TextBuffer& grow(std::size_t size) noexcept {
        size_ += size;
        return *this;
    }

  private:
    void swap(TextBuffer& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }
    void enlarge(std::size_t size) {
        const std::size_t capacity = std::max(size_ + size, 2 * capacity_);
        auto larger = std::make_unique_for_overwrite<char[]>(capacity);
        if (size_ != 0) std::memcpy(larger.get(), data_.get(), size_);
        data_ = std::move(larger);
        capacity_ = capacity;
    }

    std::unique_ptr<char[]> data_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace tpf
