#pragma once
// A journal with its copy, what can be done to both, and all that is in a database as text.

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include "queue/copy_segments.h"
#include "queue/journal_inspect.h"
#include "queue/journal_rebuild.h"
#include "tests/queue/fixtures.h"
#include "tests/support/fault_fs.h"

namespace tpf::queue::test {

using tpf::test::Call;
using tpf::test::FaultFs;
using tpf::test::Loss;

inline constexpr const char* kSettings = R"({"versjon":1})";

/// table → its rows, each column after the other, in order.
using Tables = std::map<std::string, std::vector<std::string>>;
inline Tables tables_of(const Path& path) {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    Tables tables;
    for (const char* table : {"settings", "messages", "names", "marks", "persons_day", "counts", "audit"}) {
        sqlite3_stmt* rows = nullptr;
        const std::string select = "SELECT * FROM " + std::string(table) + " ORDER BY 1, 2";
        REQUIRE(sqlite3_prepare_v2(db, select.c_str(), -1, &rows, nullptr) == SQLITE_OK);
        auto& list = tables[table];
        int code = 0;
        while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
            std::string& row = list.emplace_back();
            for (int i = 0; i < sqlite3_column_count(rows); ++i) {
                const auto* bytes = static_cast<const char*>(sqlite3_column_blob(rows, i));
                const auto size = static_cast<std::size_t>(sqlite3_column_bytes(rows, i));
                row.append(bytes == nullptr ? std::string("NULL") : std::string(bytes, size)).append("|");
            }
        }
        CHECK(code == SQLITE_DONE);
        sqlite3_finalize(rows);
    }
    sqlite3_close(db);
    return tables;
}

struct CopyFixture {
    TempFolder folder{"/dev/shm"};
    FaultFs fs{folder.path()};
    ManualClock clock;
    audit::EventLog log;
    Path path = folder.path() / "journal.db";
    Path copy = folder.path() / "copy";
    std::uint64_t segment_bytes = std::uint64_t{8} << 20;
    std::unique_ptr<Spool> spool = get(Spool::open(fs, folder.path() / "spool", {}));
    std::unique_ptr<Journal> journal;
    std::mt19937_64 random{20261123};
    int drawn = 0;
    bool strangers = false;  ///< no entry in the spool is its source's own

    Result<std::unique_ptr<Journal>> try_open() {
        return Journal::open(path, log, clock,
                             std::make_unique<JournalCopy>(fs, log, clock, CopySettings{copy, segment_bytes}));
    }
    void open() {
        journal.reset();
        journal = get(try_open());
    }
    void close() { journal.reset(); }

    // --- a life ---
    SpoolId claimed() {
        const SpoolId id = SpoolId::random();
        REQUIRE(get(journal->claim(claim_of(id), entry(AuditKind::received))).is_new);
        return id;
    }
    SpoolId committed(const std::string& input = "melding " + MeldingsId::random().str()) {
        const SpoolId id = claimed();
        pass(id, input, MeldingsId::random().str());
        return id;
    }
    SpoolId delivered() {
        const SpoolId id = committed();
        deliver(id);
        return id;
    }
    void pass(const SpoolId& id, const std::string& input, const std::string& meldings_id,
              std::optional<std::uint64_t> limit = std::nullopt) {
        PassResult result = result_of(input, name_of(meldings_id));
        result.marked = marks_of({{1 + random() % 40, PersonMarks::Kode::e31}});
        static_cast<void>(get(journal->commit_pass(id, result, limit, pass_entries())));
    }
    void deliver(const SpoolId& id) {
        good(journal->delivered(id, {"R-1", "2027-01-15T08:00:01Z"}, entry(AuditKind::delivered)));
    }
    /// Anything that a journal is asked to do, in any order; what the state does not allow is refused.
    void random_change() {
        const auto rows = get(journal->list({.newest_first = true, .limit = 30}));
        const std::uint64_t what = random() % 14;
        if (what < 3 || rows.empty()) {
            claimed();
            return;
        }
        const MessageRow& row = rows[random() % rows.size()];
        const std::string input = "melding " + std::to_string(random() % 50);
        if (what < 6) {
            PassResult result = result_of(input, name_of(kMeldingsId));
            result.name.meldings_id =
                get(MeldingsId::parse("7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b" + std::to_string(10 + random() % 60)));
            if (row.committed) result.name = row.name.value();  // the same bytes say the same name
            if (random() % 3 == 0) result.marked = {};
            ignore(journal->commit_pass(
                row.id, result, random() % 5 == 0 ? std::optional(std::uint64_t{1}) : std::nullopt, pass_entries()));
        } else if (what == 6) {
            ignore(journal->quarantine(row.id,
                                       {.code = Code::not_xml,
                                        .reason = "a \"reason\" with \\ and \t",
                                        .marked = marks_of({{1 + random() % 9, PersonMarks::Kode::e30}})},
                                       entry(AuditKind::quarantined)));
        } else if (what == 7) {
            const std::string settings = random() % 2 == 0 ? kSettings : R"({"versjon":2})";
            ignore(journal->retry(row.id, settings, AuditEntry(AuditKind::retried, "kari").with("reason", "Grønt ✓")));
        } else if (what == 8) {
            ignore(journal->discard(row.id, AuditEntry(AuditKind::discarded, "kari")));
        } else if (what == 9) {
            ignore(journal->delivered(row.id, {"R-2", "2027-01-15T08:00:01Z"}, entry(AuditKind::delivered)));
        } else if (what == 10) {
            ignore(journal->answered(row.id, row.revision, entry(AuditKind::answered)));
        } else if (what == 11) {
            ignore(journal->payloads_removed(row.id, entry(AuditKind::removed)));
        } else if (what == 12) {
            ignore(journal->note_attempt(row.id, Code::io, input, entry(AuditKind::operator_action)));
        } else {
            good(journal->record(AuditEntry(AuditKind::key_event, "kari").with("key", "K-1")));
        }
        clock.advance_utc(std::chrono::minutes(random() % 90));
    }
    template <class T>
    static void ignore(const Result<T>& result) {
        if (!result) REQUIRE(result.error().code() != Code::journal);
    }

