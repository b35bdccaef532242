// The one file with Beast in it: it takes 20 s to compile.

#include "register/server.h"

#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <mutex>
#include <thread>
#include <variant>

#include "base/encoding.h"
#include "base/log.h"

namespace tpf::reg {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using net::ip::tcp;
using Stream = beast::ssl_stream<beast::tcp_stream>;
using Parser = http::request_parser<http::buffer_body>;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kPieceBytes = 256 * 1024;
constexpr std::uint32_t kHeadBytes = 16 * 1024;
constexpr std::uint64_t kAnySize = UINT64_MAX;
constexpr unsigned kBusySeconds = 2;
constexpr unsigned kFullSeconds = 60;
constexpr milliseconds kSlowPause{250};
constexpr milliseconds kHangTime = std::chrono::hours(1);
constexpr milliseconds kAcceptPause{50};
constexpr milliseconds kDrainPause{20};
constexpr std::size_t kSlowPieces = 4;  // a body is read in so many pauses, and one before the answer

/// A count that is given back by itself.
class Slot {
  public:
    explicit Slot(std::atomic<unsigned>& count) : count_(&count) { ++count; }
    Slot(Slot&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
    Slot& operator=(Slot&&) = delete;
    ~Slot() { release(); }
    void release() {
        if (count_ != nullptr) --*count_;
        count_ = nullptr;
    }

  private:
    std::atomic<unsigned>* count_;
};

/// What all connections share.
struct Shared {
    Shared(const ServerSettings& s, const IntakeSettings& i, FaultPlan& f, net::ssl::context context)
        : settings(s), intake(i), faults(f), tls(std::move(context)), io(static_cast<int>(s.threads)) {}

    const ServerSettings& settings;
    const IntakeSettings& intake;
    FaultPlan& faults;
    net::ssl::context tls;
    std::atomic<unsigned> connections{0};
    std::atomic<unsigned> requests{0};     // with a head that was read and an answer that was not yet written
    std::atomic<unsigned> deliveries{0};   // with a body being received
    std::atomic<std::uint64_t> served{0};  // all since the start, whatever they were answered
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<std::uint64_t> refused{0};
    std::atomic<std::uint64_t> repeated{0};
    std::atomic<bool> stopping{false};
    std::mutex mutex;
    std::optional<Error> fatal;
    net::io_context io;  // the last one: the sessions that end with it use all the others

