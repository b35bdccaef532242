#include "daemon/control_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "daemon/users.h"

namespace tpf::daemon {
namespace {

Error socket_error(const char* call, const Path& path) {
    return Error(Code::config, errno_error(errno, std::string(call) + " " + path.string()).detail(),
                 "see [paths] socket in the configuration: its folder must exist and belong to the service");
}

Result<UniqueFd> listen_on(const Path& path, const std::string& group_name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.string().size() >= sizeof address.sun_path)
        return fail(Code::config, "[paths] socket is longer than 107 bytes");
    std::memcpy(address.sun_path, path.c_str(), path.string().size());
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) return fail(socket_error("socket", path));
    // The spool's lock is held: whoever left this socket is gone.
    ::unlink(path.c_str());
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return fail(socket_error("bind", path));
    const auto operators = group_name.empty() ? std::nullopt : gid_of(group_name);
    struct stat made {};
    const bool given = operators && ::lstat(path.c_str(), &made) == 0 && made.st_gid == *operators;
    if (operators && !given && ::chown(path.c_str(), static_cast<uid_t>(-1), *operators) != 0) {
        log::warning("the operators' group cannot be given to the socket", {{"path", path.string()}});
    }
    if (::chmod(path.c_str(), operators ? 0660 : 0600) != 0) return fail(socket_error("chmod", path));
    if (::listen(fd.get(), 16) != 0) return fail(socket_error("listen", path));
    return fd;
}

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::start(Core& core, Coordinator& coordinator) {
    TPF_TRY(UniqueFd listener, listen_on(core.config.fixed.paths.socket, core.config.fixed.control.operators_group));
    UniqueFd ending(::eventfd(0, EFD_CLOEXEC));
    if (!ending) return fail(Code::internal, "eventfd");
    return std::unique_ptr<ControlServer>(new ControlServer(core, coordinator, std::move(listener), std::move(ending)));
}

ControlServer::ControlServer(Core& core, Coordinator& coordinator, UniqueFd listener, UniqueFd ending)
    : core_(core),
      commands_(core, coordinator),
      listener_(std::move(listener)),
      ending_(std::move(ending)),
      accept_thread_([this] { accept_loop(); }) {}

ControlServer::~ControlServer() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(ending_.get(), &one, sizeof one);
    accept_thread_.join();
    ::unlink(core_.config.fixed.paths.socket.c_str());
}

void ControlServer::accept_loop() {
    while (true) {
        pollfd fds[] = {{listener_.get(), POLLIN, 0}, {ending_.get(), POLLIN, 0}};
        if (::poll(fds, 2, 1000) < 0 && errno != EINTR) break;
        join_finished(false);
        if ((fds[1].revents & POLLIN) != 0) break;
        if ((fds[0].revents & POLLIN) == 0) continue;
        UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!fd || connections_.size() >= core_.config.fixed.control.max_connections) continue;
        timeval time{};
        time.tv_sec = core_.config.fixed.control.timeout_seconds.count();
        ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
        ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
        Connection& connection = connections_.emplace_back();
        connection.fd = std::move(fd);
        connection.thread = std::thread([this, &connection] {
            serve(connection.fd.get());
            connection.done = true;
        });
    }
    for (Connection& connection : connections_) ::shutdown(connection.fd.get(), SHUT_RD);
    join_finished(true);
}

void ControlServer::join_finished(bool all) {
    for (auto it = connections_.begin(); it != connections_.end();) {
        if (!all && !it->done) {
            ++it;
            continue;
        }
        it->thread.join();
        it = connections_.erase(it);
    }
}

void ControlServer::serve(int fd) {
    ControlStream stream(fd);
    Json json;
    try {
        json = answer(stream, fd);
    } catch (const std::exception&) {
        json = {{"ok", false}, {"error", error_json(Error(Code::internal, "the command ended in an exception"))}};
    }
    Json framed = {{"installation", conf::to_string(core_.config.fixed.installation.kind)},
                   {"name", core_.config.fixed.installation.name}};
    framed.update(json);
    crypto::wipe_stack();
    static_cast<void>(stream.write_line(framed).has_value());
    ::shutdown(fd, SHUT_RDWR);
}

Json ControlServer::answer(ControlStream& stream, int fd) {
    const auto refuse = [](const Error& error) { return Json{{"ok", false}, {"error", error_json(error)}}; };
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return refuse(Error(Code::denied, "no peer credentials"));
    const bool allowed = peer.uid == 0 || peer.uid == ::geteuid() ||
                         is_member(peer.uid, peer.gid, core_.config.fixed.control.operators_group);
    const std::string user = user_name(peer.uid);
    if (!allowed) {
        log::warning("refused on the socket", {{"operator", user}});
        return refuse(Error(Code::denied, user + " is not in the operators' group"));
    }
    const auto line = stream.read_line(kMaxRequestLine);
    if (!line) return refuse(line.error());
    const auto request = parse_object(line.value());
    if (!request) return refuse(request.error());
    const auto result = commands_.run(request.value(), {peer.uid, user}, stream);
    if (!result) {
        if (result.error().disposition() == Disposition::stop &&
            (result.error().code() == Code::journal || result.error().code() == Code::fsync_failed)) {
            core_.lifecycle.fatal(result.error());
        }
        return refuse(result.error());
    }
    return {{"ok", true}, {"result", result.value()}};
}

}  // namespace tpf::daemon
