// Preloaded into a program: its wall clock is the real one plus as many seconds as the file $TPF_CLOCK_SHIFT says, read
// anew at each look, so that a test can make the clock jump while the program runs. OpenSSL asks time(), which stays
// right: certificates keep being valid.

#include <fcntl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

// NOLINTNEXTLINE(bugprone-reserved-identifier): the C library's own name
extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
    const long done = ::syscall(SYS_clock_gettime, clock, now);
    if (done != 0 || clock != CLOCK_REALTIME) return static_cast<int>(done);
    const char* const name = std::getenv("TPF_CLOCK_SHIFT");
    const int fd = name == nullptr ? -1 : ::open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    std::array<char, 32> text{};
    if (::read(fd, text.data(), text.size() - 1) > 0) now->tv_sec += std::strtol(text.data(), nullptr, 10);
    ::close(fd);
    return 0;
}
