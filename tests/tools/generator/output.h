#pragma once
// The file being written: text as UTF-8 goes in, bytes of the wanted encoding come out. Not durable: it is test data.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tpf::generator {

enum class FileEncoding { utf8, utf8_bom, utf16, utf16be, latin1 };

/// Not thread-safe.
class Output {
  public:
    /// Replaces a file of that name; "-" is standard output. Code::io.
    [[nodiscard]] static Result<Output> create(const std::string& path, FileEncoding encoding);
    /// `text`: whole characters; of ISO-8859-1 only, where that is the encoding.
    [[nodiscard]] Status write(std::string_view text);
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  private:
    Output(UniqueFd fd, FileEncoding encoding) : fd_(std::move(fd)), encoding_(encoding) {}
    [[nodiscard]] Status write_bytes(std::string_view bytes);
    void recode(std::string_view text);

    UniqueFd fd_;
    FileEncoding encoding_;
    std::string recoded_;
    std::uint64_t bytes_ = 0;
};

}  // namespace tpf::generator
