#include "queue/journal_rebuild.h"

#include "audit/checkpoints.h"
#include "queue/recovery.h"
#include "tests/queue/copy_fixture.h"

namespace tpf::queue::test {

using tpf::test::Stopped;

namespace {

void check_equal(const Tables& now, const Tables& before) {
    for (const auto& before_table : before) {
        const auto& table = before_table.first;
        const auto& rows = before_table.second;
        CAPTURE(table);
        CHECK(now.at(table).size() == rows.size());
        for (std::size_t i = 0; i < std::min(rows.size(), now.at(table).size()); ++i) {
            CAPTURE(i);
            CHECK(now.at(table)[i] == rows[i]);
        }
    }
}

/// All but what the rebuild logged, which is the log's end.
Tables without_rebuilt(Tables tables, std::size_t logged = 1) {
    auto& audit = tables["audit"];
    for (std::size_t i = 0; i < logged; ++i) {
        CHECK(audit.back().find("|rebuilt|kari|") != std::string::npos);
        audit.pop_back();
    }
    return tables;
}

struct RebuildFixture : CopyFixture {
    RebuildReport rebuild() { return get(rebuild_journal(order())); }
    /// In the spool as a source would: claimed by the journal where `known`.
    SpoolId handed(const std::string& body) { return get(hand_over(*spool, body)).id; }
    SpoolId in_work(const std::string& body) {
        const SpoolId id = handed(body);
        good(spool->claim(id));
        return id;
    }
    void publish(const SpoolId& id, const std::string& body, const MessageName& name) {
        auto output = get(spool->begin_output(id));
        good(output.body().write(as_bytes(body)));
        good(output.seal({id, name, iplos(), body.size(), digest_of(body), kSignature}));
        good(spool->publish(id));
    }
};

}  // namespace

TEST_SUITE("queue/journal_rebuild") {
    TEST_CASE_FIXTURE(RebuildFixture, "after random changes the copy alone gives the same journal, row by row") {
        for (int round = 0; round < 6; ++round) {
            segment_bytes = std::uint64_t{4000} << round;
            open();
            for (int i = 0; i < 150; ++i) random_change();
            close();
            const Tables before = tables_of(path);
            remove_journal();
            const RebuildReport report = rebuild();
            CHECK(report.entries_lost_from == 0);
            CHECK(report.kept.empty());
            CHECK(report.copy.entries == before.at("audit").size());
            check_equal(without_rebuilt(tables_of(path)), before);
            CHECK(inspect().good());
            open();
            close();
            check_copy_is_whole();
        }
    }

    TEST_CASE_FIXTURE(RebuildFixture, "from the damaged journal alone: what does not lie on its bad pages") {
        open();
        for (int i = 0; i < 200; ++i) delivered();  // so that most pages are rows, few the schema
        close();
        const Tables before = tables_of(path);
        std::filesystem::remove_all(copy);
        // In the middle, with rows of the audit log: a page of an index would be no loss.
        const std::size_t at = content(path).find("pseudonymised", std::filesystem::file_size(path) / 2);
        REQUIRE(at != std::string::npos);
        zero_page(static_cast<int>(at / 4096) + 1);
        CHECK_FALSE(inspect().good());
        const RebuildReport report = rebuild();
        CHECK_FALSE(report.database.trouble.empty());
        CHECK(report.messages + report.entries > 30);
        CHECK(report.names == report.messages);
        REQUIRE(report.kept.size() == 1);
        CHECK(std::filesystem::exists(report.kept[0]));
        CHECK(inspect().good());
        std::uint64_t others = 0;  // rows that had to be written anew, because a text that they name is gone
        const auto& rows = before.at("messages");
        const Tables now = tables_of(path);
        for (const std::string& row : now.at("messages"))
            if (std::find(rows.begin(), rows.end(), row) == rows.end()) ++others;
        CHECK(others <= report.marks_lost + report.settings_lost);
        CHECK(others >= std::max(report.marks_lost, report.settings_lost));
    }

    TEST_CASE_FIXTURE(RebuildFixture, "from both: the copy lacks the end, the journal a page, nothing is lost") {
        segment_bytes = 40000;
        open();
        for (int i = 0; i < 200; ++i) delivered();  // so that most pages are rows, few the schema
        close();
        const Tables before = tables_of(path);
        std::filesystem::remove(segments().back());
        const int pages = static_cast<int>(std::filesystem::file_size(path) / 4096);
        int whole = 0;
        for (const int page : {1, 2, pages / 3, pages / 2}) {
            const std::string journal_before = content(path);
            zero_page(page);
            if (inspect().good()) continue;  // it was a page of an index
            const RebuildReport report = rebuild();
            const bool lost =
                report.messages < before.at("messages").size() || report.entries <= before.at("audit").size();
            if (!lost) {
                ++whole;
                check_equal(without_rebuilt(tables_of(path)), before);
            }
            CHECK(inspect().good());
            for (const std::string& kept : report.kept) std::filesystem::remove(kept);
            put(path, journal_before);
            std::filesystem::remove(path.string() + "-wal");
        }
        CHECK(whole > 0);
    }

    TEST_CASE_FIXTURE(RebuildFixture, "a journal that is not a database, or is cut off") {
        open();
        for (int i = 0; i < 20; ++i) delivered();
        close();
        const Tables before = tables_of(path);
        for (const std::size_t size : {std::size_t{0}, std::size_t{10}, std::size_t{4096}, std::size_t{30000}}) {
            put(path, content(path).substr(0, size));
            CHECK_FALSE(inspect().good());
            const RebuildReport report = rebuild();
            check_equal(without_rebuilt(tables_of(path)), before);
            REQUIRE(report.kept.size() == 1);
            std::filesystem::remove(report.kept[0]);
        }
    }

    TEST_CASE_FIXTURE(RebuildFixture, "an older journal that was put back: every name that was delivered is known") {
        open();
        delivered();
        close();
        const std::string old = content(path);
        open();
        const std::string meldings_id = MeldingsId::random().str();
        const SpoolId first = claimed();
        pass(first, "melding", meldings_id);
        deliver(first);
        close();
        const Tables before = tables_of(path);
        put(path, old);
        CHECK_FALSE(try_open().has_value());
        rebuild();
        check_equal(without_rebuilt(tables_of(path)), before);
        open();
        const SpoolId again = claimed();
        const auto outcome =
            get(journal->commit_pass(again, result_of("melding", name_of(meldings_id)), {}, pass_entries()));
        CHECK(outcome.kind == PassOutcome::Kind::duplicate);
        CHECK(outcome.other == first);
    }

    TEST_CASE_FIXTURE(RebuildFixture, "an entry that is not its source's own has no sender: it cannot pass") {
        for (const bool forged : {false, true}) {
            open();
            close();
            remove_journal();
            std::filesystem::remove_all(copy);
            const SpoolId id = in_work("en melding");
            strangers = forged;
            rebuild();
            open();
            const auto row = get(journal->find(id));
            REQUIRE(row);
            CHECK((row->source == "unknown") == forged);
            CHECK(row->sender.has_value() != forged);
            close();
            for (const std::string& kept : {path.string(), path.string() + "-wal"}) std::filesystem::remove(kept);
            std::filesystem::remove_all(copy);
        }
    }

    TEST_CASE_FIXTURE(RebuildFixture,
                      "a backup that was put back and worked on without its copy: the journal's history counts, and no "
                      "name of the other one is forgotten") {
        open();
        delivered();
        close();
        const std::string backup = content(path);
        open();
        const std::string both = MeldingsId::random().str();
        const std::string copy_only = MeldingsId::random().str();
        for (const std::string& id : {both, copy_only}) {
            const SpoolId sent = claimed();
            pass(sent, "melding " + id, id);
            deliver(sent);
        }
        close();
        const Path away = folder.path() / "away";
        std::filesystem::rename(copy, away);
        put(path, backup);
        open();
        const SpoolId again = claimed();  // the sender sent the first one once more
        pass(again, "melding " + both, both);
        deliver(again);
        for (int i = 0; i < 5; ++i) delivered();
        close();
        const Tables before = tables_of(path);
        std::filesystem::remove_all(copy);
        std::filesystem::rename(away, copy);
        CHECK_FALSE(try_open().has_value());

        const RebuildReport report = rebuild();
        CHECK(report.copy.foreign_lines > 0);
        CHECK(report.names_twice > 0);
        CHECK(report.entries_lost_from == 0);
        REQUIRE(report.kept.size() == 2);  // the journal as it was, and the other history
        CHECK(inspect().good());
        const Tables now = tables_of(path);
        CHECK(without_rebuilt(now).at("audit") == before.at("audit"));
        CHECK(now.at("messages").size() == before.at("messages").size() + 1);
        open();
        for (const std::string& id : {both, copy_only}) {
            const SpoolId resent = claimed();
            const auto outcome =
                get(journal->commit_pass(resent, result_of("other bytes", name_of(id)), {}, pass_entries()));
            CHECK(outcome.kind == PassOutcome::Kind::conflict);
        }
        close();
        check_copy_is_whole();
    }

    TEST_CASE_FIXTURE(RebuildFixture, "a copy of another installation changes nothing that the journal says") {
        open();
        delivered();
        for (int i = 0; i < 3; ++i) claimed();
        close();
        const Path foreign = folder.path() / "foreign";
        std::filesystem::rename(copy, foreign);
        remove_journal();
        open();
        for (int i = 0; i < 20; ++i) delivered();
        close();
        const Tables before = tables_of(path);
        std::filesystem::remove_all(copy);
        std::filesystem::rename(foreign, copy);
        const RebuildReport report = rebuild();
        CHECK(report.copy.foreign_lines > 0);
        CHECK(report.copy.entries == 0);
        CHECK(report.names_twice == 0);
        CHECK(report.messages == before.at("messages").size());
        const Tables now = without_rebuilt(tables_of(path));
        CHECK(now.at("audit") == before.at("audit"));
        for (const std::string& row : before.at("messages"))
            CHECK(std::find(now.at("messages").begin(), now.at("messages").end(), row) != now.at("messages").end());
    }

    TEST_CASE_FIXTURE(RebuildFixture,
                      "entries that neither has are told of, the copy is kept aside, and all names are there") {
        segment_bytes = 6000;
        open();
        for (int i = 0; i < 8; ++i) delivered();
        for (const MessageRow& row : get(journal->list({})))  // so that each row comes once more
            good(journal->answered(row.id, row.revision, entry(AuditKind::answered)));
        close();
        remove_journal();
        const auto files = segments();
        REQUIRE(files.size() > 4);
        std::filesystem::remove(files[2]);
        const RebuildReport report = rebuild();
        CHECK(report.entries_lost_from > 1);
        CHECK(report.entries_lost_to > report.entries_lost_from);
        REQUIRE(report.kept.size() == 1);
        CHECK(std::filesystem::is_directory(report.kept[0]));
        CHECK(report.names == 8);
        CHECK(inspect().good());
        open();
        close();
        check_copy_is_whole();
    }

    TEST_CASE_FIXTURE(RebuildFixture, "checkpoints that others cosigned are taken over") {
        open();
        delivered();
        const audit::SignedNote note{get(audit::Checkpoint{"unit/tpf/1", {2, sha256("root")}}.str()),
                                     {{"IPLOS", 7, Bytes{1, 2, 3}}}};
        AuditEntry cosigned(AuditKind::witnessed, "tpfd");
        good(journal->record(cosigned.witnessed({"IPLOS", 2, get(note.str())})));
        close();
        RebuildOrder order = this->order();
        order.carry_notes = audit::carry_notes;
        static_cast<void>(get(rebuild_journal(order)));
        auto made = get(sqlite::Database::inspect(path));
        const auto kept = get(audit::kept_notes(made, {}, 10));
        REQUIRE(kept.size() == 1);
        CHECK(kept[0].witness == "IPLOS");
        CHECK(kept[0].note == get(note.str()));
    }

    TEST_CASE_FIXTURE(RebuildFixture, "a log that lost entries goes by another name, a whole one does not") {
        segment_bytes = 6000;
        open();
        for (int i = 0; i < 8; ++i) delivered();
        close();
        RebuildOrder order = this->order();
        order.renamed = [](sqlite::Database& made) { return audit::next_origin_entry(made, "kari", "unit/tpf/2"); };
        CHECK_FALSE(get(rebuild_journal(order)).renamed);
        remove_journal();
        const auto files = segments();
        REQUIRE(files.size() > 4);
        std::filesystem::remove(files[2]);
        CHECK(get(rebuild_journal(order)).renamed);
        auto made = get(sqlite::Database::inspect(path));
        CHECK(get(audit::log_origin(made)) == "unit/tpf/2");
        const auto last = get(audit::EventLog::list(made, {.kind = AuditKind::log_origin}));
        REQUIRE(last.size() == 1);
        CHECK(last[0].actor == "kari");
        CHECK(last[0].fields.find("\"reason\":\"test\"") != std::string::npos);
    }

    TEST_CASE_FIXTURE(RebuildFixture, "what only the spool knows is taken in, and the next start carries on") {
        open();
        delivered();
        close();
        remove_journal();
        const std::string meldings_id = MeldingsId::random().str();
        const SpoolId sealed = in_work("sendt");
        publish(sealed, "ut:sendt", name_of(meldings_id));
        const SpoolId working = in_work("i arbeid");
        const SpoolId kept = in_work("i karantene");
        good(spool->quarantine(kept));
        const SpoolId fresh = handed("i innboksen");
        const RebuildReport report = rebuild();
        CHECK(report.spool.committed == 1);
        CHECK(report.spool.claimed == 1);
        CHECK(report.spool.quarantined == 1);
        CHECK(inspect().good());
        open();
        get(recover(*spool, *journal, clock));
        const auto row = [this](const SpoolId& id) { return get(journal->find(id)); };
        CHECK(row(sealed)->state == State::committed);
        CHECK(row(sealed)->name == name_of(meldings_id));
        CHECK(row(sealed)->input_sha256 == digest_of("sendt"));
        CHECK(row(sealed)->output_sha256 == digest_of("ut:sendt"));
        CHECK(row(working)->state == State::claimed);
        CHECK(get(journal->settings(row(working)->settings)) == kSettings);
        CHECK(row(kept)->state == State::quarantined);
        CHECK(row(kept)->code == Code::rebuilt);
        CHECK_FALSE(row(fresh).has_value());
        CHECK(events(*journal, AuditKind::rebuilt) == 4);
        deliver(sealed);
        const SpoolId again = claimed();
        CHECK(get(journal->commit_pass(again, result_of("sendt", name_of(meldings_id)), {}, pass_entries())).kind ==
              PassOutcome::Kind::duplicate);
    }

    TEST_CASE_FIXTURE(RebuildFixture,
                      "an output without its submission counts as committed, and the name never as new") {
        const SpoolId sealed = in_work("sendt");
        const std::string meldings_id = MeldingsId::random().str();
        publish(sealed, "ut:sendt", name_of(meldings_id));
        good(fs.remove_tree(spool->folders().work / sealed.view()));
        CHECK(rebuild().spool.committed == 1);
        CHECK(inspect().good());
        open();
        const SpoolId again = claimed();
        CHECK(get(journal->commit_pass(again, result_of("sendt", name_of(meldings_id)), {}, pass_entries())).kind ==
              PassOutcome::Kind::conflict);
    }

    TEST_CASE_FIXTURE(RebuildFixture, "an output in outbox whose commit was lost: committed, not made again") {
        open();
        const SpoolId id = in_work("sendt");
        static_cast<void>(get(journal->claim(claim_of(id), entry(AuditKind::received))));
        close();
        publish(id, "ut:sendt", name_of(kMeldingsId));
        remove_journal();
        CHECK(rebuild().spool.committed == 1);
        open();
        CHECK(get(journal->find(id))->state == State::committed);
        close();
        CHECK(inspect().good());
    }

    TEST_CASE_FIXTURE(
        RebuildFixture,
        "ended at every call of the file system: the old journal or the new, and once more makes it good") {
        open();
        for (int i = 0; i < 4; ++i) delivered();
        close();
        const Tables before = tables_of(path);
        const std::string damaged = content(path).substr(0, 9000);
        const auto files = segments();
        const std::string copied_before = content(files.back());
        std::uint64_t calls = 0, fired = 0;
        for (std::uint64_t n = 0; n == 0 || n <= calls; ++n) {
            for (const Loss loss : {Loss::none, Loss::unsynced}) {
                CAPTURE(n);
                for (const auto& one : std::filesystem::directory_iterator(folder.path())) {
                    if (one.path().filename().string().starts_with("journal.db")) std::filesystem::remove(one.path());
                }
                put(path, damaged);
                FaultFs faulty(folder.path());
                if (n > 0) faulty.stop_at(n);
                try {
                    static_cast<void>(rebuild_journal(order(faulty)).has_value());
                } catch (const Stopped&) {
                    ++fired;
                }
                if (n == 0) calls = faulty.calls();
                const std::string where = faulty.fired();
                CAPTURE(where);
                faulty.crash(loss);
                get(finish_rebuild(posix_file_system(), path));
                const bool is_new = inspect().good();
                if (!is_new) {
                    CHECK(content(path) == damaged);
                    rebuild();
                }
                check_equal(without_rebuilt(tables_of(path)), before);
                CHECK(content(files.back()) == copied_before);
            }
        }
        MESSAGE("calls ", calls, ", ended ", fired);
        CHECK(fired == 2 * calls);
        CHECK(calls > 10);
    }

    TEST_CASE_FIXTURE(RebuildFixture, "what another version wrote is not taken for damage: nothing is made of it") {
        open();
        delivered();
        close();
        SUBCASE("the journal") {
            sqlite3* db = nullptr;
            REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
            REQUIRE(sqlite3_exec(db, "PRAGMA user_version=1", nullptr, nullptr, nullptr) == SQLITE_OK);
            sqlite3_close(db);
        }
        SUBCASE("its copy") {
            make_copy_older();
            remove_journal();
        }
        const auto refused = rebuild_journal(order());
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().code() == Code::journal);
        CHECK(refused.error().detail().find("this program knows") != std::string::npos);
        CHECK(std::filesystem::exists(copy));
    }

    TEST_CASE_FIXTURE(RebuildFixture, "settings and lists that nobody has any more") {
        open();
        committed();
        close();
        const std::string whole = content(segments()[0]);
        std::istringstream lines(whole);
        std::string first, second;
        std::getline(lines, first);
        std::getline(lines, second);
        remove_journal();
        put(segments()[0], second + "\n");  // the first line had the settings
        const RebuildReport report = rebuild();
        CHECK(report.entries_lost_from == 1);
        CHECK(report.settings_lost == 0);  // they are the present ones
        RebuildOrder other = order();
        CHECK(inspect().good());
        put(path, "");
        std::filesystem::remove_all(copy);
        std::filesystem::create_directory(copy);
        put(copy / segment_name(1), second + "\n");
        other.settings = R"({"versjon":9})";
        CHECK(get(rebuild_journal(other)).settings_lost == 1);
        CHECK(inspect().good());
    }
}

}  // namespace tpf::queue::test
