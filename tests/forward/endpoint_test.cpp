#include "forward/endpoint.h"

#include <doctest/doctest.h>

#include <fstream>
#include <future>

#include "base/encoding.h"
#include "tests/forward/outbox_double.h"
#include "tests/forward/tls_stage.h"

namespace {

using namespace tpf;
using namespace std::chrono_literals;
using forward::EndpointSettings;
using forward::make_endpoint;
using forward::Outcome;
using forward::Post;
using forward::Poster;
using forward::test::PatternFile;
using forward::test::receipt_json;
using forward::test::some_name;
using forward::test::some_signature;
using forward::test::Stage;
using forward::test::TextFile;
using tpf::test::http_answer;
using tpf::test::ServerConnection;
using tpf::test::ServerRequest;
using tpf::test::TlsServer;
using Kind = Outcome::Kind;

// What a sanitizer keeps of freed memory comes on top.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TPF_TEST_SANITIZED 1
#endif
#endif
#if defined(TPF_TEST_SANITIZED)
constexpr unsigned long kSlackKb = 128 * 1024;
#else
constexpr unsigned long kSlackKb = 16 * 1024;
#endif

Post post_of(const std::string& body) {
    return Post{some_name(), some_signature(), body.size(), sha256(body), std::make_unique<TextFile>(body)};
}

Post pattern_post(std::uint64_t size) {
    return Post{some_name(), some_signature(), size, PatternFile::digest(size), std::make_unique<PatternFile>(size)};
}

std::unique_ptr<Poster> endpoint_to(const EndpointSettings& settings) {
    auto endpoint = make_endpoint(settings, posix_file_system(), system_clock());
    REQUIRE(endpoint);
    return std::move(endpoint).value();
}

std::future<Outcome> start(Poster& endpoint, Post post) {
    auto promise = std::make_shared<std::promise<Outcome>>();
    auto future = promise->get_future();
    endpoint.post(std::move(post), [promise](Outcome outcome) { promise->set_value(std::move(outcome)); });
    return future;
}

/// One message over a new endpoint.
Outcome send_once(const EndpointSettings& settings, Post post) {
    const auto endpoint = endpoint_to(settings);
    return start(*endpoint, std::move(post)).get();
}

/// Serves requests of a connection, one after the other, with what `answer` makes of them.
TlsServer::Script serve(std::function<std::string(const ServerRequest&)> answer) {
    return [answer = std::move(answer)](ServerConnection& connection) {
        if (!connection.handshake()) return;
        while (const auto request = connection.read_request()) {
            if (!request->whole || !connection.send(answer(*request))) return;
        }
    };
}

std::string receive(const ServerRequest& request) {
    return http_answer(201, receipt_json(request.headers.at("idempotency-key"), request.body_sha256));
}

/// What one message gets that is answered so.
Outcome answered_with(const std::string& answer, const std::string& body = "<melding/>") {
    const Stage& stage = Stage::get();
    TlsServer server(stage.server_options(), serve([&](const ServerRequest&) { return answer; }));
    return send_once(stage.settings(server.port()), post_of(body));
}

TEST_SUITE("forward/endpoint") {
    TEST_CASE("a message arrives as formats.md has it") {
        const Stage& stage = Stage::get();
        TlsServer server(stage.server_options(), serve(receive));
        Post post = post_of("<melding/>");
        post.checkpoint = {"bm90ZQ==", "4711 AAAA"};
        const std::string name = post.name.str();
        const Outcome outcome = send_once(stage.settings(server.port()), std::move(post));
        CHECK(outcome.kind == Kind::answered);
        CHECK(outcome.http_status == 201);
        CHECK(outcome.fields.navn == name);
        CHECK(outcome.fields.sha256 == hex(sha256("<melding/>")));
        const auto requests = server.requests();
        REQUIRE(requests.size() == 1);
        const ServerRequest& request = requests[0];
        CHECK(request.line == "POST /base/v1/meldinger HTTP/1.1");
        CHECK(request.headers.at("host") == "127.0.0.1:" + std::to_string(server.port()));
        CHECK(request.headers.at("content-type") == "application/xml");
        CHECK(request.headers.at("content-length") == "10");
        CHECK(request.headers.at("idempotency-key") == name);
        CHECK(request.headers.at("content-digest") == "sha-256=:" + base64(sha256("<melding/>")) + ":");
        CHECK(request.headers.at("tpf-signature") == some_signature());
        CHECK(request.headers.at("tpf-checkpoint") == "bm90ZQ==");
        CHECK(request.headers.at("tpf-consistency") == "4711 AAAA");
        CHECK(request.body_sha256 == hex(sha256("<melding/>")));
    }

    TEST_CASE("the host by its name, verified by its name") {
        const Stage& stage = Stage::get();
        TlsServer server(stage.server_options(), serve(receive));
        EndpointSettings settings = stage.settings(server.port());
        settings.host = "localhost";
        CHECK(send_once(settings, post_of("x")).kind == Kind::answered);
    }

    TEST_CASE("bodies of no byte, one byte, and around a piece") {
        const Stage& stage = Stage::get();
        TlsServer server(stage.server_options(), serve(receive));
        for (const std::size_t size : {0U, 1U, 256U * 1024, 256U * 1024 + 1, 1'000'000U}) {
            CAPTURE(size);
            const std::string body(size, 'x');
            const Outcome outcome = send_once(stage.settings(server.port()), post_of(body));
            CHECK(outcome.kind == Kind::answered);
            CHECK(outcome.fields.sha256 == hex(sha256(body)));
        }
    }

    TEST_CASE("300 MB in constant memory") {
        const Stage& stage = Stage::get();
        TlsServer server(stage.server_options(), serve(receive));
        const auto peak_kb = [] {
            std::ifstream status("/proc/self/status");
            for (std::string line; std::getline(status, line);) {
                if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6));
            }
            return 0UL;
        };
        CHECK(send_once(stage.settings(server.port()), pattern_post(1 << 20)).kind == Kind::answered);
        const unsigned long before = peak_kb();
        CHECK(send_once(stage.settings(server.port()), pattern_post(300'000'000)).kind == Kind::answered);
        CHECK(server.requests().back().body_bytes == 300'000'000);
        CHECK(peak_kb() - before < kSlackKb);
    }

    TEST_CASE("small messages share a connection") {
        const Stage& stage = Stage::get();
        TlsServer server(stage.server_options(), serve(receive));
        const auto endpoint = endpoint_to(stage.settings(server.port()));
        for (int i = 0; i < 20; ++i) CHECK(start(*endpoint, post_of("melding")).get().kind == Kind::answered);
        CHECK(server.connections() == 1);
        CHECK(server.requests().size() == 20);
    }

    TEST_CASE("several at once") {
        const Stage& stage = Stage::get();
        std::promise<void> all_here;
        std::shared_future<void> gate = all_here.get_future().share();
        std::atomic<int> here{0};
        TlsServer server(stage.server_options(), serve([&](const ServerRequest& request) {
                             if (++here == 4) all_here.set_value();
                             gate.wait();
                             return receive(request);
                         }));
        const auto endpoint = endpoint_to(stage.settings(server.port()));
        std::vector<std::future<Outcome>> outcomes;
        for (int i = 0; i < 4; ++i) outcomes.push_back(start(*endpoint, post_of("melding")));
        for (auto& outcome : outcomes) CHECK(outcome.get().kind == Kind::answered);
        CHECK(server.connections() == 4);
    }

    TEST_CASE("a kept connection that the register closed meanwhile costs nothing") {
        const Stage& stage = Stage::get();
        TlsServer server(stage.server_options(), [](ServerConnection& connection) {
            if (!connection.handshake()) return;
            if (const auto request = connection.read_request()) connection.send(receive(*request));
        });
        const auto endpoint = endpoint_to(stage.settings(server.port()));
        for (int i = 0; i < 5; ++i)
            CHECK(start(*endpoint, post_of(std::string(600'000, 'x'))).get().kind == Kind::answered);
        CHECK(server.connections() == 5);
        CHECK(server.requests().size() == 5);
    }

    TEST_CASE("a connection is not kept when the answer says so or more came than was asked for") {
        const Stage& stage = Stage::get();
        for (const char* variant : {"close", "more"}) {
            CAPTURE(variant);
            TlsServer server(stage.server_options(), serve([&](const ServerRequest& request) {
                                 const std::string json = receipt_json(some_name().str(), request.body_sha256);
                                 if (variant == std::string("close"))
                                     return http_answer(201, json, "Connection: close\r\n");
                                 return http_answer(201, json) + http_answer(201, json);
                             }));
            const auto endpoint = endpoint_to(stage.settings(server.port()));
            CHECK(start(*endpoint, post_of("a")).get().kind == Kind::answered);
            CHECK(start(*endpoint, post_of("b")).get().kind == Kind::answered);
            CHECK(server.connections() == 2);
        }
    }

    TEST_CASE("what goes to the core") {
        const std::string sha(64, 'a');
        CHECK(answered_with(http_answer(200, receipt_json(some_name().str(), sha))).http_status == 200);
        std::string refused = receipt_json(some_name().str(), sha);
        refused.replace(refused.find("mottatt"), 7, "avvist");
        refused.replace(refused.find("kvittering"), 10, "kode");
        const Outcome final_no = answered_with(http_answer(422, refused));
        CHECK(final_no.kind == Kind::answered);
        CHECK(final_no.fields.kode == "K-1");
        for (const int status : {400, 409}) {
            const Outcome outcome = answered_with(http_answer(status, "<html>no</html>"));
            CHECK(outcome.kind == Kind::answered);
            CHECK(outcome.http_status == status);
            CHECK(outcome.fields == forward::AnswerFields{});
        }
    }

    TEST_CASE("an answer in chunks, after interim ones") {
        const std::string json = receipt_json(some_name().str(), std::string(64, 'a'));
        std::array<char, 16> size{};
        std::snprintf(size.data(), size.size(), "%zx", json.size());
        const std::string chunked = std::string("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n") +
                                    size.data() + "\r\n" + json + "\r\n0\r\n\r\n";
        CHECK(answered_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + chunked)
                  .kind == Kind::answered);
        std::string endless;
        for (int i = 0; i < 20; ++i) endless += "HTTP/1.1 100 Continue\r\n\r\n";
        CHECK(answered_with(endless + chunked).kind == Kind::message_failed);
    }

    TEST_CASE("later, because the register says so") {
        for (const int status : {429, 503}) {
            CAPTURE(status);
            const Outcome plain = answered_with(http_answer(status, ""));
            CHECK(plain.kind == Kind::register_failed);
            CHECK(plain.error.code() == Code::register_away);
            CHECK_FALSE(plain.retry_after);
            CHECK_FALSE(plain.alarm);
            const Outcome timed = answered_with(http_answer(status, "wait", "Retry-After: 17\r\n"));
            CHECK(timed.kind == Kind::register_failed);
            CHECK(timed.retry_after == 17s);
        }
    }

    TEST_CASE("later, with an alarm: no access") {
        for (const int status : {401, 403, 404}) {
            CAPTURE(status);
            const Outcome outcome = answered_with(http_answer(status, ""));
            CHECK(outcome.kind == Kind::register_failed);
            CHECK(outcome.error.code() == Code::register_access);
            CHECK(outcome.alarm);
        }
    }

    TEST_CASE("later: any other status, redirects not followed") {
        for (const int status : {500, 502, 302, 307, 308, 204, 418}) {
            CAPTURE(status);
            const Outcome outcome = answered_with(http_answer(status, "", "Location: https://localhost/elsewhere\r\n"));
            CHECK(outcome.kind == Kind::message_failed);
            CHECK(outcome.error.code() == Code::register_away);
            CHECK(outcome.http_status == status);
        }
    }

    TEST_CASE("later, with an alarm: an answer that is no receipt") {
        const std::string big = "{\"melding\":\"" + std::string(70'000, 'x') + "\"}";
        for (const std::string& body : {std::string("{}"), std::string("garbage"), std::string(), big}) {
            const Outcome outcome = answered_with(http_answer(201, body));
            CHECK(outcome.kind == Kind::message_failed);
            CHECK(outcome.error.code() == Code::receipt_invalid);
            CHECK(outcome.alarm);
        }
    }

    TEST_CASE("a body without end is not read without end") {
        const Stage& stage = Stage::get();
        TlsServer server(stage.server_options(), [](ServerConnection& connection) {
            if (!connection.handshake() || !connection.read_request()) return;
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            const std::string chunk = "1000\r\n" + std::string(0x1000, 'x') + "\r\n";
            while (connection.send(chunk)) {
            }
        });
        const Outcome outcome = send_once(stage.settings(server.port()), post_of("x"));
        CHECK(outcome.kind == Kind::message_failed);
        CHECK(outcome.error.code() == Code::receipt_invalid);
    }

    TEST_CASE("a head without end is not read without end") {
        const Stage& stage = Stage::get();
        TlsServer server(stage.server_options(), [](ServerConnection& connection) {
            if (!connection.handshake() || !connection.read_request()) return;
            connection.send("HTTP/1.1 200 OK\r\n");
            while (connection.send("X-Field: " + std::string(1000, 'x') + "\r\n")) {
            }
        });
        CHECK(send_once(stage.settings(server.port()), post_of("x")).kind == Kind::message_failed);
    }

    TEST_CASE("what is not HTTP") {
        CHECK(answered_with("SSH-2.0-OpenSSH\r\n\r\n").kind == Kind::message_failed);
        CHECK(answered_with("HTTP/1.1 201 Created\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n").kind ==
              Kind::message_failed);
    }

    TEST_CASE("nobody there") {
        const Stage& stage = Stage::get();
        std::uint16_t port = 0;
        {
            port = TlsServer(stage.server_options(), [](ServerConnection&) {}).port();
        }
        const Outcome refused = send_once(stage.settings(port), post_of("x"));
        CHECK(refused.kind == Kind::register_failed);
        CHECK(refused.error.code() == Code::register_away);
        EndpointSettings settings = stage.settings(port);
        settings.host = "no-such-host.invalid";
        CHECK(send_once(settings, post_of("x")).kind == Kind::register_failed);
    }

    TEST_CASE("hangs at each stage end by a deadline") {
        const Stage& stage = Stage::get();
        const auto hang_at = [&](const TlsServer::Script& script, auto change, std::uint64_t size) {
            TlsServer server(stage.server_options(), script);
            EndpointSettings settings = stage.settings(server.port());
            change(settings.times);
            return send_once(settings, pattern_post(size));
        };
        const Outcome handshake =
            hang_at([](ServerConnection& c) { c.hang(); }, [](auto& t) { t.handshake = 200ms; }, 10);
        CHECK(handshake.kind == Kind::register_failed);
        CHECK(handshake.error.detail() == "time-out in the TLS handshake");
        const auto no_answer = [](ServerConnection& c) {
            if (c.handshake() && c.read_request()) c.hang();
        };
        const Outcome answer = hang_at(
            no_answer, [](auto& t) { t.answer = 200ms; }, 10);
        CHECK(answer.kind == Kind::message_failed);
        CHECK(answer.error.detail() == "time-out waiting for the answer");
        const auto half = [](ServerConnection& c) {
            if (!c.handshake() || !c.read_request()) return;
            c.send("HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{\"status\":");
            c.hang();
        };
        CHECK(hang_at(
                  half, [](auto& t) { t.answer = 200ms; }, 10)
                  .kind == Kind::message_failed);
        const auto no_reading = [](ServerConnection& c) {
            if (c.handshake() && c.read_head()) c.hang();
        };
        const Outcome stall = hang_at(
            no_reading, [](auto& t) { t.send_stall = 200ms; }, 100'000'000);
        CHECK(stall.kind == Kind::message_failed);
        CHECK(stall.error.detail() == "time-out sending the body");
    }

    TEST_CASE("an answer that trickles is cut at the deadline of the whole") {
        const Stage& stage = Stage::get();
        TlsServer server(stage.server_options(), [](ServerConnection& connection) {
            if (!connection.handshake() || !connection.read_request()) return;
            while (connection.send("H")) std::this_thread::sleep_for(20ms);
        });
        EndpointSettings settings = stage.settings(server.port());
        settings.times.answer = 300ms;
        CHECK(send_once(settings, post_of("x")).kind == Kind::message_failed);
    }

    TEST_CASE("cut at each stage") {
        const Stage& stage = Stage::get();
        const auto cut_at = [&](const TlsServer::Script& script, std::uint64_t size) {
            TlsServer server(stage.server_options(), script);
            return send_once(stage.settings(server.port()), pattern_post(size)).kind;
        };
        CHECK(cut_at([](ServerConnection& c) { c.reset(); }, 10) == Kind::register_failed);
        CHECK(cut_at([](ServerConnection& c) { static_cast<void>(c.handshake()); }, 10) == Kind::message_failed);
        const auto mid_body = [](ServerConnection& c) {
            if (!c.handshake()) return;
            auto request = c.read_head();
            if (!request) return;
            c.read_body(*request, 1'000'000);
            c.reset();
        };
        CHECK(cut_at(mid_body, 50'000'000) == Kind::message_failed);
        const auto mid_answer = [](ServerConnection& c) {
            if (!c.handshake() || !c.read_request()) return;
            c.send("HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{\"status\":");
        };
        CHECK(cut_at(mid_answer, 10) == Kind::message_failed);
        const auto until_close = [](ServerConnection& c) {
            if (!c.handshake() || !c.read_request()) return;
            c.send("HTTP/1.1 201 Created\r\n\r\n{\"status\":");
            c.reset();
        };
        CHECK(cut_at(until_close, 10) == Kind::message_failed);
    }

    TEST_CASE("an answer before the body was read is heard, and the rest is not sent") {
        const Stage& stage = Stage::get();
        TlsServer server(stage.server_options(), [](ServerConnection& connection) {
            if (!connection.handshake()) return;
            auto request = connection.read_head();
            if (!request) return;
            connection.read_body(*request, 500'000);
            connection.send(http_answer(409, ""));
            connection.hang();
            connection.remember(*request);
        });
        EndpointSettings settings = stage.settings(server.port());
        settings.times.send_stall = 1h;  // It is the answer that ends the sending, not this.
        const Outcome outcome = send_once(settings, pattern_post(300'000'000));
        CHECK(outcome.kind == Kind::answered);
        CHECK(outcome.http_status == 409);
    }

    TEST_CASE("an early answer and a closed door") {
        const Stage& stage = Stage::get();
        TlsServer server(stage.server_options(), [](ServerConnection& connection) {
            if (!connection.handshake() || !connection.read_head()) return;
            connection.send(http_answer(503, "", "Retry-After: 5\r\n"));
        });
        const Outcome outcome = send_once(stage.settings(server.port()), pattern_post(50'000'000));
        // Whether the answer is heard before the reset depends on the network; that it is later does not.
        CHECK((outcome.kind == Kind::register_failed || outcome.kind == Kind::message_failed));
    }

    TEST_CASE("a digest that differs: the register never gets the last piece") {
        const Stage& stage = Stage::get();
        TlsServer server(stage.server_options(), serve(receive));
        Post post = pattern_post(10'000'000);
        post.sha256[0] = static_cast<std::uint8_t>(post.sha256[0] ^ 1);
        const Outcome outcome = send_once(stage.settings(server.port()), std::move(post));
        CHECK(outcome.kind == Kind::damaged);
        CHECK(outcome.error.code() == Code::record_damaged);
        while (server.requests().empty()) std::this_thread::yield();
        const auto request = server.requests().at(0);
        CHECK_FALSE(request.whole);
        CHECK(request.body_bytes <= 10'000'000 - 10'000'000 % (256 * 1024));
    }

    TEST_CASE("a small body with a wrong digest or length is not begun with") {
        const Stage& stage = Stage::get();
        TlsServer server(stage.server_options(), serve(receive));
        Post wrong = post_of("melding");
        wrong.sha256 = sha256("andre bytes");
        CHECK(send_once(stage.settings(server.port()), std::move(wrong)).kind == Kind::damaged);
        Post empty = post_of("");
        empty.sha256 = sha256("noe");
        CHECK(send_once(stage.settings(server.port()), std::move(empty)).kind == Kind::damaged);
        Post longer = post_of("melding");
        longer.bytes -= 1;
        CHECK(send_once(stage.settings(server.port()), std::move(longer)).kind == Kind::damaged);
        CHECK(server.connections() == 0);
    }

    TEST_CASE("a register that is not who it should be gets nothing") {
        const Stage& stage = Stage::get();
        const auto meet = [&](const tpf::test::PemPair& identity, const std::string& host) {
            auto options = stage.server_options();
            options.identity = identity;
            TlsServer server(options, serve(receive));
            EndpointSettings settings = stage.settings(server.port());
            settings.host = host;
            const Outcome outcome = send_once(settings, post_of("x"));
            CHECK(outcome.kind == Kind::register_failed);
            CHECK(outcome.error.code() == Code::register_tls);
            CHECK(outcome.alarm);
            CHECK(server.requests().empty());
        };
        meet(stage.strangers.issue_server("register", "DNS:localhost,IP:127.0.0.1"), "127.0.0.1");
        meet(stage.registers.issue_server("register", "DNS:example.no"), "localhost");
        meet(stage.registers.issue_server("register", "IP:127.0.0.2"), "127.0.0.1");
        meet(stage.registers.issue_server("localhost", ""), "localhost");
        meet(stage.registers.issue_server("localhost", "DNS:*.localhost"), "localhost");
        meet(stage.registers.issue_expired_server("register", "DNS:localhost,IP:127.0.0.1"), "127.0.0.1");
        meet(stage.registers.issue_client("register"), "127.0.0.1");
    }

    TEST_CASE("TLS 1.2 is refused") {
        const Stage& stage = Stage::get();
        auto options = stage.server_options();
        options.highest_version = TLS1_2_VERSION;
        TlsServer server(options, serve(receive));
        const Outcome outcome = send_once(stage.settings(server.port()), post_of("x"));
        CHECK(outcome.kind == Kind::register_failed);
        CHECK(outcome.error.code() == Code::register_tls);
    }

    TEST_CASE("a register that does not take our certificate") {
        const Stage& stage = Stage::get();
        auto options = stage.server_options();
        options.client_ca = stage.strangers.certificate();
        TlsServer server(options, serve(receive));
        const Outcome outcome = send_once(stage.settings(server.port()), post_of("x"));
        CHECK(outcome.kind == Kind::register_failed);
        CHECK(outcome.error.code() == Code::register_tls);
        CHECK(outcome.alarm);
    }

    TEST_CASE("cut() ends what is under way, and what comes after it") {
        const Stage& stage = Stage::get();
        std::promise<void> reached;
        TlsServer server(stage.server_options(), [&](ServerConnection& connection) {
            if (!connection.handshake() || !connection.read_request()) return;
            reached.set_value();
            connection.hang();
        });
        EndpointSettings settings = stage.settings(server.port());
        settings.times.answer = 1h;  // It is cut() that ends it, not this.
        const auto endpoint = endpoint_to(settings);
        auto under_way = start(*endpoint, post_of("x"));
        reached.get_future().wait();
        endpoint->cut();
        CHECK(under_way.get().kind == Kind::cut);
        CHECK(start(*endpoint, post_of("y")).get().kind == Kind::cut);
    }

    TEST_CASE("a body that cannot be read is nobody's fault but ours") {
        class BrokenFile : public TextFile {
          public:
            BrokenFile() : TextFile("") {}
            Result<std::size_t> read(std::span<std::uint8_t>) override {
                return fail(Code::io, "read: Input/output error");
            }
        };
        const Stage& stage = Stage::get();
        TlsServer server(stage.server_options(), serve(receive));
        Post post = post_of("x");
        post.body = std::make_unique<BrokenFile>();
        const Outcome outcome = send_once(stage.settings(server.port()), std::move(post));
        CHECK(outcome.kind == Kind::local_failed);
        CHECK(outcome.error.code() == Code::io);
    }
}

}  // namespace
