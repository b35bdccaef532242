#pragma once
// Readings of the audit log that go on over several requests: the first one is logged, with who and why; the others
// name it, and get what was asked for then and nothing else.

#include <map>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "daemon/control_protocol.h"

namespace tpf::daemon {

struct Reading {
    std::string who;
    std::string command;
    Json args;                  ///< of the first request
    std::uint64_t through = 0;  ///< the last entry that it may see
    std::string checkpoint{};   ///< the note over so many; empty: there is none
    UtcTime begun{};
};

/// Thread-safe. A day after it began, or when too many others began, a reading ends.
class Readings {
  public:
    /// Its name, which nobody can guess.
    [[nodiscard]] std::string begin(Reading reading);
    /// Code::usage: it is not there, or somebody else's, or another command's.
    [[nodiscard]] Result<Reading> find(const std::string& name, const std::string& who, std::string_view command,
                                       UtcTime now) const;

  private:
    mutable std::mutex mutex_;
    std::map<std::string, Reading> all_;
};

}  // namespace tpf::daemon
