#include "daemon/commands.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "audit/event_log.h"
#include "base/encoding.h"
#include "tests/daemon/core_fixture.h"

namespace tpf::daemon::test {
namespace {

using queue::State;

/// An operator's commands; what they hand on is worked on by the coordinator's workers, its loop does not run.
struct CommandsFixture : CoreFixture {
    Coordinator coordinator{core, wake.get(), -1};
    Commands commands{core, coordinator};
    Pipeline pipeline{core};

    Result<Json> ask(const char* command, Json args, std::string_view body = {}, const Operator& who = {1001, "kari"}) {
        return ask(command, std::move(args), body, who, commands);
    }
    static Result<Json> ask(const char* command, Json args, std::string_view body, const Operator& who, Commands& of) {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        const UniqueFd near(ends[0]), far(ends[1]);
        REQUIRE(::send(far.get(), body.data(), body.size(), 0) == static_cast<ssize_t>(body.size()));
        ControlStream stream(near.get());
        return of.run({{"command", command}, {"args", std::move(args)}, {"body", body.size()}}, who, stream);
    }
    Result<Json> change(const char* command, const SpoolId& id) {
        return ask(command, {{"id", id.str()}, {"reason", "a test"}});
    }
    Result<Json> confirm(const SpoolId& id, const Operator& who = {1002, "ola"}) {
        return ask("queue discard", {{"id", id.str()}, {"reason", "seen"}, {"confirm", true}}, {}, who);
    }
    Result<Json> confirm_delete(const SpoolId& id, const Operator& who = {1002, "ola"}) {
        return ask("audit delete-list", {{"id", id.str()}, {"reason", "the law"}, {"confirm", true}}, {}, who);
    }
    /// By kari, approved by ola.
    std::string asked_for(const char* command, Json args) { return asked_for(command, std::move(args), commands); }
    std::string asked_for(const char* command, Json args, Commands& of) {
        args["reason"] = "insight";
        const std::string request = get(ask(command, std::move(args), {}, {1001, "kari"}, of))["request"];
        get(ask("audit approve", {{"request", request}, {"reason", "seen"}}, {}, {1002, "ola"}, of));
        return request;
    }
    /// The first one of a message that is published.
    std::string pseudonym_in(const SpoolId& id) {
        const std::string output = content(at().outbox / id.view() / queue::kMelding);
        return output.substr(output.find("<p:Pseudonym>1-") + 13, 34);
    }
    Result<Json> answer(const std::string& request) { return ask("audit answer", {{"request", request}}); }
    /// The newest entry of a kind.
    std::string audited(AuditKind kind) {
        audit::EventFilter filter;
        filter.kind = kind;
        filter.newest_first = true;
        std::string last;
        get(journal->ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(const auto events, audit::EventLog::list(db, filter));
            if (!events.empty()) last = events.front().actor + " " + events.front().fields;
            return ok();
        }));
        return last;
    }
    Json show(const std::string& id) { return get(ask("queue show", {{"id", id}})); }

