#pragma once
// The core's unix socket, as both sides see it. A connection carries one request and one answer:
//
//   request  one line of JSON, {"command":"…","args":{…},"body":N}, then N bytes (a file, for check and submit)
//   progress where args ask for it: lines of JSON, {"progress":{…}}, before the answer
//   answer   one line of JSON, {"installation":"test","name":"…","ok":true,"result":{…}}
//            or {…,"ok":false,"error":{"code":"…","text":"…","hint":"…"}}
//
// Lines are UTF-8 and end in LF. Who asks is told by the kernel (SO_PEERCRED), never by the request.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "base/result.h"

namespace tpf::daemon {

using Json = nlohmann::ordered_json;

inline constexpr std::size_t kMaxControlLine = std::size_t{64} << 20;  ///< an answer: long queue listings
inline constexpr std::size_t kMaxRequestLine = std::size_t{1} << 20;

/// Bytes to and from a connected socket that has time-outs set. Not thread-safe; does not own the descriptor.
class ControlStream {
  public:
    explicit ControlStream(int fd) noexcept : fd_(fd) {}
    /// Without the LF. Code::unavailable: closed, timed out, or longer than `max`.
    [[nodiscard]] Result<std::string> read_line(std::size_t max);
    /// Up to `to.size()` bytes of what follows; 0 at the end.
    [[nodiscard]] Result<std::size_t> read(std::span<std::uint8_t> to);
    [[nodiscard]] Status write(std::span<const std::uint8_t> bytes);
    [[nodiscard]] Status write_line(const Json& json);

  private:
    int fd_;
    std::string buffer_;  // read beyond the line
};

/// Strict JSON of an object; Code::usage.
[[nodiscard]] Result<Json> parse_object(const std::string& text);
/// args[name] as text; Code::usage where it is missing (and required) or not text.
[[nodiscard]] Result<std::string> text_arg(const Json& args, const char* name, bool required);
[[nodiscard]] Result<std::uint64_t> number_arg(const Json& args, const char* name, std::uint64_t fallback);
[[nodiscard]] Json error_json(const Error& error);

}  // namespace tpf::daemon
