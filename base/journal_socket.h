#pragma once
// systemd's journal, spoken to directly (systemd.io, "Native Journal Protocol"): one datagram per entry, fields with
// names. Written here, so that a program that only encrypts files needs no systemd library.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace tpf {

/// Thread-safe.
class JournalSocket {
  public:
    static constexpr const char* kPath = "/run/systemd/journal/socket";
    using Fields = std::vector<std::pair<std::string, std::string>>;

    /// True when systemd connected this process' standard error to its journal ($JOURNAL_STREAM names the very stream).
    [[nodiscard]] static bool is_ours();
    /// Not connected where that fails: send() then answers false.
    explicit JournalSocket(std::string_view path = kPath);
    /// False: it was not taken; say it elsewhere. Never waits.
    [[nodiscard]] bool send(const Fields& fields) const noexcept;

  private:
    UniqueFd fd_;
};

/// The bytes of such a datagram: "NAME=value\n", or with the value's length before it where it holds a line feed.
[[nodiscard]] std::string journal_datagram(const JournalSocket::Fields& fields);

namespace log {
/// Events go to the journal at `socket` from now on, and to standard error only when it does not take one. log::init()
/// does this under systemd.
void use_journal(std::string_view socket);
}  // namespace log

}  // namespace tpf
