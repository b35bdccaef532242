// tpf-inject: runs a program and does one thing at one of its calls of the file and sync family, or of its sends.
//
//   tpf-inject --root DIR [--log FILE] [--at POINT --action ACTION --fired FILE] -- PROGRAM ARGUMENT…
//
// A point is "CALL PATH N": the N-th time, over all threads, that the program makes this call on this path. Paths are
// told below DIR, what is drawn in them as ID; calls elsewhere (libraries, /proc, /etc) are not points. A send on a
// socket has the path "socket". --log writes every call as "CALL PATH", in order. ACTION: kill (SIGKILL before the call
// is made), the name of an error (EIO, ENOSPC; the call is not made), short (half the bytes are truly asked for). FILE
// of --fired appears when the action was done. A close is no point: to die before it is to die before the next call,
// and its error says nothing after a sync.
//
// Why not strace's injection: it counts each thread's calls by themselves, so in a program with a pool of threads its
// N-th call is another one in each run; and its return values for short writes say what was not done. SIGTERM is handed
// on. The exit status is the program's, 128 + N when signal N ended it. x86-64, root (the programs are not dumpable).

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

/// Where a call says which file it is about: an argument that is a descriptor (and perhaps a path below it), a path.
struct Shape {
    long number;
    const char* name;
    int fd = -1;         // argument with a descriptor
    int path = -1;       // argument with a path
    int target = -1;     // argument with a second path
    bool bytes = false;  // argument 2 is a length that may be halved
};

constexpr Shape kShapes[] = {
    {SYS_open, "open", -1, 0},
    {SYS_openat, "openat", -1, 1},
    {SYS_creat, "creat", -1, 0},
    {SYS_mkdir, "mkdir", -1, 0},
    {SYS_mkdirat, "mkdirat", -1, 1},
    {SYS_rmdir, "rmdir", -1, 0},
    {SYS_unlink, "unlink", -1, 0},
    {SYS_unlinkat, "unlinkat", -1, 1},
    {SYS_rename, "rename", -1, 0, 1},
    {SYS_renameat, "renameat", -1, 1, 3},
    {SYS_renameat2, "renameat2", -1, 1, 3},
    {SYS_link, "link", -1, 0, 1},
    {SYS_linkat, "linkat", -1, 1, 3},
    {SYS_chmod, "chmod", -1, 0},
    {SYS_fchmodat, "fchmodat", -1, 1},
    {SYS_stat, "stat", -1, 0},
    {SYS_lstat, "lstat", -1, 0},
    {SYS_newfstatat, "newfstatat", 0, 1},
    {SYS_statfs, "statfs", -1, 0},
    {SYS_truncate, "truncate", -1, 0},
    {SYS_access, "access", -1, 0},
    {SYS_read, "read", 0, -1, -1, true},
    {SYS_pread64, "pread64", 0, -1, -1, true},
    {SYS_readv, "readv", 0},
    {SYS_write, "write", 0, -1, -1, true},
    {SYS_pwrite64, "pwrite64", 0, -1, -1, true},
    {SYS_writev, "writev", 0},
    {SYS_pwritev, "pwritev", 0},
    {SYS_fsync, "fsync", 0},
    {SYS_fdatasync, "fdatasync", 0},
    {SYS_sync_file_range, "sync_file_range", 0},
    {SYS_ftruncate, "ftruncate", 0},
    {SYS_fallocate, "fallocate", 0},
    {SYS_lseek, "lseek", 0},
    {SYS_fstat, "fstat", 0},
    {SYS_fchmod, "fchmod", 0},
    {SYS_fchown, "fchown", 0},
    {SYS_flock, "flock", 0},
    {SYS_fcntl, "fcntl", 0},
    {SYS_getdents64, "getdents64", 0},
    {SYS_mmap, "mmap", 4},
    {SYS_sendto, "sendto", 0},
    {SYS_sendmsg, "sendmsg", 0},
};

struct Options {
    std::string root, log, point, action, fired;
    std::vector<char*> program;
};

[[noreturn]] void die(const std::string& what) {
    std::fprintf(stderr, "tpf-inject: %s: %s\n", what.c_str(), std::strerror(errno));
    std::exit(127);
}

Options parse(int argc, char** argv) {
    Options options;
    int i = 1;
    for (; i + 1 < argc && std::string_view(argv[i]) != "--"; i += 2) {
        const std::string_view name = argv[i];
        std::string& value = name == "--root"     ? options.root
                             : name == "--log"    ? options.log
                             : name == "--at"     ? options.point
                             : name == "--action" ? options.action
                                                  : options.fired;
        value = argv[i + 1];
    }
    options.program.assign(argv + std::min(i + 1, argc), argv + argc);
    if (options.program.empty() || options.root.empty()) {
        std::fputs("tpf-inject: see its source for the arguments\n", stderr);
        std::exit(127);
    }
    options.program.push_back(nullptr);
    return options;
}

