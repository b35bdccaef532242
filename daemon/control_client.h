#pragma once
// tpfctl's side of the core's socket.

#include <functional>
#include <optional>

#include "base/fs.h"
#include "daemon/control_protocol.h"

namespace tpf::daemon {

/// An answer's frame: which installation it came from, and its result.
struct ControlAnswer {
    std::string installation;  ///< "production" or "test"
    std::string name;
    Json result;
};

/// A file that goes with a request; `progress` is told how many bytes went.
struct ControlBody {
    File& file;
    std::uint64_t size;
    std::function<void(std::uint64_t)> progress;
};

/// One request over a connection of its own. Waits without end for the answer (a long check, an RSA key). Errors: what
/// the core answered, or Code::unavailable when it cannot be reached. `progress` is told of what comes before the
/// answer.
[[nodiscard]] Result<ControlAnswer> ask_core(const Path& socket, std::string_view command, const Json& args,
                                             const std::optional<ControlBody>& body = std::nullopt,
                                             const std::function<void(const Json&)>& progress = {});

/// The same for a command that wants answers to its progress: `talk` may write to the stream. Its error ends it.
[[nodiscard]] Result<ControlAnswer> ask_core_and_talk(const Path& socket, std::string_view command, const Json& args,
                                                      const std::function<Status(const Json&, ControlStream&)>& talk);

}  // namespace tpf::daemon
