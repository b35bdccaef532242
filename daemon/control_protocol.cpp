#include "daemon/control_protocol.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/encoding.h"

namespace tpf::daemon {
namespace {

Error socket_error(int err) {
    if (err == EAGAIN) return Error(Code::unavailable, "the other side took too long");
    return Error(Code::unavailable, errno_error(err, "socket").detail());
}

}  // namespace

Result<std::string> ControlStream::read_line(std::size_t max) {
    while (true) {
        const std::size_t end = buffer_.find('\n');
        if (end != std::string::npos) {
            std::string line = buffer_.substr(0, end);
            buffer_.erase(0, end + 1);
            return line;
        }
        if (buffer_.size() > max) return fail(Code::unavailable, "a line is too long");
        char block[16384];
        const ssize_t got = ::recv(fd_, block, sizeof block, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(socket_error(errno));
        if (got == 0) return fail(Code::unavailable, "the connection was closed before an answer");
        buffer_.append(block, static_cast<std::size_t>(got));
    }
}

Result<std::size_t> ControlStream::read(std::span<std::uint8_t> to) {
    if (!buffer_.empty()) {
        const std::size_t size = std::min(to.size(), buffer_.size());
        std::copy_n(buffer_.begin(), size, to.begin());
        buffer_.erase(0, size);
        return size;
    }
    while (true) {
        const ssize_t got = ::recv(fd_, to.data(), to.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(socket_error(errno));
        return static_cast<std::size_t>(got);
    }
}

Status ControlStream::write(std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return fail(socket_error(errno));
        bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
    return ok();
}

Status ControlStream::write_line(const Json& json) {
    const std::string line = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    return write(as_bytes(line));
}

Result<Json> parse_object(const std::string& text) {
    Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded() || !json.is_object()) return fail(Code::usage, "not a JSON object");
    return json;
}

Result<std::string> text_arg(const Json& args, const char* name, bool required) {
    const auto found = args.find(name);
    if (found == args.end() || found->is_null()) {
        if (required) return fail(Code::usage, std::string(name) + " is missing");
        return std::string();
    }
    if (!found->is_string()) return fail(Code::usage, std::string(name) + " is not a text");
    return found->get<std::string>();
}

Result<std::uint64_t> number_arg(const Json& args, const char* name, std::uint64_t fallback) {
    const auto found = args.find(name);
    if (found == args.end() || found->is_null()) return fallback;
    if (!found->is_number_unsigned()) return fail(Code::usage, std::string(name) + " is not a whole number");
    return found->get<std::uint64_t>();
}

Json error_json(const Error& error) {
    return {{"code", error.name()}, {"text", error.text()}, {"hint", error.hint()}};
}

}  // namespace tpf::daemon
