#include "base/log.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "base/journal_socket.h"
#include "base/unique_fd.h"
#include "tests/support/temp_folder.h"

namespace tpf {
namespace {

/// journald's place.
class JournalDouble {
  public:
    explicit JournalDouble(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        REQUIRE(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    std::string take() {
        char datagram[4096];
        const ssize_t size = ::recv(fd_.get(), datagram, sizeof datagram, MSG_DONTWAIT);
        return size < 0 ? std::string() : std::string(datagram, static_cast<std::size_t>(size));
    }

  private:
    UniqueFd fd_;
};

TEST_SUITE("base/log") {
    TEST_CASE("the journal gets the line, and each value in a field of its own") {
        const test::TempFolder folder;
        const std::string path = (folder.path() / "socket").string();
        JournalDouble journal(path);
        log::init("tpfd", log::Level::info);
        log::use_journal(path);
        log::warning("waits", {{"stage", "pass"},
                               {"sender", "0301-00-974761076"},
                               {"register", "IPLOS"},
                               {"code", "IO"},
                               {"needs_restart", "a b"}});
        CHECK(journal.take() ==
              "MESSAGE=waits stage=pass sender=0301-00-974761076 register=IPLOS code=IO needs_restart=\"a b\"\n"
              "PRIORITY=4\nSYSLOG_IDENTIFIER=tpfd\nTPF_STAGE=pass\nTPF_SENDER=0301-00-974761076\nTPF_KOMMUNE=0301\n"
              "TPF_REGISTER=IPLOS\nTPF_CODE=IO\nTPF_NEEDS_RESTART=a b\n");
        log::debug("less than the level", {});
        CHECK(journal.take().empty());
        log::set_level(log::Level::debug);
        log::debug("now", {});
        CHECK(journal.take() == "MESSAGE=now\nPRIORITY=7\nSYSLOG_IDENTIFIER=tpfd\n");
        log::error("e");
        CHECK(journal.take().find("PRIORITY=3\n") != std::string::npos);
        log::use_journal((folder.path() / "none").string());
        log::info("goes to standard error, as nobody listens");
    }

    TEST_CASE("a value with a line feed has its length before it, and can be no field of its own") {
        const std::string datagram = journal_datagram({{"TPF_ERROR", "a\nPRIORITY=0"}, {"TPF_CODE", "X"}});
        CHECK(datagram == std::string("TPF_ERROR\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\nTPF_CODE=X\n", 42));
    }

    TEST_CASE("standard error is the journal's only where systemd says of this very stream") {
        ::unsetenv("JOURNAL_STREAM");
        CHECK(!JournalSocket::is_ours());
        ::setenv("JOURNAL_STREAM", "1:2", 1);
        CHECK(!JournalSocket::is_ours());
        ::unsetenv("JOURNAL_STREAM");
    }
}

}  // namespace
}  // namespace tpf
