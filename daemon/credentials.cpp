#include "daemon/credentials.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/encoding.h"
#include "base/fs.h"
#include "base/types.h"
#include "base/unique_fd.h"
#include "crypto/key_ring.h"
#include "crypto/secret_input.h"

namespace tpf::daemon {
namespace {

using crypto::SecretBytes;
using crypto::SecretToken;

constexpr std::size_t kMostBytes = 4096;

/// A POSIX access list as the kernel stores it (linux/posix_acl_xattr.h, version 2), little-endian.
struct AclEntry {
    std::uint16_t tag, rights;
    std::uint32_t id;
};
constexpr std::uint16_t kAclOwner = 0x01, kAclUser = 0x02, kAclMask = 0x10;
constexpr std::uint16_t kAclRead = 4;

/// Whether nobody but the owner, root and we ourselves gets anything by the list. `octets` without its header.
bool is_private(ByteView octets) {
    if (octets.size() % sizeof(AclEntry) != 0) return false;
    for (; !octets.empty(); octets = octets.subspan(sizeof(AclEntry))) {
        AclEntry entry{};
        std::memcpy(&entry, octets.data(), sizeof entry);
        const std::uint16_t tag = le16toh(entry.tag), rights = le16toh(entry.rights);
        const uid_t user = le32toh(entry.id);
        if (tag == kAclOwner || tag == kAclMask || rights == 0) continue;
        if (tag != kAclUser || rights != kAclRead || (user != 0 && user != ::geteuid())) return false;
    }
    return true;
}

/// systemd gives a service's user the right to read by an access list, whose mask then stands where the group's rights
/// would.
bool is_private(int fd, const struct stat& info) {
    std::array<std::uint8_t, 1024> list;
    const ssize_t size = ::fgetxattr(fd, "system.posix_acl_access", list.data(), list.size());
    if (size < 0 && errno != ENODATA && errno != ENOTSUP) return false;
    constexpr std::size_t kHeader = 4;
    if (size < static_cast<ssize_t>(kHeader)) return (info.st_mode & (S_IRWXG | S_IRWXO)) == 0;
    return is_private(ByteView(list.data(), static_cast<std::size_t>(size)).subspan(kHeader));
}

Status check_credential(int fd, const Path& path) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return fail(Code::config, errno_error(errno, "stat " + path.string()).detail());
    if (!S_ISREG(info.st_mode)) return fail(Code::config, path.string() + " is no file");
    if (info.st_uid != 0 && info.st_uid != ::geteuid()) {
        return fail(Code::config, path.string() + " belongs to another user",
                    "chown it to root or to the service's user");
    }
    if (is_private(fd, info)) return ok();
    return fail(Code::config, path.string() + " may be read or written by others",
                "setfacl -b " + path.string() + " ; chmod 0400 " + path.string());
}

/// A file of $CREDENTIALS_DIRECTORY; nothing where there is none.
Result<UniqueFd> open_credential(const std::string& name) {
    const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
    if (folder == nullptr) return UniqueFd();
    const Path path = Path(folder) / name;
    UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file && errno == ENOENT) return UniqueFd();
    if (!file) return fail(Code::config, errno_error(errno, "open " + path.string()).detail());
    TPF_TRY(check_credential(file.get(), path));
    return file;
}

/// Empty where there is none.
Result<SecretBytes> read_credential(const char* name) {
    TPF_TRY(const UniqueFd file, open_credential(name));
    return file ? crypto::read_secret_line(file.get(), kMostBytes) : SecretBytes();
}

bool is_hex(std::string_view text) {
    return text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

/// What was read, as the key that it stands for; empty: it stands for none.
SecretBytes raw_key_of(const SecretBytes& content) {
    const ByteView bytes = content.bytes(SecretToken::access());
    const std::string_view text = as_text(bytes);
    if (bytes.size() == crypto::kPseudonymKeyBytes) return is_hex(text) ? SecretBytes() : content.clone();
    auto octets = from_hex(text.substr(0, text.find_last_not_of('\n') + 1));
    if (!octets) return SecretBytes();
    auto key =
        octets.value().size() == crypto::kPseudonymKeyBytes ? SecretBytes::copy_of(octets.value()) : SecretBytes();
    crypto::wipe(octets.value());
    return key;
}

}  // namespace

Result<SecretBytes> read_passphrase(std::optional<int> fd) {
    return fd ? crypto::read_secret_line(*fd, kMostBytes) : read_credential("keyring-passphrase");
}

Status check_raw_key_name(const std::string& name) {
    if (name.starts_with(kRawKeyPrefix) && KeyId::parse(name)) return ok();
    return fail(Code::usage, "a pseudonym key's credential has a name that begins with " + std::string(kRawKeyPrefix));
}

Result<SecretBytes> read_raw_key(const std::string& name) {
    TPF_TRY(check_raw_key_name(name));
    TPF_TRY(const UniqueFd file, open_credential(name));
    if (!file) {
        return fail(Code::usage, "tpfd was started without a credential " + name,
                    "LoadCredentialEncrypted=" + name + ":… in a drop-in of tpfd.service, and restart");
    }
    TPF_TRY(const auto content, crypto::read_secret(file.get(), kMostBytes));
    auto key = raw_key_of(content);
    if (key.size() == 0) return fail(Code::usage, "the credential " + name + " is neither 32 bytes nor 64 hex digits");
    const ByteView bytes = key.bytes(SecretToken::access());
    if (std::count(bytes.begin(), bytes.end(), bytes.front()) == static_cast<std::ptrdiff_t>(bytes.size()))
        return fail(Code::usage, "the credential " + name + " is no key: it is one byte over and over");
    return key;
}

Result<std::shared_ptr<const crypto::Pkcs11Token>> open_token(const std::string& uri) {
    if (uri.empty()) return std::shared_ptr<const crypto::Pkcs11Token>();
    TPF_TRY(const Pkcs11Uri parsed, Pkcs11Uri::parse(uri));
    TPF_TRY(auto pin, read_credential("pkcs11-pin"));
    if (pin.size() == 0) {
        return fail(Code::config, "there is a token, but no PIN for it",
                    "LoadCredentialEncrypted=pkcs11-pin:… in the unit; docs/key-management.md");
    }
    TPF_TRY(auto token, crypto::Pkcs11Token::open(parsed, std::move(pin)));
    return std::shared_ptr<const crypto::Pkcs11Token>(std::move(token));
}

}  // namespace tpf::daemon
