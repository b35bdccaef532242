#include "forward/endpoint.h"

#include <utility>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "base/encoding.h"
#include "forward/body.h"

namespace tpf::forward {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Milliseconds = std::chrono::milliseconds;

/// How long a broken connection is still listened to for an answer that came before it broke.
constexpr Milliseconds kLastWords{2'000};
constexpr int kMaxInterim = 8;
constexpr std::size_t kBufferBytes = 128 * 1024;

auto to(error_code& error) {
    return asio::redirect_error(asio::use_awaitable, error);
}

Outcome failed(Outcome::Kind kind, Code code, std::string detail, bool alarm = false) {
    Outcome outcome;
    outcome.kind = kind;
    outcome.error = Error(code, std::move(detail));
    outcome.alarm = alarm;
    return outcome;
}

/// Something that one coroutine waits for and another brings about, on one event loop.
class Event {
  public:
    explicit Event(const asio::any_io_executor& executor) : timer_(executor, asio::steady_timer::time_point::max()) {}
    void set() {
        set_ = true;
        timer_.cancel();
    }
    [[nodiscard]] bool is_set() const noexcept { return set_; }
    /// Ends at `limit` too, when that comes first.
    asio::awaitable<void> wait(Milliseconds limit = Milliseconds::max()) {
        if (limit != Milliseconds::max()) timer_.expires_after(limit);
        const auto end = timer_.expiry();
        error_code ignored;
        while (!set_ && asio::steady_timer::clock_type::now() < end) co_await timer_.async_wait(to(ignored));
    }

  private:
    asio::steady_timer timer_;
    bool set_ = false;
};

/// One TCP connection with TLS on it, and the deadline of what is awaited on it.
class Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(asio::io_context& io, asio::ssl::context& context)
        : stream(io, context), buffer(kBufferBytes), watchdog_(io) {}

    /// From now on, until the next call.
    void deadline(Milliseconds limit) {
        timed_out_ = false;
        watchdog_.expires_after(limit);
        watchdog_.async_wait([weak = weak_from_this(), armed = ++armed_](error_code error) {
            const auto self = weak.lock();
            if (error || !self || self->armed_ != armed) return;
            self->timed_out_ = true;
            self->close();
        });
    }
    /// All that is awaited on it ends.
    void close() noexcept {
        error_code ignored;
        stream.lowest_layer().close(ignored);
    }
    /// close(), for good: no deadline keeps the event loop waiting.
    void finish() noexcept {
        ++armed_;
        watchdog_.cancel();
        close();
    }
    [[nodiscard]] bool is_open() const { return stream.lowest_layer().is_open(); }
    [[nodiscard]] bool timed_out() const noexcept { return timed_out_; }

    asio::ssl::stream<tcp::socket> stream;
    boost::beast::flat_buffer buffer;

  private:
    asio::steady_timer watchdog_;
    std::uint64_t armed_ = 0;
    bool timed_out_ = false;
};
using ConnectionPtr = std::shared_ptr<Connection>;

/// A message on its way.
struct Job {
    explicit Job(Post message)
        : name(message.name.str()),
          signature(std::move(message.signature)),
          checkpoint(std::move(message.checkpoint)),
          body(std::move(message.body), message.bytes, message.sha256) {}

    /// Reads the next piece; an outcome when that ends the attempt.
    [[nodiscard]] std::optional<Outcome> advance() {
        auto next = body.next();
        if (next) {
            piece = next.value();
            return std::nullopt;
        }
        return broken(std::move(next).error());
    }
    [[nodiscard]] std::optional<Outcome> restart() {
        if (auto again = body.rewind(); !again) return broken(std::move(again).error());
        return advance();
    }
    [[nodiscard]] static Outcome broken(Error error) {
        const bool damaged = error.code() == Code::record_damaged;
        Outcome outcome;
        outcome.kind = damaged ? Outcome::Kind::damaged : Outcome::Kind::local_failed;
        outcome.error = std::move(error);
        outcome.alarm = damaged;
        return outcome;
    }

