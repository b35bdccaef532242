#pragma once
// Serves the core's unix socket: who asks, may they, one thread a connection, bounded in number and time.

#include <list>
#include <mutex>
#include <thread>

#include "base/unique_fd.h"
#include "daemon/commands.h"

namespace tpf::daemon {

/// Listens from start() to the destructor.
class ControlServer {
  public:
    [[nodiscard]] static Result<std::unique_ptr<ControlServer>> start(Core& core, Coordinator& coordinator);
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;
    void keep_index() { commands_.keep_index(); }

  private:
    ControlServer(Core& core, Coordinator& coordinator, UniqueFd listener, UniqueFd ending);
    void accept_loop();
    void serve(int fd);
    [[nodiscard]] Json answer(ControlStream& stream, int fd);
    void join_finished(bool all);

    Core& core_;
    Commands commands_;
    UniqueFd listener_;
    UniqueFd ending_;
    struct Connection {
        UniqueFd fd;
        std::thread thread;
        std::atomic<bool> done{false};
    };
    std::list<Connection> connections_;  // the accept thread's own
    std::thread accept_thread_;
};

}  // namespace tpf::daemon
