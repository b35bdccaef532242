#include "daemon/process.h"

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <systemd/sd-daemon.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "base/log.h"

namespace tpf::daemon {
namespace {

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

int exit_status(const Error& error) noexcept {
    switch (error.code()) {
        case Code::config:
        case Code::wrong_key:
            return kExitConfig;
        case Code::journal:
            return kExitJournal;
        default:
            return 1;
    }
}

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

}  // namespace tpf::daemon