    void stop_because(const Error& error) {
        const std::lock_guard lock(mutex);
        if (!fatal) fatal = error;
        io.stop();
    }
};

RequestHead head_of(const Parser& parser) {
    const auto& fields = parser.get();
    const auto joined = [&](auto name) {
        std::string value;
        const auto [first, last] = fields.equal_range(name);
        for (auto field = first; field != last; ++field) {
            if (field != first) value += ", ";
            value.append(field->value().data(), field->value().size());
        }
        return value;
    };
    RequestHead head;
    head.method = std::string(fields.method_string());
    head.target = std::string(fields.target());
    head.content_type = joined(http::field::content_type);
    head.content_encoding = joined(http::field::content_encoding);
    head.idempotency_key = joined("Idempotency-Key");
    head.content_digest = joined("Content-Digest");
    head.signature = joined("TPF-Signature");
    head.checkpoint = joined("TPF-Checkpoint");
    head.consistency = joined("TPF-Consistency");
    if (const auto length = parser.content_length()) head.content_length = *length;
    return head;
}

Answer answer_of(const Decision& decision) {
    switch (decision.kind) {
        case Decision::Kind::received:
            return with_receipt(201, *decision.receipt);
        case Decision::Kind::refused:
            return with_receipt(422, *decision.receipt);
        case Decision::Kind::repeated:
            return with_receipt(decision.receipt->status == Receipt::Status::received ? 200 : 422, *decision.receipt);
        case Decision::Kind::conflict:
            return refusal(409, "navn-brukt");
        case Decision::Kind::damaged:
            return refusal(400, "digest");
    }
    return refusal(500, "intern");
}

/// The answer of faults that do not look at the message.
std::optional<Answer> answer_of(Fault fault) {
    switch (fault) {
        case Fault::status_500:
            return refusal(500, "feil-med-vilje");
        case Fault::status_503:
            return later(503, "feil-med-vilje", 1);
        case Fault::status_429:
            return later(429, "feil-med-vilje", 1);
        default:
            return std::nullopt;
    }
}

/// The answer as a register would give it that is broken, or that somebody plays.
Answer spoiled(Answer answer, const Decision& decision, const IntakeSettings& intake, Fault fault) {
    if (!decision.receipt) return answer;
    Receipt receipt = *decision.receipt;
    if (fault == Fault::wrong_digest) {
        receipt.sha256 = hex(sha256(receipt.sha256));
        sign(receipt, intake.reg, intake.receipt_key);
    }
    if (fault == Fault::wrong_signature) receipt.signature = base64(intake.receipt_key.sign("something else"));
    answer.body = to_json(receipt);
    return answer;
}

void count_decision(Shared& shared, const Decision& decision) {
    if (decision.kind == Decision::Kind::received) ++shared.accepted;
    if (decision.kind == Decision::Kind::refused) ++shared.refused;
    if (decision.kind == Decision::Kind::repeated) ++shared.repeated;
}

void log_decision(const Delivery& delivery, const Decision& decision) {
    const std::string text = delivery.name.str();
    const std::uint64_t bytes = delivery.length;
    switch (decision.kind) {
        case Decision::Kind::received:
            log::info("message accepted", {{"name", text}, {"persons", decision.persons}, {"bytes", bytes}});
            return;
        case Decision::Kind::refused:
            log::warning("message refused", {{"name", text}, {"code", decision.receipt->token}, {"bytes", bytes}});
            return;
        case Decision::Kind::repeated:
            log::info("repeat answered", {{"name", text}});
            return;
        case Decision::Kind::conflict:
            log::warning("name used before with other content", {{"name", text}});
            return;
        case Decision::Kind::damaged:
            log::warning("body does not match its digest", {{"name", text}});
            return;
    }
}

/// How a body ended: with an answer that is not about the message, with a decision, or, with neither, in the middle.
struct Received {
    std::optional<Answer> answer = {};
    std::optional<Decision> decision = {};
};

/// One client's connection, in one coroutine on one strand.
class Session {
  public:
    Session(Shared& shared, tcp::socket socket, Slot connection)
        : shared_(shared), stream_(std::move(socket), shared.tls), connection_(std::move(connection)) {}

    net::awaitable<void> run();

  private:
    net::awaitable<bool> exchange();
    net::awaitable<bool> answer_head_error(error_code error);
    net::awaitable<bool> deliver(Parser& parser, const RequestHead& head, const Delivery& delivery);
    net::awaitable<Received> receive(Parser& parser, const Delivery& delivery, Fault fault);
    net::awaitable<Result<bool>> read_body(Parser& parser, Intake& intake, std::uint64_t length, Fault fault);
    net::awaitable<bool> write(Answer answer, bool keep);
    net::awaitable<bool> write_and_discard(Answer answer);
    net::awaitable<void> discard(milliseconds time);
    net::awaitable<void> go_on_if_asked(const Parser& parser);
    net::awaitable<bool> hang();
    static net::awaitable<void> pause(milliseconds time);
    std::variant<std::string, Answer> witness(const RequestHead& head);
    Answer local_trouble(const Error& error);
    void deadline(milliseconds time) { beast::get_lowest_layer(stream_).expires_after(time); }
    void cut() { beast::get_lowest_layer(stream_).close(); }