    std::string name;
    std::string signature;
    LogCheckpoint checkpoint;
    Body body;
    Body::Piece piece;
};

/// The answer while it is being read, beside the sending.
struct Reading {
    explicit Reading(const asio::any_io_executor& executor) : done(executor) {}
    Event done;
    bool all_sent = false;
    bool got_some = false;  ///< at least one byte of an answer
    bool reusable = false;
    error_code error;
    HttpAnswer answer;
};
using ReadingPtr = std::shared_ptr<Reading>;

void keep(Reading& reading, const Connection& connection, const http::response_parser<http::string_body>& parser) {
    reading.answer.status = static_cast<int>(parser.get().result_int());
    const auto retry_after = parser.get()[http::field::retry_after];
    reading.answer.retry_after.assign(retry_after.data(), retry_after.size());
    if (reading.answer.too_long) return;
    reading.answer.body = parser.get().body();
    // What follows the answer was not asked for: such a connection is not trusted with another message.
    reading.reusable = reading.all_sent && parser.get().keep_alive() && connection.buffer.size() == 0;
}

asio::awaitable<void> read_answer(ConnectionPtr connection, ReadingPtr reading) {
    for (int interim = 0; interim < kMaxInterim; ++interim) {
        http::response_parser<http::string_body> parser;
        parser.body_limit(kMaxAnswerBytes);
        error_code error;
        co_await http::async_read(connection->stream, connection->buffer, parser, to(error));
        reading->got_some = reading->got_some || parser.got_some();
        reading->answer.too_long = error == http::error::body_limit;
        if (error && !reading->answer.too_long) {
            reading->error = error;
            co_return;
        }
        const auto status = parser.get().result_int();
        if (status / 100 == 1) continue;
        keep(*reading, *connection, parser);
        co_return;
    }
    reading->error = make_error_code(http::error::bad_status);
}

/// What an HTTP answer does to the message and to the register (poster.h).
Outcome outcome_of(const HttpAnswer& answer, UtcTime now) {
    Verdict verdict = judge(answer, now);
    const std::string status = "status " + std::to_string(answer.status);
    Outcome outcome;
    switch (verdict.kind) {
        case Verdict::Kind::receipt:
            outcome.kind = Outcome::Kind::answered;
            outcome.fields = std::move(verdict.fields);
            break;
        case Verdict::Kind::wait:
            outcome =
                failed(Outcome::Kind::register_failed, Code::register_away, "the register asks to wait, " + status);
            outcome.retry_after = verdict.retry_after;
            break;
        case Verdict::Kind::access:
            outcome = failed(Outcome::Kind::register_failed, Code::register_access, status, true);
            break;
        case Verdict::Kind::no_receipt:
            outcome = failed(Outcome::Kind::message_failed, Code::receipt_invalid,
                             "the answer is no receipt, " + status, true);
            break;
        case Verdict::Kind::other:
            outcome = failed(Outcome::Kind::message_failed, Code::register_away, "unexpected answer, " + status);
            break;
    }
    outcome.http_status = answer.status;
    return outcome;
}

/// OpenSSL's own errors, alerts of the other side among them: a refused client certificate shows only after the
/// handshake (RFC 8446 § 4.4.2.4), in place of an answer.
bool is_tls_error(const error_code& error) {
    return error.category() == asio::error::get_ssl_category();
}

class Endpoint final : public Poster {
  public:
    Endpoint(const EndpointSettings& settings, TlsContext context, const Clock& clock)
        : settings_(settings),
          clock_(&clock),
          context_(context.release()),
          work_(asio::make_work_guard(io_)),
          thread_([this] { io_.run(); }) {}

    ~Endpoint() override {
        cut();
        work_.reset();
        thread_.join();
    }

    void post(Post message, Done done) override {
        auto job = std::make_shared<Job>(std::move(message));
        asio::co_spawn(io_, attempt(job), [done = std::move(done)](const std::exception_ptr& error, Outcome outcome) {
            if (error)
                outcome = failed(Outcome::Kind::local_failed, Code::internal, "no memory, or a fault in this program");
            done(std::move(outcome));
        });
    }

