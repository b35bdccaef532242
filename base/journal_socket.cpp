#include "base/journal_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace tpf {

bool JournalSocket::is_ours() {
    const char* const named = std::getenv("JOURNAL_STREAM");
    struct stat stream {};
    if (named == nullptr || ::fstat(STDERR_FILENO, &stream) != 0) return false;
    return std::to_string(stream.st_dev) + ":" + std::to_string(stream.st_ino) == named;
}

JournalSocket::JournalSocket(std::string_view path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return;
    std::memcpy(address.sun_path, path.data(), path.size());
    UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
        fd_ = std::move(fd);
}

bool JournalSocket::send(const Fields& fields) const noexcept {
    if (!fd_) return false;
    try {
        const std::string datagram = journal_datagram(fields);
        return ::send(fd_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
               static_cast<ssize_t>(datagram.size());
    } catch (const std::exception&) {
        return false;
    }
}

std::string journal_datagram(const JournalSocket::Fields& fields) {
    std::string out;
    for (const auto& [name, value] : fields) {
        out += name;
        if (value.find('\n') == std::string::npos) {
            out += '=' + value + '\n';
            continue;
        }
        out += '\n';
        // 64 bits, little-endian, on every machine.
        for (unsigned shift = 0; shift < 64; shift += 8)
            out += static_cast<char>((static_cast<std::uint64_t>(value.size()) >> shift) & 0xffU);
        out += value + '\n';
    }
    return out;
}

}  // namespace tpf
