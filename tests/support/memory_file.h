#pragma once
// Files without a file system.

#include <algorithm>
#include <string>
#include <utility>

#include "base/encoding.h"
#include "base/fs.h"

namespace tpf::test {

/// A file in memory that can fail after so many bytes, and tells how far it was used.
class MemoryFile final : public File {
  public:
    explicit MemoryFile(std::string content = {}) : text(std::move(content)) {}
    Result<std::size_t> read(std::span<std::uint8_t> to) override {
        if (at >= read_failure) return fail(Code::io, "no longer readable");
        const std::size_t size = std::min({to.size(), text.size() - at, read_failure - at});
        std::copy_n(text.begin() + static_cast<std::ptrdiff_t>(at), size, to.begin());
        at += size;
        return size;
    }
    Status write(std::span<const std::uint8_t> from) override {
        if (text.size() + from.size() > write_failure) return fail(Code::disk_full);
        text.append(as_text(from));
        return ok();
    }
    Status sync() override { return ok(); }
    void start_writeback() noexcept override {}
    Status seek(std::uint64_t offset) override {
        at = offset;
        return ok();
    }
    std::string text;
    std::size_t at = 0;
    std::size_t read_failure = SIZE_MAX;
    std::size_t write_failure = SIZE_MAX;
};

}  // namespace tpf::test
