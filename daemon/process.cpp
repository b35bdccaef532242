#include "daemon/process.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <systemd/sd-daemon.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "base/log.h"

namespace tpf::daemon {
namespace {

constexpr std::size_t kMaxPassphrase = 4096;

/// All of a descriptor that holds little.
Result<crypto::SecretBytes> read_secret(int fd) {
    crypto::SecretBytes buffer(kMaxPassphrase + 1);
    const auto room = buffer.writable(crypto::SecretToken::access());
    std::size_t size = 0;
    while (size < room.size()) {
        const ssize_t got = ::read(fd, room.data() + size, room.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(Code::config, errno_error(errno, "reading a credential").detail());
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    if (size > kMaxPassphrase) return fail(Code::config, "a credential is longer than 4096 bytes");
    return crypto::SecretBytes::copy_of(room.first(size));
}

Result<crypto::SecretBytes> read_line(int fd) {
    TPF_TRY(auto all, read_secret(fd));
    const ByteView bytes = all.bytes(crypto::SecretToken::access());
    if (bytes.empty() || bytes.back() != '\n') return all;
    return crypto::SecretBytes::copy_of(bytes.first(bytes.size() - 1));
}

/// Ours or root's, and nobody else's to read or write. systemd gives a service's user the right to read by an access
/// list, whose mask then stands where the group's rights would.
Status check_credential(int fd, const Path& path) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return fail(Code::config, errno_error(errno, "stat " + path.string()).detail());
    const bool has_list = ::fgetxattr(fd, "system.posix_acl_access", nullptr, 0) > 0;
    const mode_t foreign = has_list ? S_IRWXO | S_IWGRP | S_IXGRP : S_IRWXO | S_IRWXG;
    if (!S_ISREG(info.st_mode)) return fail(Code::config, path.string() + " is no file");
    if (info.st_uid != 0 && info.st_uid != ::geteuid())
        return fail(Code::config, path.string() + " belongs to another user",
                    "chown it to root or to the service's user");
    if ((info.st_mode & foreign) == 0) return ok();
    return fail(Code::config, path.string() + " may be read or written by others", "chmod 0400 " + path.string());
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
Result<crypto::SecretBytes> read_credential(const char* name) {
    TPF_TRY(const UniqueFd file, open_credential(name));
    return file ? read_line(file.get()) : crypto::SecretBytes();
}

bool may_lock_anything() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
        if (limit.rlim_max == RLIM_INFINITY) {
            limit.rlim_cur = RLIM_INFINITY;
            ::setrlimit(RLIMIT_MEMLOCK, &limit);
        }
        if (limit.rlim_cur == RLIM_INFINITY) return true;
    }
    __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
    return ::syscall(SYS_capget, &head, data) == 0 && (data[0].effective & CAP_TO_MASK(CAP_IPC_LOCK)) != 0;
}

}  // namespace

Status lock_memory(conf::MemoryLock wanted) {
    // As it is touched: the stacks of all threads together are some hundred megabytes that nobody uses.
    if (may_lock_anything() && ::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0) return ok();
    constexpr const char* kTrouble = "memory cannot be locked: keys and identity numbers could get into swap";
    if (wanted == conf::MemoryLock::require) {
        return fail(Code::config, kTrouble,
                    "LimitMEMLOCK=infinity in the unit, `ulimit -l unlimited` (as root) in a shell; or lock = \"try\" "
                    "in [memory]");
    }
    log::warning(kTrouble, {{"hint", "LimitMEMLOCK=infinity in the unit"}});
    return ok();
}

void harden_process() {
    // LimitCORE=0 alone leaves the process dumpable (platform, "Fault testing").
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    // What is made for the group stays its own; everything else gives its mode itself (base/fs.h).
    ::umask(007);
}

void protect_secrets() {
    harden_process();
    static_cast<void>(lock_memory(conf::MemoryLock::attempt));
}

Result<UniqueFd> catch_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (::pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) return fail(Code::internal, "pthread_sigmask");
    UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd) return fail(Code::internal, errno_error(errno, "signalfd").detail());
    return fd;
}

std::optional<conf::Config> load_config(const Path& file) {
    auto config = conf::load(file);
    if (config) return std::move(config).value();
    std::fputs(conf::text(config.error()).c_str(), stderr);
    return std::nullopt;
}

void print_error(const Error& error) {
    std::fprintf(stderr, "error: %s\n", error.text().c_str());
    const std::string hint(error.hint());
    if (!hint.empty()) std::fprintf(stderr, "hint: %s\n", hint.c_str());
}

void notify_systemd(const char* state) {
    ::sd_notify(0, state);
}

Reloading::Reloading() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const auto usec = static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
    notify_systemd(("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(usec)).c_str());
}

Reloading::~Reloading() {
    notify_systemd("READY=1");
}

Result<crypto::SecretBytes> read_passphrase(std::optional<int> fd) {
    return fd ? read_line(*fd) : read_credential("keyring-passphrase");
}

Result<crypto::SecretBytes> read_raw_key(const std::string& name) {
    TPF_TRY(KeyId::parse(name));  // no path in it
    TPF_TRY(const UniqueFd file, open_credential(name));
    if (!file) {
        return fail(Code::usage, "tpfd was started without a credential " + name,
                    "LoadCredentialEncrypted=" + name + ":… in a drop-in of tpfd.service, and restart");
    }
    constexpr std::size_t kSize = 32;
    TPF_TRY(auto raw, read_secret(file.get()));
    if (raw.size() == kSize) return raw;
    const std::string_view text = as_text(raw.bytes(crypto::SecretToken::access()));
    auto octets = from_hex(text.substr(0, text.find_last_not_of('\n') + 1));
    if (!octets || octets.value().size() != kSize)
        return fail(Code::usage, "the credential " + name + " is neither 32 bytes nor 64 hex digits");
    auto key = crypto::SecretBytes::copy_of(octets.value());
    crypto::wipe(octets.value());
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
