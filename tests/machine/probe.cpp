// Tries, from inside a service's sandbox, what the sandbox is to deny; one line each: "denied WHAT" or "ALLOWED WHAT".
// Run by tests/machine/inside.sh in a copy of the unit. Arguments: a folder that it may write, one that it may not see.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

void tell(const char* what, bool worked) {
    std::printf("%s %s%s%s\n", worked ? "ALLOWED" : "denied", what, worked ? "" : ": ",
                worked ? "" : std::strerror(errno));
}

bool connects(int family) {
    const int fd = ::socket(family, SOCK_STREAM, 0);
    if (fd < 0) return false;
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(8443);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
    const int err = errno;
    ::close(fd);
    errno = err;
    return connected;
}

bool writes(const std::string& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    ::close(fd);
    ::unlink(path.c_str());
    return true;
}

bool reads(const char* path) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ::close(fd);
    return true;
}

bool executes(const char* path) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return true;
    const pid_t child = ::fork();
    if (child < 0) return false;
    if (child == 0) {
        ::execl(path, path, static_cast<char*>(nullptr));
        const int err = errno;
        [[maybe_unused]] const auto written = ::write(ends[1], &err, sizeof err);
        ::_exit(127);
    }
    ::close(ends[1]);
    int err = 0;
    const bool failed = ::read(ends[0], &err, sizeof err) == static_cast<ssize_t>(sizeof err);
    ::waitpid(child, nullptr, 0);
    errno = err;
    return !failed;
}

bool is_traced() {
    return ::ptrace(PTRACE_ATTACH, ::getppid(), nullptr, nullptr) == 0;
}

bool maps_code() {
    void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    tell("open a network socket", connects(AF_INET));
    tell("read another's folder", reads(argv[2]));
    tell("read /etc/shadow", reads("/etc/shadow"));
    tell("write into /etc", writes("/etc/probe"));
    tell("write into /usr/bin", writes("/usr/bin/probe"));
    tell("write into /var/lib", writes("/var/lib/probe"));
    tell("execute a program", executes("/usr/bin/true"));
    tell("trace a process", is_traced());
    tell("make a namespace", ::unshare(CLONE_NEWUSER) == 0);
    tell("mount", ::mount("none", "/tmp", "tmpfs", 0, nullptr) == 0);
    tell("become root", ::setuid(0) == 0);
    tell("map memory that is written and executed", maps_code());
    tell("make a set-group file", ::chmod(argv[1], 02777) == 0);
    tell("see other processes", reads("/proc/1/status"));
    std::printf("%s write where it works\n", writes(std::string(argv[1]) + "/probe") ? "ALLOWED" : "denied");
    return 0;
}