/// Only calls that may be points stop the program: all others run at full speed.
void stop_at_points() {
    std::vector<sock_filter> code = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
    };
    for (const Shape& shape : kShapes) {
        code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(shape.number), 0, 1));
        code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE));
    }
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) die("no_new_privs");
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) die("seccomp");
}

/// What is drawn becomes ID: what a run draws is not part of a point's name.
std::string normalised(std::string_view path) {
    // The lists of pseudonyms lie in folders named by two digits of a drawn name.
    constexpr std::string_view kShards = "spool/pseudonyms/";
    // A UUID; a log's folder in the register's store.
    constexpr std::array<std::string_view, 2> kForms = {"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
                                                        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"};
    const auto begins = [&](std::string_view form) {
        return path.size() >= form.size() && std::equal(form.begin(), form.end(), path.begin(), [](char f, char c) {
                   return f == '-' ? c == '-' : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
               });
    };
    std::string out;
    while (!path.empty()) {
        const auto* const drawn = std::find_if(kForms.begin(), kForms.end(), begins);
        if (drawn != kForms.end()) {
            out += "ID";
            path.remove_prefix(drawn->size());
        } else if (out.ends_with(kShards) && path.size() >= 2 &&
                   (path.size() == 2 || path[2] == '/' || path[2] == '>')) {
            out += "ID";
            path.remove_prefix(2);
        } else {
            out += path.front();
            path.remove_prefix(1);
        }
    }
    return out;
}

class Tracer {
  public:
    explicit Tracer(const Options& options) : options_(options) {
        if (!options.log.empty()) {
            log_ = std::fopen(options.log.c_str(), "w");
            if (log_ == nullptr) die(options.log);
        }
        const std::size_t space = options.point.rfind(' ');
        if (space != std::string::npos) {
            key_ = options.point.substr(0, space);
            left_ = std::strtoul(options.point.c_str() + space + 1, nullptr, 10);
        }
    }
    ~Tracer() {
        if (log_ != nullptr) std::fclose(log_);
    }
    Tracer(const Tracer&) = delete;
    Tracer& operator=(const Tracer&) = delete;

    /// Until the program and all that it started have ended. Its exit status.
    int run(pid_t program) {
        program_ = program;
        int result = 127;
        while (true) {
            int status = 0;
            const pid_t who = ::waitpid(-1, &status, __WALL);
            if (who < 0 && errno == EINTR) continue;
            if (who < 0) return result;
            if (WIFSTOPPED(status)) {
                stopped(who, status);
            } else if (who == program) {
                result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            }
        }
    }

  private:
    void stopped(pid_t who, int status) {
        const int signal = WSTOPSIG(status);
        const int event = status >> 16;
        if (event == PTRACE_EVENT_SECCOMP) at_call(who);
        // A new thread begins with a SIGSTOP that is not its own.
        const bool ours = event != 0 || signal == SIGTRAP || (signal == SIGSTOP && who != program_);
        ::ptrace(PTRACE_CONT, who, nullptr, ours ? 0L : static_cast<long>(signal));
    }

    void at_call(pid_t who) {
        user_regs_struct regs{};
        if (::ptrace(PTRACE_GETREGS, who, nullptr, &regs) != 0) return;  // killed meanwhile
        const auto* shape = std::find_if(std::begin(kShapes), std::end(kShapes),
                                         [&](const Shape& s) { return s.number == static_cast<long>(regs.orig_rax); });
        if (shape == std::end(kShapes)) return;
        const auto path = path_of(who, *shape, regs);
        if (!path) return;
        const std::string key = name_of(*shape, regs) + " " + *path;
        if (log_ != nullptr) {
            std::fprintf(log_, "%s\n", key.c_str());
            std::fflush(log_);
        }
        if (left_ > 0 && key == key_ && --left_ == 0) act(who, *shape, regs);
    }

    /// Opening a file and making one are two calls for whoever chooses errors that fit.
    static std::string name_of(const Shape& shape, const user_regs_struct& regs) {
        const bool makes = (shape.number == SYS_openat && (regs.rdx & O_CREAT) != 0) ||
                           (shape.number == SYS_open && (regs.rsi & O_CREAT) != 0);
        return makes ? "create" : shape.name;
    }

    void act(pid_t who, const Shape& shape, user_regs_struct& regs) {
        if (options_.action == "kill") {
            ::kill(program_, SIGKILL);
        } else if (options_.action == "short") {
            if (!shape.bytes || regs.rdx < 2) return;
            regs.rdx /= 2;
        } else {
            regs.orig_rax = static_cast<unsigned long long>(-1LL);
            regs.rax = static_cast<unsigned long long>(-static_cast<long long>(error_number()));
        }
        if (options_.action != "kill" && ::ptrace(PTRACE_SETREGS, who, nullptr, &regs) != 0) die("setregs");
        const int fd = ::open(options_.fired.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0) ::close(fd);
    }

    [[nodiscard]] int error_number() const {
        static const std::map<std::string, int> kErrors = {
            {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EINTR", EINTR}, {"ECONNRESET", ECONNRESET}};
        const auto found = kErrors.find(options_.action);
        if (found == kErrors.end()) die("no such action: " + options_.action);
        return found->second;
    }

    std::optional<std::string> path_of(pid_t who, const Shape& shape, const user_regs_struct& regs) const {
        const std::array<unsigned long long, 6> arguments = {regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9};
        const auto argument = [&](int n) { return arguments[static_cast<std::size_t>(n)]; };
        if (shape.path >= 0) {
            const std::string path = text_at(who, argument(shape.path));
            if (!path.empty() || shape.fd < 0) {
                auto known = below_root(path);
                if (known && shape.target >= 0) {
                    *known += ">" + below_root(text_at(who, argument(shape.target))).value_or("elsewhere");
                }
                return known;
            }
        }
        return of_descriptor(who, shape, static_cast<int>(argument(shape.fd)));
    }

    [[nodiscard]] std::optional<std::string> of_descriptor(pid_t who, const Shape& shape, int fd) const {
        if (fd < 0) return std::nullopt;
        std::array<char, PATH_MAX> target{};
        const std::string link = "/proc/" + std::to_string(who) + "/fd/" + std::to_string(fd);
        const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
        if (size <= 0) return std::nullopt;
        const std::string_view path(target.data(), static_cast<std::size_t>(size));
        const std::string_view call = shape.name;
        const bool sends = call == "sendto" || call == "sendmsg" || call == "write" || call == "writev";
        if (path.starts_with("socket:")) return sends ? std::optional<std::string>("socket") : std::nullopt;
        return below_root(path);
    }

    [[nodiscard]] std::optional<std::string> below_root(std::string_view path) const {
        if (!path.starts_with(options_.root)) return std::nullopt;
        path.remove_prefix(options_.root.size());
        while (path.starts_with("/")) path.remove_prefix(1);
        return path.empty() ? "." : normalised(path);
    }

    static std::string text_at(pid_t who, unsigned long long address) {
        std::string text;
        std::array<char, 256> piece{};
        while (address != 0 && text.size() < PATH_MAX) {
            // Not over the end of a page: the next one may not be mapped.
            const std::size_t size = std::min<std::size_t>(piece.size(), 4096 - address % 4096);
            const iovec here{piece.data(), size};
            // NOLINTNEXTLINE(performance-no-int-to-ptr): an address in the other process
            const iovec there{reinterpret_cast<void*>(address), size};
            const ssize_t got = ::process_vm_readv(who, &here, 1, &there, 1, 0);
            if (got <= 0) return text;
            const std::size_t length = ::strnlen(piece.data(), static_cast<std::size_t>(got));
            text.append(piece.data(), length);
            if (length < static_cast<std::size_t>(got)) return text;
            address += static_cast<unsigned long long>(got);
        }
        return text;
    }

    const Options& options_;
    std::FILE* log_ = nullptr;
    std::string key_;
    unsigned long left_ = 0;
    pid_t program_ = 0;
};

pid_t traced_program = 0;
void hand_on(int signal) {
    if (traced_program > 0) ::kill(traced_program, signal);
}

pid_t start(const Options& options) {
    const pid_t child = ::fork();
    if (child < 0) die("fork");
    if (child > 0) return child;
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    stop_at_points();
    ::execv(options.program.front(), options.program.data());
    die(options.program.front());
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    traced_program = start(options);
    int status = 0;
    if (::waitpid(traced_program, &status, __WALL) != traced_program || !WIFSTOPPED(status)) die("the program's start");
    const long wanted = PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                        PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
    if (::ptrace(PTRACE_SETOPTIONS, traced_program, nullptr, wanted) != 0) die("ptrace");
    for (const int signal : {SIGTERM, SIGINT}) std::signal(signal, hand_on);
    ::ptrace(PTRACE_CONT, traced_program, nullptr, 0L);
    return Tracer(options).run(traced_program);
}
