#include "tests/tools/generator/output.h"

#include <fcntl.h>

#include <cerrno>

namespace tpf::generator {
namespace {

/// The next character; `text` is valid UTF-8 within the basic plane (the generator wrote it).
char32_t next_character(std::string_view text, std::size_t& at) {
    const auto byte = [&](std::size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[i])); };
    const char32_t first = byte(at++);
    if (first < 0x80) return first;
    const char32_t second = byte(at++) & 0x3f;
    if (first < 0xe0) return ((first & 0x1f) << 6) | second;
    return ((first & 0x0f) << 12) | (second << 6) | (byte(at++) & 0x3f);
}

}  // namespace

Result<Output> Output::create(const std::string& path, FileEncoding encoding) {
    const bool standard = path == "-";
    UniqueFd fd(standard ? ::dup(STDOUT_FILENO) : ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd) return fail(errno_error(errno, "open " + path));
    Output output(std::move(fd), encoding);
    if (encoding == FileEncoding::utf8_bom || encoding == FileEncoding::utf16 || encoding == FileEncoding::utf16be) {
        TPF_TRY(output.write("\ufeff"));
    }
    return output;
}

void Output::recode(std::string_view text) {
    recoded_.clear();
    for (std::size_t at = 0; at < text.size();) {
        const char32_t c = next_character(text, at);
        const char low = static_cast<char>(c & 0xff);
        const char high = static_cast<char>(c >> 8);
        if (encoding_ == FileEncoding::utf16be) recoded_ += high;
        recoded_ += low;
        if (encoding_ == FileEncoding::utf16) recoded_ += high;
    }
}

Status Output::write(std::string_view text) {
    if (encoding_ == FileEncoding::utf8 || encoding_ == FileEncoding::utf8_bom) return write_bytes(text);
    recode(text);
    return write_bytes(recoded_);
}

Status Output::write_bytes(std::string_view bytes) {
    bytes_ += bytes.size();
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(errno_error(errno, "write"));
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return ok();
}

}  // namespace tpf::generator
