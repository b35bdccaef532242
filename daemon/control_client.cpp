#include "daemon/control_client.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "base/encoding.h"
#include "base/unique_fd.h"

namespace tpf::daemon {
namespace {

Result<UniqueFd> connect_to(const Path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.string().size() >= sizeof address.sun_path)
        return fail(Code::config, "the socket's path is longer than 107 bytes");
    std::memcpy(address.sun_path, path.c_str(), path.string().size());
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) return fail(Code::unavailable, errno_error(errno, "socket").detail());
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
    const int err = errno;
    if (err == EACCES) return fail(Code::denied, "you may not use " + path.string());
    return fail(Code::unavailable, errno_error(err, "connect " + path.string()).detail(),
                "is tpfd running? `systemctl status tpfd`");
}

Status send_body(ControlStream& stream, const ControlBody& body) {
    Bytes block(256 * 1024);
    std::uint64_t sent = 0;
    while (true) {
        TPF_TRY(const std::size_t size, body.file.read(block));
        if (size == 0) break;
        const Status written = stream.write({block.data(), size});
        // The core may have said no before it read everything: its answer tells why.
        if (!written) return ok();
        sent += size;
        if (body.progress) body.progress(sent);
    }
    if (sent != body.size) return fail(Code::io, "the file changed while it was read");
    return ok();
}

using Talk = std::function<Status(const Json&, ControlStream&)>;

Result<ControlAnswer> exchange(const Path& socket, std::string_view command, const Json& args,
                               const std::optional<ControlBody>& body, const Talk& talk) {
    TPF_TRY(const UniqueFd fd, connect_to(socket));
    ControlStream stream(fd.get());
    const Status asked = stream.write_line({{"command", command}, {"args", args}, {"body", body ? body->size : 0}});
    if (asked && body) {
        TPF_TRY(send_body(stream, *body));
    }
    // Whom the core does not serve it refuses before it reads the request: the answer is there all the same.
    Json json;
    do {
        const auto line = stream.read_line(kMaxControlLine);
        if (!line) return fail(asked ? line.error() : asked.error());
        TPF_TRY(json, parse_object(line.value()));
        if (talk && json.contains("progress")) {
            TPF_TRY(talk(json["progress"], stream));
        }
    } while (json.contains("progress"));
    ControlAnswer answer{json.value("installation", ""), json.value("name", ""), {}};
    if (json.value("ok", false)) {
        answer.result = json["result"];
        return answer;
    }
    const Json error = json.value("error", Json::object());
    const std::string code = error.value("code", "");
    std::string text = error.value("text", "");
    if (text.rfind(code + ": ", 0) == 0) text.erase(0, code.size() + 2);
    const CodeInfo* known = find_code(code);
    return fail(known != nullptr ? known->code : Code::internal, text, error.value("hint", ""));
}

}  // namespace

Result<ControlAnswer> ask_core(const Path& socket, std::string_view command, const Json& args,
                               const std::optional<ControlBody>& body,
                               const std::function<void(const Json&)>& progress) {
    const auto tell = [&](const Json& json, ControlStream&) -> Status {
        if (progress) progress(json);
        return ok();
    };
    return exchange(socket, command, args, body, tell);
}

Result<ControlAnswer> ask_core_and_talk(const Path& socket, std::string_view command, const Json& args,
                                        const Talk& talk) {
    return exchange(socket, command, args, std::nullopt, talk);
}

}  // namespace tpf::daemon