    std::chrono::milliseconds silence() override {
        const auto now = std::chrono::steady_clock::now();
        if (!asked_.exchange(true)) {
            asked_at_ = now;
            asio::post(io_, [this] { asked_ = false; });
        }
        return std::chrono::duration_cast<std::chrono::milliseconds>(now - asked_at_);
    }

    void cut() override {
        asio::post(io_, [this] {
            cut_ = true;
            for (Lookup* lookup : lookups_) lookup->done.set();
            for (const auto& weak : live_) {
                if (const auto connection = weak.lock()) connection->finish();
            }
            idle_.clear();
        });
    }

  private:
    struct Lookup {
        explicit Lookup(asio::io_context& io) : resolver(io), done(io.get_executor()) {}
        tcp::resolver resolver;
        Event done;
        error_code error = asio::error::timed_out;
        std::vector<tcp::endpoint> addresses;
    };
    struct Exchange {
        Outcome outcome;
        bool stale = false;  ///< a kept connection had been closed: nothing is known, try a new one
    };

    asio::awaitable<Outcome> attempt(std::shared_ptr<Job> job);
    asio::awaitable<std::optional<Outcome>> dial(ConnectionPtr connection);
    asio::awaitable<std::shared_ptr<Lookup>> look_up();
    asio::awaitable<error_code> connect(Connection& connection, const std::vector<tcp::endpoint>& addresses);
    asio::awaitable<std::optional<Outcome>> shake_hands(Connection& connection);
    asio::awaitable<Exchange> exchange(ConnectionPtr connection, Job& job, bool kept);
    asio::awaitable<void> write(Connection& connection, asio::const_buffer bytes, error_code& error);
    asio::awaitable<std::optional<Outcome>> send(Connection& connection, Job& job, Reading& reading, error_code& error);
    [[nodiscard]] Exchange settle(const Connection& connection, const Reading& reading, const error_code& send_error,
                                  bool kept) const;
    [[nodiscard]] std::string head(const Job& job) const;
    [[nodiscard]] ConnectionPtr make_connection();
    [[nodiscard]] ConnectionPtr take_kept();
    void keep_connection(const ConnectionPtr& connection);

