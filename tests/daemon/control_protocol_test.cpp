#include "daemon/control_protocol.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <thread>

#include "base/encoding.h"
#include "base/unique_fd.h"
#include "daemon/control_client.h"
#include "daemon/socket_file.h"
#include "tests/support/temp_folder.h"

using namespace tpf;
using daemon::ControlStream;
using daemon::Json;

namespace {

struct Pair {
    UniqueFd ours, theirs;
    Pair() {
        int fds[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        ours = UniqueFd(fds[0]);
        theirs = UniqueFd(fds[1]);
    }
    void send(std::string_view text) const {
        REQUIRE(::send(theirs.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    }
};

/// A core that answers one connection as it is told to.
class OneAnswer {
  public:
    OneAnswer(const Path& path, std::function<void(int fd)> serve)
        : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.string().copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(listener_.get(), 1) == 0);
        thread_ = std::thread([this, serve = std::move(serve)] {
            const UniqueFd fd(::accept(listener_.get(), nullptr, nullptr));
            serve(fd.get());
        });
    }
    ~OneAnswer() { thread_.join(); }

  private:
    UniqueFd listener_;
    std::thread thread_;
};

std::string line(const Json& json) {
    return json.dump() + "\n";
}

}  // namespace

TEST_SUITE("daemon/control_protocol") {
    TEST_CASE("lines, whatever pieces they come in") {
        const Pair pair;
        ControlStream stream(pair.ours.get());
        pair.send("one\ntwo\nthr");
        CHECK(stream.read_line(100).value() == "one");
        CHECK(stream.read_line(100).value() == "two");
        pair.send("ee\n\n");
        CHECK(stream.read_line(100).value() == "three");
        CHECK(stream.read_line(100).value().empty());
    }

    TEST_CASE("bytes after a line, also those that were read with it") {
        const Pair pair;
        ControlStream stream(pair.ours.get());
        pair.send("head\nbody");
        CHECK(stream.read_line(100).value() == "head");
        std::uint8_t byte[3];
        CHECK(stream.read(byte).value() == 3);
        CHECK(std::string_view(reinterpret_cast<const char*>(byte), 3) == "bod");
        CHECK(stream.read(byte).value() == 1);
        ::shutdown(pair.theirs.get(), SHUT_WR);
        CHECK(stream.read(byte).value() == 0);
    }

    TEST_CASE("a line that is too long, or never ends") {
        const Pair pair;
        ControlStream stream(pair.ours.get());
        pair.send(std::string(200, 'x'));
        CHECK(stream.read_line(100).error().code() == Code::unavailable);
        const Pair other;
        ControlStream cut(other.ours.get());
        other.send("half a line");
        ::shutdown(other.theirs.get(), SHUT_WR);
        CHECK(cut.read_line(100).error().code() == Code::unavailable);
    }

    TEST_CASE("who says nothing for too long is given up") {
        const Pair pair;
        const timeval time{0, 1000};
        ::setsockopt(pair.ours.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
        ControlStream stream(pair.ours.get());
        CHECK(stream.read_line(100).error().code() == Code::unavailable);
    }

    TEST_CASE("writing to who is gone is an error, not a signal") {
        Pair pair;
        ControlStream stream(pair.ours.get());
        pair.theirs.reset();
        CHECK_FALSE(stream.write_line({{"a", 1}}));
    }

    TEST_CASE("text that is not UTF-8 still makes a line of JSON") {
        const Pair pair;
        ControlStream ours(pair.ours.get());
        REQUIRE(ours.write_line({{"text", "\xff\xfe"}}));
        ControlStream theirs(pair.theirs.get());
        CHECK(daemon::parse_object(theirs.read_line(100).value()).has_value());
    }

    TEST_CASE("only objects are requests") {
        CHECK(daemon::parse_object(R"({"a":1})").has_value());
        for (const char* text : {"", "1", "[]", "null", "{", "{}{}", "{\"a\":}", "\"{}\""}) {
            CAPTURE(text);
            CHECK(daemon::parse_object(text).error().code() == Code::usage);
        }
    }

    TEST_CASE("arguments have their types") {
        const Json args = {{"text", "t"},   {"number", 7U},    {"negative", -1},
                           {"broken", 1.5}, {"none", nullptr}, {"list", Json::array()}};
        CHECK(daemon::text_arg(args, "text", true).value() == "t");
        CHECK(daemon::text_arg(args, "absent", false).value().empty());
        CHECK(daemon::text_arg(args, "none", false).value().empty());
        CHECK(daemon::text_arg(args, "absent", true).error().code() == Code::usage);
        CHECK(daemon::text_arg(args, "number", true).error().code() == Code::usage);
        CHECK(daemon::text_arg(args, "list", false).error().code() == Code::usage);
        CHECK(daemon::number_arg(args, "number", 1).value() == 7);
        CHECK(daemon::number_arg(args, "absent", 5).value() == 5);
        for (const char* name : {"negative", "broken", "text", "list"}) {
            CAPTURE(name);
            CHECK(daemon::number_arg(args, name, 1).error().code() == Code::usage);
        }
    }

    TEST_CASE("a request's body has exactly its length") {
        const Pair pair;
        ControlStream stream(pair.ours.get());
        pair.send("head\n0123456789");
        REQUIRE(stream.read_line(100));
        daemon::SocketFile whole(stream, 8);
        std::uint8_t room[64];
        CHECK(whole.read(room).value() == 8);
        CHECK(whole.read(room).value() == 0);
        ::shutdown(pair.theirs.get(), SHUT_WR);
        daemon::SocketFile cut(stream, 5);
        CHECK(cut.read(room).error().code() == Code::unavailable);
    }
}

TEST_SUITE("daemon/control_client") {
    TEST_CASE("an answer, and which installation it is from") {
        const test::TempFolder folder;
        const OneAnswer core(folder.path() / "s", [](int fd) {
            ControlStream stream(fd);
            const auto request = daemon::parse_object(stream.read_line(1000).value());
            CHECK(request.value()["command"] == "status");
            CHECK(request.value()["args"]["x"] == 1);
            CHECK(stream.write_line({{"installation", "test"}, {"name", "n"}, {"ok", true}, {"result", {{"y", 2}}}}));
        });
        const auto answer = daemon::ask_core(folder.path() / "s", "status", {{"x", 1}});
        REQUIRE(answer);
        CHECK(answer.value().installation == "test");
        CHECK(answer.value().result["y"] == 2);
    }

    TEST_CASE("an error keeps its code, text and hint") {
        const test::TempFolder folder;
        const OneAnswer core(folder.path() / "s", [](int fd) {
            ControlStream stream(fd);
            REQUIRE(stream.read_line(1000));
            CHECK(stream.write_line(
                {{"ok", false},
                 {"error", {{"code", "DISK_FULL"}, {"text", "DISK_FULL: no room"}, {"hint", "make room"}}}}));
        });
        const auto answer = daemon::ask_core(folder.path() / "s", "submit", Json::object());
        REQUIRE_FALSE(answer);
        CHECK(answer.error().code() == Code::disk_full);
        CHECK(answer.error().text() == "DISK_FULL: no room");
        CHECK(answer.error().hint() == "make room");
    }

    TEST_CASE("who is refused before the request was read learns why") {
        const std::string refusal =
            line({{"ok", false}, {"error", {{"code", "IKKE_ADGANG"}, {"text", "no"}, {"hint", ""}}}});
        // With the connection closed before, and after, the client wrote: both happen.
        for (int i = 0; i < 50; ++i) {
            const test::TempFolder folder;
            const OneAnswer core(folder.path() / "s", [&](int fd) {
                REQUIRE(::send(fd, refusal.data(), refusal.size(), MSG_NOSIGNAL) ==
                        static_cast<ssize_t>(refusal.size()));
                if (i % 2 == 0) ::shutdown(fd, SHUT_RDWR);
            });
            const auto answer = daemon::ask_core(folder.path() / "s", "status", {{"long", std::string(100000, 'x')}});
            REQUIRE_FALSE(answer);
            CHECK(answer.error().code() == Code::denied);
        }
    }

    TEST_CASE("nobody there, and somebody who says nothing") {
        const test::TempFolder folder;
        CHECK(daemon::ask_core(folder.path() / "none", "status", Json::object()).error().code() == Code::unavailable);
        CHECK(daemon::ask_core(folder.path() / std::string(200, 'x'), "status", Json::object()).error().code() ==
              Code::config);
        const OneAnswer core(folder.path() / "s", [](int) {});
        CHECK(daemon::ask_core(folder.path() / "s", "status", Json::object()).error().code() == Code::unavailable);
    }
}
