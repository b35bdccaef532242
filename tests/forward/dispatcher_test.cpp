#include "forward/dispatcher.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <future>
#include <thread>

#include "tests/forward/outbox_double.h"
#include "tests/forward/tls_stage.h"

namespace {

using namespace tpf;
using namespace std::chrono_literals;
using forward::Dispatcher;
using forward::DispatcherSettings;
using forward::Outcome;
using forward::Post;
using forward::Poster;
using forward::Receipt;
using forward::test::OutboxDouble;
using forward::test::receipt_json;
using forward::test::Stage;
using forward::test::TempFolder;
using tpf::test::http_answer;
using tpf::test::ServerConnection;
using tpf::test::TlsServer;
using Kind = Outcome::Kind;

const RegisterName kA = RegisterName::parse("IPLOS").value();
const RegisterName kB = RegisterName::parse("KPR").value();

Outcome outcome_of(Kind kind, Code code = Code::register_away) {
    Outcome outcome;
    outcome.kind = kind;
    outcome.http_status = kind == Kind::answered ? 201 : 0;
    outcome.error = Error(code, "as the test said");
    return outcome;
}

/// Ends each attempt as the script says, on a thread of its own; without an outcome it lasts until cut().
class PosterDouble : public Poster {
  public:
    using Script = std::function<std::optional<Outcome>(const Post&)>;
    explicit PosterDouble(Script script) : script_(std::move(script)) {}
    ~PosterDouble() override {
        for (std::thread& thread : threads_) thread.join();
    }
    void post(Post message, Done done) override {
        auto outcome = script_(message);
        const std::lock_guard lock(mutex_);
        if (!outcome) {
            held_.push_back(std::move(done));
            return;
        }
        threads_.emplace_back([done = std::move(done), end = std::move(*outcome)] { done(end); });
    }
    void cut() override {
        const std::lock_guard lock(mutex_);
        for (Done& done : held_) threads_.emplace_back([done = std::move(done)] { done(Outcome{}); });
        held_.clear();
    }

  private:
    Script script_;
    std::mutex mutex_;
    std::vector<std::thread> threads_;
    std::vector<Done> held_;
};

DispatcherSettings quick(bool drain) {
    DispatcherSettings settings;
    settings.limits.backoff = forward::Backoff{20ms, 100ms};
    settings.drain = drain;
    settings.poll = 20ms;
    settings.stop_grace = 60s;
    return settings;
}

std::map<RegisterName, Dispatcher::Route> route(const RegisterName& name, PosterDouble::Script script) {
    std::map<RegisterName, Dispatcher::Route> routes;
    routes.emplace(name, Dispatcher::Route{2, std::make_unique<PosterDouble>(std::move(script))});
    return routes;
}

PosterDouble::Script always(Kind kind, Code code = Code::register_away) {
    return [=](const Post&) { return outcome_of(kind, code); };
}

void eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 60'000 && !condition(); ++i) std::this_thread::sleep_for(1ms);
    CHECK(condition());
}

/// A dispatcher that runs until the test is over.
struct Running {
    Running(const DispatcherSettings& settings, std::map<RegisterName, Dispatcher::Route> routes, OutboxDouble& outbox)
        : dispatcher(settings, std::move(routes), outbox, system_clock(), forward::random_draw()),
          report(std::async(std::launch::async, [this] { return dispatcher.run([] {}); })) {}
    ~Running() {
        dispatcher.stop();
        dispatcher.stop();
        if (report.valid()) report.wait();
    }
    Dispatcher dispatcher;
    std::future<Result<Dispatcher::Report>> report;
};

Result<Dispatcher::Report> drain(OutboxDouble& outbox, std::map<RegisterName, Dispatcher::Route> routes) {
    Dispatcher dispatcher(quick(true), std::move(routes), outbox, system_clock(), forward::random_draw());
    return dispatcher.run([] {});
}

