#include "register/passphrase.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/unique_fd.h"

namespace tpf::reg {
namespace {

constexpr std::size_t kMaxBytes = 1024;

Result<crypto::SecretBytes> read_all(int fd) {
    crypto::SecretBytes buffer(kMaxBytes + 2);
    const auto room = buffer.writable(crypto::SecretToken::access());
    std::size_t size = 0;
    while (size < room.size()) {
        const ssize_t n = ::read(fd, room.data() + size, room.size() - size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(Code::config, errno_error(errno, "read the passphrase").detail());
        if (n == 0) break;
        size += static_cast<std::size_t>(n);
    }
    if (size > 0 && room[size - 1] == '\n') --size;
    if (size == 0 || size > kMaxBytes) return fail(Code::config, "the passphrase is empty or longer than 1024 bytes");
    return crypto::SecretBytes::copy_of(room.first(size));
}

}  // namespace

Result<crypto::SecretBytes> read_passphrase(const PassphraseSource& source) {
    if (source.fd) return read_all(*source.fd);
    if (source.credential.empty()) return crypto::SecretBytes();
    const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
    if (folder == nullptr) return fail(Code::config, "a credential is named, but CREDENTIALS_DIRECTORY is not set");
    if (source.credential.find('/') != std::string::npos) return fail(Code::config, "a credential's name has no slash");
    const std::string path = std::string(folder) + "/" + source.credential;
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return fail(Code::config, errno_error(errno, "open " + path).detail());
    return read_all(fd.get());
}

}  // namespace tpf::reg