    Shared& shared_;
    Stream stream_;
    beast::flat_buffer buffer_{kHeadBytes + kPieceBytes};
    std::vector<std::uint8_t> piece_ = std::vector<std::uint8_t>(kPieceBytes);
    Slot connection_;
    std::optional<Slot> request_;
};

net::awaitable<void> Session::run() {
    error_code error;
    deadline(shared_.settings.times.handshake);
    co_await stream_.async_handshake(net::ssl::stream_base::server, net::redirect_error(net::use_awaitable, error));
    if (error) {
        log::info("no TLS connection", {{"error", error.message()}});
        co_return;
    }
    for (bool keep = true; keep; request_.reset()) keep = co_await exchange();
    deadline(shared_.settings.times.answer);
    co_await stream_.async_shutdown(net::redirect_error(net::use_awaitable, error));
}

/// One request and its answer. True: another may follow on this connection.
net::awaitable<bool> Session::exchange() {
    Parser parser;
    parser.header_limit(kHeadBytes);
    parser.body_limit(kAnySize);
    error_code error;
    deadline(shared_.settings.times.head);
    co_await http::async_read_header(stream_, buffer_, parser, net::redirect_error(net::use_awaitable, error));
    if (error) co_return co_await answer_head_error(error);
    request_.emplace(shared_.requests);
    ++shared_.served;
    const RequestHead head = head_of(parser);
    Judged judged = judge(head, shared_.settings.rules);
    if (!judged.delivery) {
        log::warning("request refused", {{"status", std::uint64_t{judged.answer.status}}});
        if (parser.is_done()) co_return co_await write(std::move(judged.answer), parser.keep_alive());
        co_return co_await write_and_discard(std::move(judged.answer));
    }
    if (shared_.stopping) co_return co_await write_and_discard(later(503, "stopper", kBusySeconds));
    co_return co_await deliver(parser, head, *judged.delivery);
}

net::awaitable<bool> Session::answer_head_error(error_code error) {
    static const auto& http_errors = http::make_error_code(http::error::end_of_stream).category();
    const bool gone =
        error.category() != http_errors || error == http::error::end_of_stream || error == http::error::partial_message;
    if (gone) co_return false;
    const bool long_head = error == http::error::header_limit || error == http::error::buffer_overflow;
    co_return co_await write_and_discard(refusal(long_head ? 431 : 400, "http"));
}

/// Receives one message and answers.
net::awaitable<bool> Session::deliver(Parser& parser, const RequestHead& head, const Delivery& delivery) {
    const Fault fault = shared_.faults.next();
    if (fault != Fault::none) {
        log::warning("fault on purpose", {{"fault", to_string(fault)}, {"name", delivery.name.str()}});
    }
    if (auto answer = answer_of(fault)) co_return co_await write_and_discard(std::move(*answer));
    auto witnessed = witness(head);
    if (auto* answer = std::get_if<Answer>(&witnessed)) co_return co_await write_and_discard(std::move(*answer));
    Received received = co_await receive(parser, delivery, fault);
    if (received.answer) co_return co_await write_and_discard(std::move(*received.answer));
    if (!received.decision || fault == Fault::lost) {
        cut();
        co_return false;
    }
    if (fault == Fault::hang) co_return co_await hang();
    if (fault == Fault::slow) co_await pause(kSlowPause);
    Answer answer = spoiled(answer_of(*received.decision), *received.decision, shared_.intake, fault);
    if (received.decision->receipt) answer = with_checkpoint(std::move(answer), std::get<std::string>(witnessed));
    co_return co_await write(std::move(answer), parser.keep_alive());
}

/// The note that goes with the receipt, or the answer that ends the request.
std::variant<std::string, Answer> Session::witness(const RequestHead& head) {
    LogWitness* const log = shared_.settings.witness;
    if (log == nullptr) return std::string();
    auto verdict = log->judge(head.checkpoint, head.consistency);
    if (!verdict) return local_trouble(verdict.error());
    if (verdict.value().kode.empty()) return std::move(verdict.value().note);
    return with_checkpoint(refusal(412, verdict.value().kode), verdict.value().note);
}

/// The name is free again for others when this returns.
net::awaitable<Received> Session::receive(Parser& parser, const Delivery& delivery, Fault fault) {
    const Slot slot(shared_.deliveries);
    if (shared_.deliveries > shared_.settings.max_deliveries)
        co_return Received{later(503, "overlast", kBusySeconds), {}};
    const auto claim = shared_.intake.store.claim(delivery.name);
    if (!claim) co_return Received{later(503, "under-mottak", kBusySeconds), {}};
    const auto intake = Intake::begin(shared_.intake, delivery);
    if (!intake) co_return Received{local_trouble(intake.error()), {}};
    co_await go_on_if_asked(parser);
    const auto complete = co_await read_body(parser, *intake.value(), delivery.length, fault);
    if (!complete) co_return Received{local_trouble(complete.error()), {}};
    if (!complete.value()) co_return Received{};
    const auto decision = intake.value()->finish();
    if (!decision) co_return Received{local_trouble(decision.error()), {}};
    count_decision(shared_, decision.value());
    log_decision(delivery, decision.value());
    co_return Received{{}, decision.value()};
}

/// False: the connection is gone. An error is the store's.
net::awaitable<Result<bool>> Session::read_body(Parser& parser, Intake& intake, std::uint64_t length, Fault fault) {
    const std::uint64_t parts = fault == Fault::cut ? 2 : fault == Fault::slow ? kSlowPieces : 1;
    const std::size_t step = parts == 1 ? piece_.size() : std::clamp<std::uint64_t>(length / parts, 1, piece_.size());
    std::uint64_t done = 0;
    while (!parser.is_done()) {
        auto& body = parser.get().body();
        body.data = piece_.data();
        body.size = step;
        error_code error;
        deadline(shared_.settings.times.piece);
        co_await http::async_read(stream_, buffer_, parser, net::redirect_error(net::use_awaitable, error));
        if (error && error != http::error::need_buffer) {
            log::warning("connection lost in a body", {{"bytes", done}});
            co_return false;
        }
        const std::size_t size = step - body.size;
        done += size;
        if (fault == Fault::cut && done >= length / 2) co_return false;
        if (fault == Fault::slow) co_await pause(kSlowPause);
        if (const Status fed = intake.feed(ByteView(piece_).first(size)); !fed) co_return fail(fed.error());
    }
    co_return true;
}

net::awaitable<bool> Session::write(Answer answer, bool keep) {
    http::response<http::string_body> response;
    response.result(answer.status);
    response.set(http::field::content_type, "application/json");
    response.set(http::field::cache_control, "no-store");
    if (answer.retry_after) response.set(http::field::retry_after, std::to_string(*answer.retry_after));
    if (answer.allow_post) response.set(http::field::allow, "POST");
    response.keep_alive(keep && !shared_.stopping);
    response.body() = std::move(answer.body);
    response.prepare_payload();
    error_code error;
    deadline(shared_.settings.times.answer);
    co_await http::async_write(stream_, response, net::redirect_error(net::use_awaitable, error));
    co_return !error && keep && !shared_.stopping;
}

/// For requests whose body was not read: the sender may be in the middle of it.
net::awaitable<bool> Session::write_and_discard(Answer answer) {
    static_cast<void>(co_await write(std::move(answer), false));
    request_.reset();
    co_await discard(shared_.settings.times.discard);
    co_return false;
}

/// Reads on until the other side closes or the time is over.
net::awaitable<void> Session::discard(milliseconds time) {
    deadline(time);
    error_code error;
    while (!error) {
        co_await stream_.async_read_some(net::buffer(piece_), net::redirect_error(net::use_awaitable, error));
    }
}

net::awaitable<void> Session::go_on_if_asked(const Parser& parser) {
    if (!beast::iequals(parser.get()[http::field::expect], "100-continue")) co_return;
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    error_code error;
    deadline(shared_.settings.times.answer);
    co_await net::async_write(stream_, net::buffer(kContinue), net::redirect_error(net::use_awaitable, error));
}

net::awaitable<bool> Session::hang() {
    request_.reset();
    co_await discard(kHangTime);
    co_return false;
}

net::awaitable<void> Session::pause(milliseconds time) {
    net::steady_timer timer(co_await net::this_coro::executor, time);
    error_code error;
    co_await timer.async_wait(net::redirect_error(net::use_awaitable, error));
}

Answer Session::local_trouble(const Error& error) {
    log::error("a delivery could not be stored", {{"error", error.text()}, {"hint", error.hint()}});
    if (error.disposition() == Disposition::stop) shared_.stop_because(error);
    return later(503, error.code() == Code::disk_full ? "fullt" : "lager", kFullSeconds);
}

net::awaitable<void> run_session(Shared& shared, tcp::socket socket, Slot connection) {
    Session session(shared, std::move(socket), std::move(connection));
    co_await session.run();
}

/// A session's exceptions are the libraries' (no memory): they end that session.
void report(const std::exception_ptr& thrown) {
    if (thrown) log::error("a connection ended by a fault in this program");
}

/// Accepts until the acceptor is closed; while there are too many connections, others wait in the kernel's queue.
net::awaitable<void> accept_all(Shared& shared, tcp::acceptor& acceptor) {
    net::steady_timer timer(acceptor.get_executor());
    while (acceptor.is_open()) {
        error_code error;
        if (shared.connections < shared.settings.max_connections) {
            tcp::socket socket(net::make_strand(shared.io));
            co_await acceptor.async_accept(socket, net::redirect_error(net::use_awaitable, error));
            if (!error) {
                socket.set_option(tcp::no_delay(true), error);
                auto strand = socket.get_executor();
                net::co_spawn(strand, run_session(shared, std::move(socket), Slot(shared.connections)), report);
                continue;
            }
            if (acceptor.is_open()) log::warning("accept failed", {{"error", error.message()}});
        }
        timer.expires_after(kAcceptPause);
        co_await timer.async_wait(net::redirect_error(net::use_awaitable, error));
    }
}

/// Waits for a signal, then for what is under way, then stops the loop.
net::awaitable<void> stop_on_signal(Shared& shared, net::signal_set& signals, tcp::acceptor& acceptor) {
    error_code error;
    co_await signals.async_wait(net::redirect_error(net::use_awaitable, error));
    log::info("stopping", {{"under_way", std::uint64_t{shared.requests}}});
    shared.stopping = true;
    acceptor.close(error);
    net::steady_timer timer(acceptor.get_executor());
    const auto end = steady_clock::now() + shared.settings.times.drain;
    while (shared.requests > 0 && steady_clock::now() < end) {
        timer.expires_after(kDrainPause);
        co_await timer.async_wait(net::redirect_error(net::use_awaitable, error));
    }
    if (const std::uint64_t left = shared.requests; left > 0) {
        log::warning("requests under way are cut", {{"under_way", left}});
    }
    shared.io.stop();
}

Result<tcp::acceptor> listen(net::io_context& io, const ServerSettings& settings) try {
    const tcp::endpoint endpoint(net::ip::make_address(settings.host), settings.port);
    return tcp::acceptor(net::make_strand(io), endpoint, true);
} catch (const boost::system::system_error& error) {
    return fail(Code::config, "cannot listen on " + settings.host + " port " + std::to_string(settings.port) + ": " +
                                  error.code().message());
}

void run_threads(net::io_context& io, unsigned count) {
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < count; ++i) threads.emplace_back([&io] { io.run(); });
    io.run();
    for (std::thread& thread : threads) thread.join();
}

/// From here on a second signal would find the default action in its place, and make a failure of a good end.
void hold_back_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

}  // namespace

