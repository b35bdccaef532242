#include "queue/journal_copy.h"

#include <algorithm>

#include "tests/queue/copy_fixture.h"

namespace tpf::queue::test {
namespace {

void flip_bit(const Path& file, std::size_t at) {
    std::string bytes = content(file);
    REQUIRE(at < bytes.size());
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
    put(file, bytes);
}

std::string joined(const std::vector<std::string>& lines) {
    std::string all;
    for (const std::string& line : lines) all += line + "\n";
    return all;
}

std::size_t count_lines(const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_SUITE("queue/journal_copy") {
    TEST_CASE_FIXTURE(CopyFixture, "each entry is there with the rows that changed with it, for the owner alone") {
        open();
        const SpoolId id = committed("melding");
        close();
        check_copy_is_whole();
        auto reader = get(CopyReader::open(posix_file_system(), copy));
        REQUIRE(get(reader.next()));
        CHECK(reader.line()->settings.size() == 1);
        REQUIRE(get(reader.next()));
        const CopyLine& line = *reader.line();
        REQUIRE(line.messages.size() == 1);
        CHECK(line.messages[0].id == id);
        CHECK(line.messages[0].state == State::committed);
        CHECK(line.settings.empty());
        CHECK(line.marks.size() == 1);
        REQUIRE(line.persons_day.size() == 1);
        CHECK(line.persons_day[0].persons == 2);
        CHECK((std::filesystem::status(copy).permissions() & std::filesystem::perms(0777)) ==
              std::filesystem::perms(0700));
        CHECK((std::filesystem::status(segments()[0]).permissions() & std::filesystem::perms(0777)) ==
              std::filesystem::perms(0600));
        CHECK(inspect().good());
    }

    TEST_CASE_FIXTURE(CopyFixture, "segments are closed by size, and each stands by itself") {
        segment_bytes = 6000;
        open();
        for (int i = 0; i < 10; ++i) delivered();
        close();
        CHECK(segments().size() > 3);
        check_copy_is_whole();
        for (const Path& segment : segments()) {
            std::set<std::string> settings, wanted;
            std::istringstream lines(content(segment));
            for (std::string text; std::getline(lines, text);) {
                const CopyLine line = get(parse_copy_line(text));
                for (const auto& [digest, json] : line.settings) settings.insert(digest);
                for (const MessageRow& row : line.messages) wanted.insert(row.settings);
            }
            CHECK(settings == wanted);
        }
    }

    TEST_CASE_FIXTURE(CopyFixture, "a torn tail is cut off and the line written again") {
        open();
        delivered();
        close();
        const Path last = segments().back();
        const std::string whole = content(last);
        const std::size_t last_line = whole.rfind('\n', whole.size() - 2) + 1;
        for (const std::size_t kept : {whole.size() - 1, whole.size() - 40, last_line + 1, last_line}) {
            put(last, whole.substr(0, kept));
            open();
            close();
            check_copy_is_whole();
        }
        put(last, whole + "{\"form\":\"tpf-co");
        open();
        close();
        check_copy_is_whole();
        put(last, whole.substr(0, last_line) + std::string(500, '\0'));
        open();
        delivered();
        close();
        check_copy_is_whole();
        CHECK(inspect().good());
    }

    TEST_CASE_FIXTURE(CopyFixture, "a segment of which nothing is whole is written anew") {
        open();
        delivered();
        close();
        put(segments().back(), "");
        open();
        close();
        check_copy_is_whole();
        put(segments().back(), "{\"form");
        open();
        close();
        check_copy_is_whole();
    }

    TEST_CASE_FIXTURE(CopyFixture, "a segment with whole lines behind a damaged first one is set aside, each time") {
        segment_bytes = 6000;
        open();
        do {
            delivered();
        } while (segments().size() < 2 || count_lines(content(segments().back())) < 3);
        close();
        const std::string name = segments().back().string();
        for (const char* aside : {".damaged", ".damaged-2", ".damaged-3"}) {
            flip_bit(name, 10);
            const std::string before = content(name);
            open();
            close();
            CHECK(content(name + aside) == before);
            REQUIRE(segments().back().string() == name);
            check_copy_is_whole();
        }
    }

    TEST_CASE_FIXTURE(CopyFixture, "a segment that was full, but not synced, when the process was killed") {
        segment_bytes = 6000;
        open();
        do {
            delivered();
            get(journal->counts());  // after what the answer did not wait for
        } while (content(segments().back()).size() < segment_bytes);
        fs.crash(Loss::none);
        close();
        open();
        close();
        fs.crash(Loss::unsynced);
        check_copy_is_whole();
    }

    TEST_CASE_FIXTURE(CopyFixture, "what the copy lacks is appended from the journal: all of it, or the end") {
        segment_bytes = 6000;
        open();
        for (int i = 0; i < 5; ++i) delivered();
        close();
        const auto files = segments();
        REQUIRE(files.size() > 2);
        std::filesystem::remove(files.back());
        open();
        CHECK(journal->copy_state().kind == CopyState::Kind::current);
        close();
        check_copy_is_whole();
        std::filesystem::remove_all(copy);
        open();
        close();
        check_copy_is_whole();
        CHECK(inspect().good());
    }

    TEST_CASE_FIXTURE(CopyFixture, "much that is missing is appended in steps while the journal works") {
        {
            journal = get(Journal::open(path, log, clock));  // without a copy
            for (int i = 0; i < 1300; ++i) good(journal->record(entry(AuditKind::start)));
        }
        open();
        delivered();
        while (journal->copy_state().kind != CopyState::Kind::current) std::this_thread::yield();
        delivered();
        close();
        check_copy_is_whole();
    }

    TEST_CASE_FIXTURE(CopyFixture, "an older journal that was put back is refused, and nothing is changed by it") {
        open();
        delivered();
        close();
        const std::string old = content(path);
        open();
        delivered();
        close();
        const std::string copy_before = content(segments().back());
        put(path, old);
        const auto refused = try_open();
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().code() == Code::journal);
        CHECK(refused.error().detail().find("older journal") != std::string::npos);
        CHECK(std::string(refused.error().hint()).find("tpfctl journal rebuild") != std::string::npos);
        CHECK(content(segments().back()) == copy_before);
        CHECK(joined(inspect().some).find("older journal was put back") != std::string::npos);
        remove_journal();
        const auto empty = try_open();
        REQUIRE_FALSE(empty.has_value());
        CHECK(empty.error().detail().find("empty or gone") != std::string::npos);
    }

    TEST_CASE_FIXTURE(CopyFixture, "another journal is refused") {
        open();
        delivered();
        close();
        remove_journal();
        journal = get(Journal::open(path, log, clock));
        for (int i = 0; i < 5; ++i) delivered();
        const auto refused = (close(), try_open());
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().code() == Code::journal);
        CHECK(refused.error().detail().find("another one") != std::string::npos);
    }

