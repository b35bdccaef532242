#include "register/passphrase.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdlib>

#include "base/unique_fd.h"
#include "crypto/secret_input.h"

namespace tpf::reg {
namespace {

constexpr std::size_t kMaxBytes = 1024;

Result<crypto::SecretBytes> read_all(int fd) {
    TPF_TRY(auto phrase, crypto::read_secret_line(fd, kMaxBytes));
    if (phrase.size() == 0) return fail(Code::config, "the passphrase is empty");
    return phrase;
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