    /// While this thread's `mine` is at `call` on `path`, another begins `other`; whether that one ended before this
    /// one went on. A tenth of a second is long enough for either: what waits for a lock waits for longer.
    template <class Mine, class Other>
    bool overtaken(Call call, const Path& path, const Mine& mine, const Other& other) {
        std::atomic<bool> begun = false, ended = false, early = false;
        std::thread second;
        hooked.hook([&](Call now, const Path& at) -> Status {
            if (now != call || at != path || begun.exchange(true)) return ok();
            second = std::thread([&] {
                other();
                ended = true;
            });
            for (int i = 0; i < 20 && !ended; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
            early = ended.load();
            return ok();
        });
        mine();
        REQUIRE(begun);
        second.join();
        hooked.hook({});
        return early;
    }
    void until_state(const SpoolId& id, State state) {
        for (int i = 0; i < 2000 && row(id).state != state; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        REQUIRE(row(id).state == state);
    }
    /// Good bytes that lie in quarantine.
    SpoolId kept() {
        const SpoolId id = handed_over(submission().build());
        get(pipeline.process(id));
        good(journal->quarantine(id, {.code = Code::register_refused, .reason = "refused"},
                                 entry(AuditKind::quarantined)));
        good(spool->quarantine(id));
        return id;
    }
    [[nodiscard]] bool anywhere(const SpoolId& id) const {
        return there(at().inbox_new, id) || there(at().work, id) || there(at().outbox, id) ||
               there(at().quarantine, id) || std::filesystem::exists(at().output(id));
    }
};

}  // namespace

TEST_SUITE("daemon/commands") {
    TEST_CASE_FIXTURE(CommandsFixture, "a discard waits for the worker that puts the message into quarantine") {
        const SpoolId id = handed_over("ikke xml");
        Result<Json> answer = fail(Code::internal);
        CHECK_FALSE(overtaken(
            Call::rename, at().outbox / id.view(), [&] { get(pipeline.process(id)); },
            [&] { answer = change("queue discard", id); }));
        CHECK(get(answer)["state"] == "quarantined");
        CHECK(get(confirm(id))["state"] == "discarded");
        CHECK(row(id).state == State::discarded);
        CHECK_FALSE(anywhere(id));
        CHECK(events(*journal, AuditKind::discarded) == 1);
    }

    TEST_CASE_FIXTURE(CommandsFixture,
                      "a discard and a retry in the middle of a pass come too late, and change nothing") {
        for (const char* command : {"queue discard", "queue retry"}) {
            const SpoolId id = handed_over(submission().build());
            Result<Json> answer = fail(Code::internal);
            CHECK_FALSE(overtaken(
                Call::open_read, at().work / id.view() / queue::kInnsending, [&] { get(pipeline.process(id)); },
                [&] { answer = change(command, id); }));
            CHECK(code_of(answer) == Code::usage);
            CHECK(row(id).state == State::committed);
            CHECK(there(at().outbox, id));
        }
        CHECK(events(*journal, AuditKind::discarded) == 0);
        CHECK(events(*journal, AuditKind::retried) == 0);
    }

    TEST_CASE_FIXTURE(CommandsFixture, "a retry waits for the worker, and the message has its second chance") {
        const SpoolId id = handed_over("ikke xml");
        Result<Json> answer = fail(Code::internal);
        CHECK_FALSE(overtaken(
            Call::rename, at().outbox / id.view(), [&] { get(pipeline.process(id)); },
            [&] { answer = change("queue retry", id); }));
        get(answer);
        until_state(id, State::quarantined);
        CHECK(events(*journal, AuditKind::retried) == 1);
        get(pipeline.process(id));  // once the worker has let go of it
        CHECK(events(*journal, AuditKind::quarantined) == 2);
        CHECK(there(at().quarantine, id));
        CHECK_FALSE(there(at().work, id));
    }

    TEST_CASE_FIXTURE(CommandsFixture, "a worker waits for the discard that holds the message") {
        const SpoolId id = kept();
        get(change("queue discard", id));
        CHECK_FALSE(overtaken(
            Call::remove_tree, at().work / id.view(), [&] { get(confirm(id)); },
            [&] { CHECK(get(pipeline.process(id)) == Pipeline::Outcome::done); }));
        CHECK(row(id).state == State::discarded);
        CHECK_FALSE(anywhere(id));
    }

    TEST_CASE_FIXTURE(CommandsFixture, "a discard takes two, and each step stands in the audit log") {
        const SpoolId id = kept();
        CHECK(code_of(confirm(id)) == Code::usage);
        CHECK(audited(AuditKind::operator_action) ==
              R"(ola {"command":"queue discard, confirmed","reason":"seen","refused":"BRUK","was":"quarantined"})");
        const Json asked = get(change("queue discard", id));
        CHECK(asked["state"] == "quarantined");
        CHECK(asked["discard_request"]["by"] == "kari");
        CHECK(audited(AuditKind::operator_action) ==
              R"(kari {"command":"queue discard, requested","reason":"a test","was":"quarantined"})");
        CHECK(show(id.str())["discard_request"]["reason"] == "a test");
        const Json status = get(ask("status", Json::object()));
        CHECK(status["proposals"][0]["subject"] == id.str());
        CHECK(status["findings"].dump().find("kari asked for queue discard " + id.str()) != std::string::npos);
        CHECK(anywhere(id));
        for (const Operator& who : {Operator{1001, "kari"}, Operator{0, "root"}, Operator{1003, "uid 1003"}}) {
            CHECK(code_of(confirm(id, who)) == Code::denied);
            CHECK(audited(AuditKind::operator_action).find(R"("refused":"IKKE_ADGANG")") != std::string::npos);
        }
        CHECK(row(id).state == State::quarantined);
        get(confirm(id));
        CHECK(row(id).state == State::discarded);
        CHECK_FALSE(anywhere(id));
        const std::string entry = audited(AuditKind::discarded);
        CHECK(entry.starts_with("ola {"));
        CHECK(entry.find(R"("asked_by":"kari")") != std::string::npos);
        CHECK(entry.find(R"("reason":"seen")") != std::string::npos);
        CHECK(code_of(confirm(id)) == Code::usage);
        CHECK(get(ask("status", Json::object()))["proposals"].empty());
    }

    TEST_CASE_FIXTURE(CommandsFixture, "a retry drops what was asked for before it") {
        const SpoolId id = kept();
        get(change("queue discard", id));
        get(change("queue retry", id));
        until_state(id, State::committed);
        good(journal->quarantine(id, {.code = Code::register_refused, .reason = "refused"},
                                 entry(AuditKind::quarantined)));
        CHECK(code_of(confirm(id)) == Code::usage);
        CHECK(row(id).state == State::quarantined);
    }

    TEST_CASE_FIXTURE(CommandsFixture, "a discard that cannot be logged is neither asked for nor done") {
        const SpoolId id = kept();
        sink.fail_with = Code::disk_full;
        CHECK_FALSE(change("queue discard", id).has_value());
        sink.fail_with.reset();
        CHECK(code_of(confirm(id)) == Code::usage);
        get(change("queue discard", id));
        sink.fail_with = Code::disk_full;
        CHECK_FALSE(confirm(id).has_value());
        sink.fail_with.reset();
        CHECK(row(id).state == State::quarantined);
        CHECK(anywhere(id));
    }

    TEST_CASE_FIXTURE(CommandsFixture, "a worker waits for the retry that holds the message; it is published once") {
        const SpoolId id = kept();
        CHECK_FALSE(overtaken(
            Call::rename, at().quarantine / id.view(), [&] { get(change("queue retry", id)); },
            [&] { get(pipeline.process(id)); }));
        until_state(id, State::committed);
        get(pipeline.process(id));
        CHECK(there(at().outbox, id));
        CHECK_FALSE(there(at().quarantine, id));
        CHECK(events(*journal, AuditKind::pseudonymised) == 2);
    }

    TEST_CASE_FIXTURE(CommandsFixture, "a message's list is deleted by two, after its entry, and by nobody else") {
        const SpoolId id = handed_over(submission().build());
        get(pipeline.process(id));
        const auto kept = [&] { return std::filesystem::exists(at().list_of(id)); };
        CHECK(code_of(confirm_delete(id)) == Code::usage);
        get(change("audit delete-list", id));
        const Json status = get(ask("status", Json::object()));
        CHECK(status["findings"].dump().find("tpfctl audit delete-list " + id.str() + " --confirm") !=
              std::string::npos);
        for (const Operator& who : {Operator{1001, "kari"}, Operator{0, "root"}, Operator{1003, "uid 1003"}})
            CHECK(code_of(confirm_delete(id, who)) == Code::denied);
        sink.fail_with = Code::disk_full;
        CHECK_FALSE(confirm_delete(id).has_value());
        sink.fail_with.reset();
        CHECK(kept());
        CHECK(events(*journal, AuditKind::list_deleted) == 0);
        get(change("audit delete-list", id));
        get(confirm_delete(id));
        CHECK_FALSE(kept());
        const std::string entry = audited(AuditKind::list_deleted);
        CHECK(entry.starts_with(R"(ola {"reason":"the law","requested_by":"kari","sha256":")"));
        CHECK(code_of(change("audit delete-list", id)) == Code::usage);
    }

    TEST_CASE_FIXTURE(CommandsFixture, "a retry drops the request to delete a list that is made anew") {
        const SpoolId id = kept();
        get(change("audit delete-list", id));
        get(change("queue retry", id));
        until_state(id, State::committed);
        CHECK(code_of(confirm_delete(id)) == Code::usage);
        CHECK(std::filesystem::exists(at().list_of(id)));
    }

    TEST_CASE_FIXTURE(CommandsFixture, "a list of before its register kept none is told of, and two can delete it") {
        const SpoolId id = kept();
        REQUIRE(std::filesystem::exists(at().list_of(id)));
        auto changed = config.now()->reloadable;
        changed.registers.at(iplos()).pseudonym_log = false;
        config.take(changed);
        get(change("queue retry", id));
        until_state(id, State::committed);
        const auto verified = [&] { return get(ask("audit verify", Json::object())); };
        CHECK(verified()["faults"].dump().find("is recorded (entry ") != std::string::npos);
        get(change("audit delete-list", id));
        get(confirm_delete(id));
        CHECK_FALSE(std::filesystem::exists(at().list_of(id)));
        CHECK(verified()["good"] == true);
        // None was ever there.
        const SpoolId other = handed_over(submission().build());
        get(pipeline.process(other));
        CHECK(code_of(change("audit delete-list", other)) == Code::usage);
        CHECK(verified()["good"] == true);
    }

    TEST_CASE_FIXTURE(CommandsFixture, "what removes a deleted list, where a crash came between, leaves the others") {
        const SpoolId gone = handed_over(submission().build());
        const SpoolId stays = handed_over(submission().build());
        for (const SpoolId& id : {gone, stays}) get(pipeline.process(id));
        get(change("audit delete-list", gone));
        get(confirm_delete(gone));
        std::filesystem::copy(at().list_of(stays), at().list_of(gone));
        good(remove_deleted_lists(*journal, *spool));
        CHECK_FALSE(std::filesystem::exists(at().list_of(gone)));
        CHECK(std::filesystem::exists(at().list_of(stays)));
    }

    TEST_CASE_FIXTURE(CommandsFixture, "a look-up is answered once, to who asked, when another one approved") {
        const SpoolId id = handed_over(submission().build());
        get(pipeline.process(id));
        const std::string output = content(at().outbox / id.view() / queue::kMelding);
        const std::string pseudonym = output.substr(output.find("<p:Pseudonym>1-") + 13, 34);
        const std::string request = asked_for("audit pseudonym", {{"pseudonym", pseudonym}});
        CHECK(code_of(ask("audit answer", {{"request", request}}, {}, {1002, "ola"})) == Code::denied);
        const Json found = get(answer(request));
        REQUIRE(found["messages"].size() == 1);
        CHECK(found["messages"][0]["id"] == id.str());
        CHECK(found["looked_before"].empty());
        CHECK(code_of(answer(request)) == Code::not_found);
        CHECK(proposals.list(clock.utc()).empty());
        // What could be undone with it stands in no entry and in no file but the record of the answer.
        const Json again = get(answer(asked_for("audit pseudonym", {{"pseudonym", pseudonym}})));
        CHECK(again["looked_before"].size() == 1);
        get(ask("audit pseudonym", {{"pseudonym", pseudonym}, {"reason", "insight"}}));
        CHECK(content(folder.path() / "journal" / kProposalsFile).find(pseudonym.substr(2)) == std::string::npos);
    }

    TEST_CASE_FIXTURE(CommandsFixture, "the digest of a look-up in the log cannot be tried out with pseudonyms") {
        const auto record_of = [&](const std::string& request) {
            return Json::parse(content(at().root / "lookups" / request));
        };
        const std::string request = asked_for("audit pseudonym", {{"pseudonym", "1-" + std::string(32, 'b')}});
        get(answer(request));
        Json record = record_of(request);
        CHECK(audited(AuditKind::operator_action).find(hex(sha256(record.dump() + "\n"))) != std::string::npos);
        REQUIRE(record.contains("salt"));
        CHECK(get(from_hex(record.at("salt").get<std::string>())).size() == 32);
        const std::string again = asked_for("audit pseudonym", {{"pseudonym", "1-" + std::string(32, 'b')}});
        get(answer(again));
        CHECK(record_of(again).at("salt") != record.at("salt"));
    }

    TEST_CASE_FIXTURE(CommandsFixture, "what is not the pseudonym that is in a list is not found by it") {
        const SpoolId id = handed_over(submission().build());
        get(pipeline.process(id));
        const std::string pseudonym = pseudonym_in(id);
        const auto found = [&](const std::string& text) {
            return get(answer(asked_for("audit pseudonym", {{"pseudonym", text}})))["messages"].size();
        };
        CHECK(found("9" + pseudonym.substr(1)) == 0);
        CHECK(found(pseudonym.substr(0, 33) + (pseudonym[33] == 'a' ? "b" : "a")) == 0);
        CHECK(found(pseudonym) == 1);
    }

    TEST_CASE_FIXTURE(CommandsFixture, "a list that is committed and not yet in its place is found, and no fault") {
        const SpoolId id = handed_over(submission().build());
        get(pipeline.process(id));
        const std::string pseudonym = pseudonym_in(id);
        std::filesystem::rename(at().outbox / id.view(), at().output(id));
        std::filesystem::rename(at().list_of(id), at().output(id) / queue::kPseudonyms);
        const Json before = get(answer(asked_for("audit pseudonym", {{"pseudonym", pseudonym}})));
        CHECK(before["unreadable_lists"] == 0);
        CHECK(before["messages"].size() == 1);
        CHECK(get(ask("audit verify", Json::object()))["good"] == true);
        good(spool->publish(id));
        CHECK(get(answer(asked_for("audit pseudonym", {{"pseudonym", pseudonym}})))["messages"].size() == 1);
    }

    TEST_CASE_FIXTURE(CommandsFixture,
                      "a deletion that was interrupted is told of, finished, and gone from the index") {
        const SpoolId id = handed_over(submission().build());
        get(pipeline.process(id));
        const std::string pseudonym = pseudonym_in(id);
        const auto found = [&](Commands& asked) {
            const std::string request = asked_for("audit pseudonym", {{"pseudonym", pseudonym}}, asked);
            return get(ask("audit answer", {{"request", request}}, {}, {1001, "kari"}, asked))["messages"].size();
        };
        CHECK(found(commands) == 1);
        get(change("audit delete-list", id));
        hooked.hook([&](Call now, const Path& path) -> Status {
            return now == Call::remove_file && path == at().list_of(id) ? fail(Code::io, "a test") : ok();
        });
        CHECK_FALSE(confirm_delete(id).has_value());
        hooked.hook(nullptr);
        REQUIRE(std::filesystem::exists(at().list_of(id)));
        CHECK(found(commands) == 0);
        const Json verified = get(ask("audit verify", Json::object()));
        CHECK(verified["good"] == false);
        CHECK(verified["faults"].dump().find("is deleted, but its file is there") != std::string::npos);
        // As after a crash: an index that has it, opened anew.
        Commands after(core, coordinator);
        CHECK(found(after) == 0);
        for (const auto& run : std::filesystem::directory_iterator(at().root / "occurrence-index"))
            CHECK(content(run.path()).find(id.str()) == std::string::npos);
        CHECK(get(change("audit delete-list", id))["list"] == "deleted");
        CHECK_FALSE(std::filesystem::exists(at().list_of(id)));
        CHECK(get(ask("audit verify", Json::object()))["good"] == true);
        CHECK(code_of(change("audit delete-list", id)) == Code::usage);
    }

    TEST_CASE_FIXTURE(CommandsFixture,
                      "earlier look-ups are found by an index, page by page, and one damaged is told of") {
        for (int i = 0; i < 1350; ++i) {
            AuditEntry lookup(AuditKind::operator_action, "eva");
            lookup.with("command", "audit person").with("step", i % 3 == 0 ? "answered" : "requested");
            good(journal->record(lookup.with("reason", R"(he said "step":"answered")").with("request", "no id")));
        }
        good(journal->ask([](sqlite::Database& db) -> Status {
            TPF_TRY(auto plan,
                    db.prepare("SELECT count(*) FROM audit INDEXED BY audit_answered WHERE kind = 'operator' "
                               "AND instr(fields, '\"step\":\"answered\"') > 0"));
            TPF_TRY(const bool row, plan.step());
            CHECK(row);
            CHECK(plan.number(0) == 450);
            return ok();
        }));
        const std::string pseudonym = "1-" + std::string(32, 'b');
        clock.advance_utc(std::chrono::hours(25));
        const Json first = get(answer(asked_for("audit pseudonym", {{"pseudonym", pseudonym}})))["looked_before"];
        REQUIRE(first.size() == 450);
        CHECK(first[0]["uncertain"] == true);
        const Json second = get(answer(asked_for("audit pseudonym", {{"pseudonym", pseudonym}})))["looked_before"];
        REQUIRE(second.size() == 451);
        CHECK_FALSE(second[450].contains("uncertain"));
    }

    TEST_CASE_FIXTURE(CommandsFixture,
                      "one operator's requests do not fill the list, nor does the service count as one") {
        const Json args{{"pseudonym", "1-" + std::string(32, 'b')}, {"reason", "insight"}};
        for (int i = 0; i < 20; ++i) get(ask("audit pseudonym", args));
        CHECK(code_of(ask("audit pseudonym", args)) == Code::usage);
        get(ask("audit pseudonym", args, {}, {1002, "ola"}));
        CHECK_FALSE(has_name({"tpf", "", ::geteuid()}));
    }

    TEST_CASE_FIXTURE(CommandsFixture, "a stop ends a look-up, which is not answered then, and may be asked again") {
        const std::string request = asked_for("audit pseudonym", {{"pseudonym", "1-" + std::string(32, 'b')}});
        lifecycle.request_stop();
        CHECK(code_of(answer(request)) == Code::unavailable);
        CHECK(audited(AuditKind::operator_action).find("answered") == std::string::npos);
        CHECK(get(ask("audit requests", Json::object()))["requests"].size() == 1);
    }

    TEST_CASE_FIXTURE(CommandsFixture, "a look-up whose answer cannot be logged, or used up, is not answered") {
        const std::string pseudonym = "1-" + std::string(32, 'b');
        const std::string first = asked_for("audit pseudonym", {{"pseudonym", pseudonym}});
        sink.fail_with = Code::disk_full;
        CHECK_FALSE(answer(first).has_value());
        sink.fail_with.reset();
        CHECK(code_of(answer(first)) == Code::not_found);
        const std::string request = asked_for("audit pseudonym", {{"pseudonym", pseudonym}});
        std::filesystem::rename(folder.path() / "journal" / kProposalsFile, folder.path() / "away");
        std::filesystem::create_directory(folder.path() / "journal" / kProposalsFile);
        CHECK_FALSE(answer(request).has_value());
        CHECK(audited(AuditKind::operator_action).find("answered") == std::string::npos);
        std::filesystem::remove(folder.path() / "journal" / kProposalsFile);
        CHECK(get(answer(request))["messages"].empty());
    }

    TEST_CASE_FIXTURE(CommandsFixture, "look-ups run out, and a start forgets them with what they were about") {
        const Json args{{"pseudonym", "1-" + std::string(32, 'b')}, {"reason", "insight"}};
        const std::string old = get(ask("audit pseudonym", args))["request"];
        clock.advance_utc(kApproveWithin + std::chrono::hours(1));
        CHECK(code_of(ask("audit approve", {{"request", old}, {"reason", "seen"}}, {}, {1002, "ola"})) ==
              Code::not_found);
        get(ask("audit pseudonym", args));
        CHECK(get(ask("audit requests", Json::object()))["requests"].size() == 1);
        const SpoolId id = kept();
        get(change("queue discard", id));
        good(forget_lookups(proposals, clock.utc()));
        CHECK(get(ask("audit requests", Json::object()))["requests"].empty());
        REQUIRE(proposals.list(clock.utc()).size() == 1);
        CHECK(proposals.list(clock.utc())[0].subject == id.str());
    }

    TEST_CASE_FIXTURE(CommandsFixture, "a message is shown from the moment that it was handed over") {
        const std::string bytes = submission().build();
        const Json submitted = get(ask("submit", {{"reason", "a test"}, {"sender", "0301-00-974761076"}}, bytes));
        const std::string id = submitted["id"];
        for (const std::string& name : {id, id.substr(0, 8)}) {
            const Json shown = show(name);
            CHECK(shown["id"] == id);
            CHECK(shown["state"] == "inbox");
            CHECK(shown["source"] == "operator");
            CHECK(shown["sender"] == "0301-00-974761076");
            CHECK(shown["bytes"] == bytes.size());
            CHECK(shown["received"] == format_utc(clock.utc()));
        }
        for (const char* command : {"queue retry", "queue discard", "receipt"}) {
            const auto answer = change(command, get(SpoolId::parse(id)));
            CHECK(code_of(answer) == Code::usage);
            CHECK(answer.error().text().find("is not claimed yet") != std::string::npos);
        }
        get(pipeline.process(get(SpoolId::parse(id))));
        CHECK(show(id)["state"] == "committed");
        CHECK(show(id.substr(0, 8))["state"] == "committed");
    }

    TEST_CASE_FIXTURE(CommandsFixture, "what was never handed over, or cannot be told from another, is not found") {
        CHECK(code_of(ask("queue show", {{"id", SpoolId::random().str()}})) == Code::not_found);
        const SpoolId id = handed_over("x");
        std::filesystem::rename(at().inbox_new / id.view(), at().inbox_new / "0d9f2c1a-52a4-4b0f-8f0e-2f6a3f4d2b22");
        std::filesystem::create_directory(at().inbox_new / "0d9f2c1a-52a4-4b0f-8f0e-2f6a3f4d2b23");
        CHECK(code_of(ask("queue show", {{"id", "0d9f2c1a"}})) == Code::not_found);
        CHECK(code_of(ask("queue show", {{"id", "0d9"}})) == Code::not_found);
        CHECK(code_of(ask("queue show", {{"id", ""}})) == Code::not_found);
        // Its record is of another entry: nothing of it is told.
        CHECK(show("0d9f2c1a-52a4-4b0f-8f0e-2f6a3f4d2b22") ==
              Json{{"id", "0d9f2c1a-52a4-4b0f-8f0e-2f6a3f4d2b22"}, {"state", "inbox"}});
    }
}

}  // namespace tpf::daemon::test