    EndpointSettings settings_;
    const Clock* clock_;
    std::atomic<bool> asked_{false};  // to take a turn, by silence()
    std::chrono::steady_clock::time_point asked_at_{};
    asio::io_context io_{1};
    asio::ssl::context context_;
    bool cut_ = false;
    std::vector<std::weak_ptr<Connection>> live_;
    std::vector<ConnectionPtr> idle_;
    std::set<Lookup*> lookups_;
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    std::thread thread_;
};

ConnectionPtr Endpoint::make_connection() {
    std::erase_if(live_, [](const auto& weak) { return weak.expired(); });
    auto connection = std::make_shared<Connection>(io_, context_);
    live_.push_back(connection);
    return connection;
}

ConnectionPtr Endpoint::take_kept() {
    while (!idle_.empty()) {
        ConnectionPtr connection = std::move(idle_.back());
        idle_.pop_back();
        if (connection->is_open()) return connection;
    }
    return nullptr;
}

void Endpoint::keep_connection(const ConnectionPtr& connection) {
    std::erase_if(idle_, [](const auto& idle) { return !idle->is_open(); });
    connection->deadline(settings_.times.idle);
    idle_.push_back(connection);
}

asio::awaitable<Outcome> Endpoint::attempt(std::shared_ptr<Job> job) {
    if (cut_) co_return Outcome{};
    // A body of one piece is checked whole before a byte of it, or of its head, is sent.
    if (auto broken = job->advance()) co_return std::move(*broken);
    if (ConnectionPtr kept = take_kept()) {
        Exchange first = co_await exchange(kept, *job, true);
        if (!first.stale) co_return std::move(first.outcome);
        if (auto broken = job->restart()) co_return std::move(*broken);
    }
    const ConnectionPtr connection = make_connection();
    if (auto failure = co_await dial(connection)) {
        connection->finish();
        co_return cut_ ? Outcome{} : std::move(*failure);
    }
    Exchange only = co_await exchange(connection, *job, false);
    co_return std::move(only.outcome);
}

asio::awaitable<std::shared_ptr<Endpoint::Lookup>> Endpoint::look_up() {
    auto lookup = std::make_shared<Lookup>(io_);
    error_code not_an_address;
    const auto address = asio::ip::make_address(settings_.host, not_an_address);
    if (!not_an_address) {
        lookup->error = {};
        lookup->addresses.emplace_back(address, settings_.port);
        co_return lookup;
    }
    // The system's look-up cannot be ended from here: it is left to itself when it takes too long.
    lookup->resolver.async_resolve(settings_.host, std::to_string(settings_.port), tcp::resolver::numeric_service,
                                   [lookup](error_code error, const tcp::resolver::results_type& results) {
                                       lookup->error = error;
                                       for (const auto& entry : results) lookup->addresses.push_back(entry.endpoint());
                                       lookup->done.set();
                                   });
    lookups_.insert(lookup.get());
    co_await lookup->done.wait(settings_.times.connect);
    lookups_.erase(lookup.get());
    co_return lookup;
}

asio::awaitable<error_code> Endpoint::connect(Connection& connection, const std::vector<tcp::endpoint>& addresses) {
    error_code error = asio::error::host_not_found;
    auto& socket = connection.stream.next_layer();
    for (const tcp::endpoint& address : addresses) {
        if (cut_) co_return asio::error::operation_aborted;
        connection.deadline(settings_.times.connect);
        co_await socket.async_connect(address, to(error));
        if (!error) {
            error_code ignored;
            socket.set_option(tcp::no_delay(true), ignored);
            co_return error;
        }
        if (connection.timed_out()) error = asio::error::timed_out;
        connection.close();
    }
    co_return error;
}

asio::awaitable<std::optional<Outcome>> Endpoint::shake_hands(Connection& connection) {
    using Kind = Outcome::Kind;
    SSL* const tls = connection.stream.native_handle();
    if (!expect_host(tls, settings_.host))
        co_return failed(Kind::local_failed, Code::internal, "OpenSSL has no memory");
    error_code error;
    connection.deadline(settings_.times.handshake);
    co_await connection.stream.async_handshake(asio::ssl::stream_base::client, to(error));
    if (!error) co_return std::nullopt;
    if (connection.timed_out())
        co_return failed(Kind::register_failed, Code::register_away, "time-out in the TLS handshake");
    if (!is_tls_error(error)) {
        co_return failed(Kind::register_failed, Code::register_away, "TLS handshake: " + error.message());
    }
    const std::string problem = certificate_problem(tls);
    co_return failed(Kind::register_failed, Code::register_tls,
                     problem.empty() ? "TLS handshake: " + error.message() : "the register's certificate: " + problem,
                     true);
}

asio::awaitable<std::optional<Outcome>> Endpoint::dial(ConnectionPtr connection) {
    using Kind = Outcome::Kind;
    const auto lookup = co_await look_up();
    if (lookup->addresses.empty()) {
        co_return failed(Kind::register_failed, Code::register_away, "look-up of the host: " + lookup->error.message());
    }
    if (const error_code error = co_await connect(*connection, lookup->addresses)) {
        co_return failed(Kind::register_failed, Code::register_away, "connect: " + error.message());
    }
    co_return co_await shake_hands(*connection);
}

/// What is empty is not sent.
std::string field(const char* name, const std::string& value) {
    return value.empty() ? std::string() : std::string("\r\n") + name + ": " + value;
}

std::string Endpoint::head(const Job& job) const {
    const bool ipv6 = settings_.host.find(':') != std::string::npos;
    std::string host = ipv6 ? "[" + settings_.host + "]" : settings_.host;
    if (settings_.port != 443) host += ":" + std::to_string(settings_.port);
    return "POST " + settings_.prefix + "/v1/meldinger HTTP/1.1\r\nHost: " + host +
           "\r\nUser-Agent: tpf-forward\r\nContent-Type: application/xml\r\nContent-Length: " +
           std::to_string(job.body.length()) + "\r\nIdempotency-Key: " + job.name +
           "\r\nContent-Digest: sha-256=:" + base64(job.body.digest()) + ":\r\nTPF-Signature: " + job.signature +
           field("TPF-Checkpoint", job.checkpoint.note) + field("TPF-Consistency", job.checkpoint.consistency) +
           "\r\n\r\n";
}

/// The deadline is for each TLS record to be taken, so that a slow line is told from one that stands still.
asio::awaitable<void> Endpoint::write(Connection& connection, asio::const_buffer bytes, error_code& error) {
    while (!error && bytes.size() > 0) {
        connection.deadline(settings_.times.send_stall);
        bytes += co_await connection.stream.async_write_some(bytes, to(error));
    }
}

/// Head and body. An outcome when the body is not what its record says, or cannot be read; `error` when the connection
/// broke; neither when all was sent or an answer came first.
asio::awaitable<std::optional<Outcome>> Endpoint::send(Connection& connection, Job& job, Reading& reading,
                                                       error_code& error) {
    const std::string text = head(job);
    co_await write(connection, asio::buffer(text), error);
    for (;;) {
        // The answer to the last piece can be here before the write of it is known to be over.
        reading.all_sent = job.piece.last;
        co_await write(connection, asio::buffer(job.piece.bytes.data(), job.piece.bytes.size()), error);
        if (error || job.piece.last || reading.done.is_set()) co_return std::nullopt;
        if (auto broken = job.advance()) co_return broken;
    }
}

asio::awaitable<Endpoint::Exchange> Endpoint::exchange(ConnectionPtr connection, Job& job, bool kept) {
    const auto reading = std::make_shared<Reading>(io_.get_executor());
    asio::co_spawn(io_, read_answer(connection, reading), [connection, reading](const std::exception_ptr& failure) {
        if (failure) reading->error = asio::error::no_memory;
        // Nobody reads the rest of a body that was refused: what is being sent must not wait for it.
        if (!reading->all_sent) connection->close();
        reading->done.set();
    });
    error_code send_error;
    auto broken = co_await send(*connection, job, *reading, send_error);
    if (broken) connection->close();
    const bool stalled = connection->timed_out();
    if (!stalled && !broken) connection->deadline(send_error ? kLastWords : settings_.times.answer);
    co_await reading->done.wait();
    Exchange result;
    if (broken) {
        result.outcome = std::move(*broken);
    } else if (!cut_) {
        result = settle(*connection, *reading, send_error, kept);
    }
    if (reading->reusable && !cut_ && !send_error) {
        keep_connection(connection);
    } else {
        connection->finish();
    }
    co_return result;
}

Endpoint::Exchange Endpoint::settle(const Connection& connection, const Reading& reading, const error_code& send_error,
                                    bool kept) const {
    using Kind = Outcome::Kind;
    Exchange result;
    if (reading.answer.status != 0) {
        result.outcome = outcome_of(reading.answer, clock_->utc());
        return result;
    }
    if (is_tls_error(reading.error) || is_tls_error(send_error)) {
        const error_code& error = is_tls_error(reading.error) ? reading.error : send_error;
        result.outcome = failed(Kind::register_failed, Code::register_tls, "TLS: " + error.message(), true);
        return result;
    }
    const bool timed_out = connection.timed_out();
    const char* what = "the connection was closed before an answer came";
    if (reading.got_some) what = "the answer could not be read to its end";
    if (timed_out) what = reading.all_sent ? "time-out waiting for the answer" : "time-out sending the body";
    result.outcome = failed(Kind::message_failed, Code::register_away, what);
    result.stale = kept && !timed_out && !reading.got_some;
    return result;
}

}  // namespace

Result<std::unique_ptr<Poster>> make_endpoint(const EndpointSettings& settings, FileSystem& fs, const Clock& clock) {
    TPF_TRY(TlsContext context, make_client_context(settings.files, fs));
    return std::unique_ptr<Poster>(std::make_unique<Endpoint>(settings, std::move(context), clock));
}

}  // namespace tpf::forward