    // --- the copy's files ---
    [[nodiscard]] std::vector<Path> segments() {
        std::vector<Path> files;
        for (const std::string& name : get(list_segments(posix_file_system(), copy))) files.push_back(copy / name);
        return files;
    }
    [[nodiscard]] std::vector<std::uint64_t> copied() {
        auto reader = get(CopyReader::open(posix_file_system(), copy));
        std::vector<std::uint64_t> all;
        while (get(reader.next())) {
            REQUIRE_MESSAGE(reader.line().has_value(), reader.place_text() << " " << reader.fault());
            all.push_back(reader.line()->seq);
        }
        return all;
    }
    /// 1, 2, 3 … up to the end of the audit log: nothing missing, nothing twice.
    void check_copy_is_whole() {
        const auto all = copied();
        for (std::size_t i = 0; i < all.size(); ++i) REQUIRE(all[i] == i + 1);
        CHECK(all.size() == tables_of(path)["audit"].size());
    }

    /// As the version of this program before this one would have written it: its form, and so its end mark.
    void make_copy_older() {
        for (const Path& file : segments()) {
            std::istringstream lines(content(file));
            std::string older;
            for (std::string line; std::getline(lines, line);) {
                line.erase(line.rfind(",\"slutt\""));
                line.replace(line.find("tpf-copy-2"), 10, "tpf-copy-1");
                older += line + ",\"slutt\":\"" + digest_of(line) + "\"}\n";
            }
            std::ofstream(file, std::ios::binary | std::ios::trunc) << older;
        }
    }

    // --- check and rebuild ---
    InspectReport inspect() {
        return get(inspect_journal_file(
            path, {.ask = {}, .audit = log, .fs = posix_file_system(), .copy = copy, .spool = spool.get()}));
    }
    RebuildOrder order() { return order(fs); }
    RebuildOrder order(FileSystem& with) {
        return {.fs = with,
                .audit = log,
                .clock = clock,
                .journal = path,
                .copy = copy,
                .spool = *spool,
                .settings = kSettings,
                .operator_name = "kari",
                .reason = "test",
                .source_of = [this](const InboxEntry& entry) -> Result<std::string> {
                    if (strangers) return fail(Code::record_form, "not that source's");
                    return entry.kilde.source;
                }};
    }
    void remove_journal() {
        for (const char* suffix : {"", "-wal"}) std::filesystem::remove(path.string() + suffix);
    }
    /// Writes zeros over the n-th page of the database (from 1).
    void zero_page(int n) {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp((n - 1) * 4096);
        file << std::string(4096, '\0');
    }
};

}  // namespace tpf::queue::test
