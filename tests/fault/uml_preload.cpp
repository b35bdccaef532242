// Preloaded into user-mode-linux 6.1, whose processes are traced processes of the host. Two things that end it
// otherwise:
//
// It gives each process's extended registers back in an area of fixed size (AVX-512 and less), and the host's kernel
// takes nothing but a whole one: with AMX in the processor the boot ends in "ptrace set fp regs failed, errno = 14".
// Here what it gives is completed by state in its initial form, which the header of the area says is not in use.
// Linux: arch/x86/kernel/fpu/regset.c, xstateregs_set(). Mended in Linux 6.13's user-mode-linux.
//
// It takes a SIGSTOP that somebody sent to make room on the machine for a fault of its process ("child stopped with
// signal 19"). Here such a process goes on as it was resumed last, once the tracer, stopped too, goes on.

#include <elf.h>
#include <linux/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>

namespace {

// How each process was resumed last. One thread of user-mode-linux traces.
std::map<int, int>& resumed() {
    static std::map<int, int> all;
    return all;
}

bool resumes(int request) {
    return request == PTRACE_CONT || request == PTRACE_SYSCALL || request == PTRACE_SYSEMU ||
           request == PTRACE_SINGLESTEP || request == PTRACE_SYSEMU_SINGLESTEP;
}

// Whether that stop is of nobody's concern, and the process runs again.
bool passed_over(int pid, int status) {
    const auto last = resumed().find(pid);
    if (last == resumed().end() || !WIFSTOPPED(status)) return false;
    if (WSTOPSIG(status) != SIGSTOP && WSTOPSIG(status) != SIGCONT) return false;
    return ::syscall(SYS_ptrace, last->second, pid, nullptr, nullptr) == 0;
}

// The size of a whole area here: what a read into a larger one fills.
std::size_t whole_size(int pid, void* set) {
    static std::size_t size = 0;
    static std::array<std::byte, 65536> room;
    iovec all{room.data(), room.size()};
    if (size == 0 && ::syscall(SYS_ptrace, PTRACE_GETREGSET, pid, set, &all) == 0) size = all.iov_len;
    return size;
}

long set_whole(int pid, void* set, const iovec& given) {
    static std::array<std::byte, 65536> area;
    const std::size_t size = whole_size(pid, set);
    if (size < given.iov_len) return -1;
    std::fill_n(area.begin(), size, std::byte{0});
    std::memcpy(area.data(), given.iov_base, given.iov_len);
    iovec all{area.data(), size};
    return ::syscall(SYS_ptrace, PTRACE_SETREGSET, pid, set, &all);
}

}  // namespace

// NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl50-cpp): the C library's own name and form
extern "C" long ptrace(int request, ...) noexcept {
    va_list arguments;
    va_start(arguments, request);
    const int pid = va_arg(arguments, int);
    void* const address = va_arg(arguments, void*);
    void* const data = va_arg(arguments, void*);
    va_end(arguments);
    if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSR) {
        long word = 0;  // the bare call writes what the C library returns
        if (::syscall(SYS_ptrace, request, pid, address, &word) < 0) return -1;
        errno = 0;
        return word;
    }
    const long done = ::syscall(SYS_ptrace, request, pid, address, data);
    if (done == 0 && resumes(request)) resumed()[pid] = request;
    const bool registers = request == PTRACE_SETREGSET && reinterpret_cast<std::uintptr_t>(address) == NT_X86_XSTATE;
    return done < 0 && errno == EFAULT && registers ? set_whole(pid, address, *static_cast<const iovec*>(data)) : done;
}

// NOLINTNEXTLINE(bugprone-reserved-identifier): the C library's own name
extern "C" pid_t waitpid(pid_t pid, int* status, int options) {
    while (true) {
        int now = 0;
        const long done = ::syscall(SYS_wait4, pid, &now, options, nullptr);
        if (done > 0 && passed_over(static_cast<int>(done), now)) continue;
        if (done > 0 && !WIFSTOPPED(now)) resumed().erase(static_cast<int>(done));
        if (status != nullptr) *status = now;
        return static_cast<pid_t>(done);
    }
}