    TEST_CASE_FIXTURE(CopyFixture, "a copy of another form is left as it is, and status says so") {
        open();
        delivered();
        close();
        make_copy_older();
        const std::string before = content(segments()[0]);
        open();
        delivered();
        const CopyState state = journal->copy_state();
        CHECK(state.kind == CopyState::Kind::away);
        REQUIRE(state.trouble.has_value());
        CHECK(state.trouble->detail().find("has the form tpf-copy-1") != std::string::npos);
        close();
        CHECK(content(segments()[0]) == before);
    }

    TEST_CASE_FIXTURE(CopyFixture, "a bit that turned in the last segment is mended at the start") {
        open();
        for (int i = 0; i < 3; ++i) delivered();
        close();
        flip_bit(segments().back(), content(segments().back()).size() / 2);
        CHECK(inspect().copy_faults > 0);
        open();
        close();
        check_copy_is_whole();
        CHECK(inspect().good());
    }

    TEST_CASE_FIXTURE(CopyFixture,
                      "a bit that turned in a closed segment, and a segment that is gone, are found by the check") {
        segment_bytes = 6000;
        open();
        for (int i = 0; i < 6; ++i) delivered();
        close();
        const auto files = segments();
        REQUIRE(files.size() > 3);
        const std::string first = content(files[0]), second = content(files[1]);
        flip_bit(files[0], 700);
        open();
        close();
        InspectReport report = inspect();
        CHECK(report.copy_faults > 0);
        CHECK(report.copy_faults == report.faults);
        CHECK(joined(report.some).find("00000000000000000001.jsonl line") != std::string::npos);
        put(files[0], first);
        CHECK(inspect().good());
        std::filesystem::remove(files[1]);
        CHECK(joined(inspect().some).find("after entry") != std::string::npos);
    }

    TEST_CASE_FIXTURE(CopyFixture, "a copy that cannot be written keeps nobody, says so, and catches up") {
        for (const Code code : {Code::disk_full, Code::io}) {
            for (const bool half : {false, true}) {
                open();
                delivered();
                if (half) {
                    fs.short_write_at(1);
                } else {
                    fs.fail_at(Call::write, 1, code);
                }
                delivered();
                good(journal->record(entry(AuditKind::start)));
                CopyState state = journal->copy_state();
                CHECK(state.kind == CopyState::Kind::away);
                REQUIRE(state.trouble.has_value());
                CHECK(state.trouble->code() == (half ? Code::disk_full : code));
                clock.advance(std::chrono::minutes(1));
                good(journal->record(entry(AuditKind::start)));
                while (journal->copy_state().kind != CopyState::Kind::current) std::this_thread::yield();
                close();
                check_copy_is_whole();
            }
        }
    }

    TEST_CASE_FIXTURE(CopyFixture,
                      "every call on the copy fails once: the journal goes on, and the next start makes it good") {
        open();
        delivered();
        close();
        fs.reset_count();
        open();
        delivered();
        close();
        const std::uint64_t calls = fs.calls();
        CHECK(calls > 8);
        for (std::uint64_t n = 1; n <= calls; ++n) {
            fs.fail_at(n, Code::io);
            open();
            delivered();
            close();
            fs.crash(Loss::none);
            open();
            close();
            check_copy_is_whole();
        }
    }
}

}  // namespace tpf::queue::test