Status serve(const ServerSettings& settings, const IntakeSettings& intake, FaultPlan& faults) {
    TPF_TRY(auto tls, make_server_context(settings.tls));
    Shared shared(settings, intake, faults, std::move(tls));
    TPF_TRY(tcp::acceptor acceptor, listen(shared.io, settings));
    const std::uint16_t port = acceptor.local_endpoint().port();
    net::co_spawn(acceptor.get_executor(), accept_all(shared, acceptor), report);
    net::signal_set signals(acceptor.get_executor(), SIGTERM, SIGINT);
    net::co_spawn(acceptor.get_executor(), stop_on_signal(shared, signals, acceptor), report);
    if (!settings.port_file.empty()) {
        TPF_TRY(write_atomically(posix_file_system(), settings.port_file, std::to_string(port) + "\n", 0644));
    }
    log::info("serving", {{"register", settings.rules.reg.str()}, {"port", std::uint64_t{port}}});
    if (!faults.empty()) log::warning("this register makes faults on purpose");
    run_threads(shared.io, settings.threads);
    hold_back_signals();
    if (shared.fatal) return fail(*shared.fatal);
    log::info("stopped", {{"requests", shared.served.load()},
                          {"accepted", shared.accepted.load()},
                          {"refused", shared.refused.load()},
                          {"repeated", shared.repeated.load()}});
    return ok();
}

}  // namespace tpf::reg