/// A signalfd's stand-in: the dispatcher reads signalfd_siginfo from whatever it is given.
struct Signals {
    Signals() { REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0); }
    ~Signals() {
        ::close(ends[0]);
        ::close(ends[1]);
    }
    void send(int number) const {
        signalfd_siginfo info{};
        info.ssi_signo = static_cast<std::uint32_t>(number);
        REQUIRE(::write(ends[1], &info, sizeof info) == sizeof info);
    }
    int ends[2];
};

TEST_SUITE("forward/dispatcher") {
    TEST_CASE(
        "SIGHUP: new routes for what comes, what is under way stays with the old one, which a stop cuts; no change, no "
        "difference") {
        const TempFolder folder;
        OutboxDouble outbox(folder.path());
        const SpoolId held = outbox.add(kA, "held");
        std::atomic<int> by_old = 0, by_new = 0, asked = 0;
        const Signals signals;
        const auto hold = [&](const Post&) -> std::optional<Outcome> {
            ++by_old;
            return std::nullopt;
        };
        Dispatcher dispatcher(quick(false), route(kA, hold), outbox, system_clock(), forward::random_draw());
        dispatcher.on_hangup([&]() -> std::optional<forward::DispatcherChange> {
            if (++asked == 1) return std::nullopt;
            auto routes = route(kA, [&](const Post&) {
                ++by_new;
                return outcome_of(Kind::answered, Code::internal);
            });
            routes.emplace(kB, Dispatcher::Route{1, std::make_unique<PosterDouble>(always(Kind::answered))});
            return forward::DispatcherChange{quick(false), std::move(routes)};
        });
        auto report = std::async(std::launch::async, [&] { return dispatcher.run([] {}, signals.ends[0]); });
        eventually([&] { return by_old == 1; });
        signals.send(SIGHUP);
        eventually([&] { return asked == 1; });
        signals.send(SIGHUP);
        eventually([&] { return asked == 2; });
        const SpoolId later = outbox.add(kA, "later");
        const SpoolId other = outbox.add(kB, "other");
        eventually([&] { return outbox.receipts().contains(later) && outbox.receipts().contains(other); });
        CHECK(by_new == 1);
        CHECK_FALSE(outbox.receipts().contains(held));
        CHECK(by_old == 1);
        signals.send(SIGTERM);
        signals.send(SIGTERM);
        const auto ended = report.get();
        REQUIRE(ended);
        CHECK(ended.value().remaining == 1);
    }

    TEST_CASE("SIGHUP: a register that is not named any more gets nothing new, until it is named again") {
        const TempFolder folder;
        OutboxDouble outbox(folder.path());
        const SpoolId held = outbox.add(kA, "held");
        std::atomic<int> to_old = 0, asked = 0;
        const Signals signals;
        auto routes = route(kA, [&](const Post&) -> std::optional<Outcome> {
            ++to_old;
            return std::nullopt;
        });
        Dispatcher dispatcher(quick(false), std::move(routes), outbox, system_clock(), forward::random_draw());
        dispatcher.on_hangup([&]() -> std::optional<forward::DispatcherChange> {
            auto next = route(kB, always(Kind::answered));
            if (++asked == 2)
                next.emplace(kA, Dispatcher::Route{2, std::make_unique<PosterDouble>(always(Kind::answered))});
            return forward::DispatcherChange{quick(false), std::move(next)};
        });
        auto report = std::async(std::launch::async, [&] { return dispatcher.run([] {}, signals.ends[0]); });
        eventually([&] { return to_old == 1; });
        signals.send(SIGHUP);
        eventually([&] { return asked == 1; });
        const SpoolId later = outbox.add(kA, "later");
        const SpoolId other = outbox.add(kB, "other");
        eventually([&] { return outbox.receipts().contains(other); });
        eventually([&] { return outbox.health().size() == 1; });
        CHECK_FALSE(outbox.receipts().contains(later));
        CHECK(to_old == 1);
        signals.send(SIGHUP);
        eventually([&] { return outbox.receipts().contains(later); });
        signals.send(SIGTERM);
        signals.send(SIGTERM);
        const auto ended = report.get();
        REQUIRE(ended);
        CHECK(ended.value().remaining == 1);
        CHECK_FALSE(outbox.receipts().contains(held));
    }

    TEST_CASE("drain: everything answered") {
        const TempFolder folder;
        OutboxDouble outbox(folder.path());
        for (int i = 0; i < 50; ++i) outbox.add(kA, "melding");
        const auto report = drain(outbox, route(kA, always(Kind::answered)));
        REQUIRE(report);
        CHECK(report.value().remaining == 0);
        CHECK(report.value().away.empty());
        CHECK(outbox.receipts().size() == 50);
        CHECK(outbox.receipts().begin()->second.http_status == 201);
        REQUIRE(outbox.health().size() == 1);
        CHECK(outbox.health()[0].handed_over == 50);
        CHECK(outbox.health()[0].last_success);
        CHECK_FALSE(outbox.health()[0].trouble);
    }

    TEST_CASE("drain: nothing there, nothing done") {
        const TempFolder folder;
        OutboxDouble outbox(folder.path());
        const auto report = drain(outbox, route(kA, always(Kind::answered)));
        REQUIRE(report);
        CHECK(report.value().remaining == 0);
    }

    TEST_CASE("drain: a register that is away is named, the other one served") {
        const TempFolder folder;
        OutboxDouble outbox(folder.path());
        for (int i = 0; i < 20; ++i) outbox.add(kA, "melding");
        for (int i = 0; i < 20; ++i) outbox.add(kB, "melding");
        std::atomic<int> tries{0};
        auto routes = route(kA, [&](const Post&) {
            ++tries;
            return outcome_of(Kind::register_failed, Code::register_tls);
        });
        routes.merge(route(kB, always(Kind::answered)));
        const auto report = drain(outbox, std::move(routes));
        REQUIRE(report);
        CHECK(report.value().remaining == 20);
        CHECK(report.value().away == std::vector<RegisterName>{kA});
        CHECK(outbox.receipts().size() == 20);
        CHECK(tries <= 5);
        CHECK(outbox.health()[0].trouble == Code::register_tls);
        CHECK(outbox.health()[0].failures == static_cast<std::uint64_t>(tries.load()));
    }

    TEST_CASE("drain: a message that fails for itself is tried once") {
        const TempFolder folder;
        OutboxDouble outbox(folder.path());
        outbox.add(kA, "melding");
        std::atomic<int> tries{0};
        const auto report = drain(outbox, route(kA, [&](const Post&) {
                                      ++tries;
                                      return outcome_of(Kind::message_failed);
                                  }));
        REQUIRE(report);
        CHECK(report.value().remaining == 1);
        CHECK(tries == 1);
    }

    TEST_CASE("what is damaged is handed over as such") {
        const TempFolder folder;
        OutboxDouble outbox(folder.path());
        const SpoolId damaged_body = outbox.add(kA, "melding");
        const auto first = drain(outbox, route(kA, always(Kind::damaged, Code::record_damaged)));
        REQUIRE(first);
        const SpoolId damaged_record = outbox.add(kA, "melding");
        outbox.break_record(damaged_record, Code::record_damaged);
        const SpoolId no_record = outbox.add(kA, "melding");
        outbox.break_record(no_record, Code::record_form);
        const SpoolId bad_signature = outbox.add(kA, "melding");
        outbox.change_record(bad_signature, [](forward::Record& record) { record.signature = "x\r\nX-Evil: 1"; });
        const auto report = drain(outbox, route(kA, always(Kind::answered)));
        REQUIRE(report);
        CHECK(report.value().remaining == 0);
        const auto receipts = outbox.receipts();
        for (const SpoolId& id : {damaged_body, damaged_record, no_record, bad_signature}) {
            REQUIRE(receipts.contains(id));
            CHECK(receipts.at(id).kind == Receipt::Kind::local);
        }
        CHECK(receipts.at(damaged_body).code == Code::record_damaged);
        CHECK(receipts.at(no_record).code == Code::record_form);
    }

    TEST_CASE("what vanished meanwhile, and what is for no register of ours, is let be") {
        const TempFolder folder;
        OutboxDouble outbox(folder.path());
        const SpoolId gone = outbox.add(kA, "melding");
        outbox.break_record(gone, Code::not_found);
        outbox.add(kB, "melding");
        const auto report = drain(outbox, route(kA, always(Kind::answered)));
        REQUIRE(report);
        CHECK(report.value().remaining == 2);
        CHECK(outbox.receipts().empty());
    }

    TEST_CASE("a message that the core leaves is sent again, one that it takes is forgotten") {
        const TempFolder folder;
        OutboxDouble outbox(folder.path());
        const SpoolId id = outbox.add(kA, "melding");
        Running running(quick(false), route(kA, always(Kind::answered)), outbox);
        for (unsigned round = 1; round <= 3; ++round) {
            eventually([&] { return outbox.receipts_written() == round; });
            outbox.take(id, round == 3);
        }
        eventually([&] { return outbox.health().at(0).handed_over == 0; });
        CHECK(outbox.receipts_written() == 3);
    }

    TEST_CASE("later is later: tried again until it is answered") {
        const TempFolder folder;
        OutboxDouble outbox(folder.path());
        for (int i = 0; i < 5; ++i) outbox.add(kA, "melding");
        std::atomic<int> tries{0};
        Running running(quick(false),
                        route(kA,
                              [&](const Post&) {
                                  const int number = ++tries;
                                  if (number > 8) return outcome_of(Kind::answered);
                                  return outcome_of(number % 2 == 0 ? Kind::message_failed : Kind::register_failed);
                              }),
                        outbox);
        eventually([&] { return outbox.receipts().size() == 5; });
        eventually([&] { return !outbox.health().at(0).trouble; });
        CHECK(outbox.health()[0].failures == 0);
    }

    TEST_CASE("a new entry is seen at once where the folder can be watched") {
        const TempFolder folder;
        const TempFolder elsewhere;
        OutboxDouble outbox(folder.path());
        DispatcherSettings settings = quick(false);
        settings.poll = 1h;
        outbox.add(kA, "melding");
        Running running(settings, route(kA, always(Kind::answered)), outbox);
        // The first is found by the listing at the start, before which the watch stands.
        eventually([&] { return outbox.receipts().size() == 1; });
        const auto appear = [&](const std::string& name) {
            std::filesystem::create_directory(elsewhere.path() / name);
            std::filesystem::rename(elsewhere.path() / name, folder.path() / name);
        };
        appear("stranger");
        const SpoolId id = outbox.add(kA, "melding");
        appear(id.str());
        eventually([&] { return outbox.receipts().contains(id); });
    }

    TEST_CASE("where it cannot be watched it is listed from time to time") {
        OutboxDouble outbox("/no/such/folder");
        Running running(quick(false), route(kA, always(Kind::answered)), outbox);
        outbox.add(kA, "melding");
        eventually([&] { return outbox.receipts().size() == 1; });
    }

    TEST_CASE("stop: what is under way ends first, nothing new is begun") {
        const TempFolder folder;
        OutboxDouble outbox(folder.path());
        for (int i = 0; i < 5; ++i) outbox.add(kA, "melding");
        std::promise<void> begun;
        std::promise<void> release;
        std::shared_future<void> gate = release.get_future().share();
        std::atomic<int> tries{0};
        class Slow : public Poster {
          public:
            Slow(std::promise<void>& started, std::shared_future<void> go_on, std::atomic<int>& count)
                : started_(&started), go_on_(std::move(go_on)), count_(&count) {}
            ~Slow() override {
                for (std::thread& thread : threads_) thread.join();
            }
            void post(Post, Done done) override {
                if (++*count_ == 2) started_->set_value();
                threads_.emplace_back([done = std::move(done), go_on = go_on_] {
                    go_on.wait();
                    done(outcome_of(Kind::answered));
                });
            }
            void cut() override {}

          private:
            std::promise<void>* started_;
            std::shared_future<void> go_on_;
            std::atomic<int>* count_;
            std::vector<std::thread> threads_;
        };
        std::map<RegisterName, Dispatcher::Route> routes;
        routes.emplace(kA, Dispatcher::Route{2, std::make_unique<Slow>(begun, gate, tries)});
        Running running(quick(false), std::move(routes), outbox);
        begun.get_future().wait();
        running.dispatcher.stop();
        release.set_value();
        const auto report = running.report.get();
        REQUIRE(report);
        CHECK(outbox.receipts().size() == 2);
        CHECK(report.value().remaining == 3);
    }

    TEST_CASE("stop: a second request, or the end of the grace, cuts") {
        for (const bool twice : {true, false}) {
            CAPTURE(twice);
            const TempFolder folder;
            OutboxDouble outbox(folder.path());
            outbox.add(kA, "melding");
            std::promise<void> begun;
            DispatcherSettings settings = quick(false);
            if (!twice) settings.stop_grace = 50ms;
            Running running(settings,
                            route(kA,
                                  [&](const Post&) -> std::optional<Outcome> {
                                      begun.set_value();
                                      return std::nullopt;
                                  }),
                            outbox);
            begun.get_future().wait();
            running.dispatcher.stop();
            if (twice) running.dispatcher.stop();
            const auto report = running.report.get();
            REQUIRE(report);
            CHECK(report.value().remaining == 1);
        }
    }

    TEST_CASE("a failed sync ends the forwarder, a full disk does not") {
        const TempFolder folder;
        OutboxDouble outbox(folder.path());
        outbox.add(kA, "melding");
        outbox.fail_receipts(Code::disk_full);
        const auto full = drain(outbox, route(kA, always(Kind::answered)));
        REQUIRE(full);
        CHECK(full.value().remaining == 1);
        outbox.fail_receipts(Code::fsync_failed);
        const auto failed = drain(outbox, route(kA, always(Kind::answered)));
        REQUIRE_FALSE(failed);
        CHECK(failed.error().code() == Code::fsync_failed);
    }

    TEST_CASE("over real TLS: a register that hangs holds nobody up") {
        const Stage& stage = Stage::get();
        TlsServer hanging(stage.server_options(), [](ServerConnection& connection) { connection.hang(); });
        TlsServer answering(stage.server_options(), [](ServerConnection& connection) {
            if (!connection.handshake()) return;
            while (const auto request = connection.read_request()) {
                connection.send(
                    http_answer(201, receipt_json(request->headers.at("idempotency-key"), request->body_sha256)));
            }
        });
        const TempFolder folder;
        OutboxDouble outbox(folder.path());
        for (int i = 0; i < 10; ++i) outbox.add(kA, "melding");
        for (int i = 0; i < 40; ++i) outbox.add(kB, std::string(static_cast<std::size_t>(i) * 10'000, 'x'));
        std::map<RegisterName, Dispatcher::Route> routes;
        for (const auto& [name, port] : {std::pair{kA, hanging.port()}, std::pair{kB, answering.port()}}) {
            auto endpoint = forward::make_endpoint(stage.settings(port), posix_file_system(), system_clock());
            REQUIRE(endpoint);
            routes.emplace(name, Dispatcher::Route{4, std::move(endpoint).value()});
        }
        DispatcherSettings settings = quick(false);
        settings.limits.overall = 5;
        Running running(settings, std::move(routes), outbox);
        eventually([&] { return outbox.receipts().size() == 40; });
        CHECK(answering.connections() <= 4);
        eventually([&] { return outbox.health().at(0).in_flight > 0; });
    }
}

}  // namespace
