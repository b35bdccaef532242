#include "crypto/secret_input.h"

#include <unistd.h>

#include <cerrno>

namespace tpf::crypto {

Result<SecretBytes> read_secret(int fd, std::size_t most) {
    SecretBytes buffer(most + 1);
    const auto room = buffer.writable(SecretToken::access());
    std::size_t size = 0;
    while (size < room.size()) {
        const ssize_t got = ::read(fd, room.data() + size, room.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(Code::config, errno_error(errno, "reading a secret").detail());
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    if (size > most) return fail(Code::config, "a secret is longer than " + std::to_string(most) + " bytes");
    return SecretBytes::copy_of(room.first(size));
}

Result<SecretBytes> read_secret_line(int fd, std::size_t most) {
    TPF_TRY(auto all, read_secret(fd, most + 1));
    const ByteView bytes = all.bytes(SecretToken::access());
    if (!bytes.empty() && bytes.back() == '\n') return SecretBytes::copy_of(bytes.first(bytes.size() - 1));
    if (bytes.size() > most) return fail(Code::config, "a secret is longer than " + std::to_string(most) + " bytes");
    return all;
}

}  // namespace tpf::crypto
