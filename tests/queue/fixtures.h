#pragma once
// What the queue's tests share: a clock that is moved by hand, a sink that fails on command, ready-made values.

#include <doctest/doctest.h>

#include <atomic>
#include <fstream>
#include <string>

#include "audit/event_log.h"
#include "base/encoding.h"
#include "base/sha256.h"
#include "queue/journal.h"
#include "queue/spool.h"
#include "tests/support/temp_folder.h"

namespace tpf::queue::test {

using tpf::test::TempFolder;

/// The value, or the test fails with the error's text.
template <class T>
T get(Result<T> result) {
    if (!result) FAIL(result.error().text());
    return std::move(result).value();
}
inline void good(const Status& status) {
    if (!status) FAIL(status.error().text());
}
template <class T>
Code code_of(const Result<T>& result) {
    REQUIRE_FALSE(result.has_value());
    return result.error().code();
}

class ManualClock final : public Clock {
  public:
    UtcTime utc() const override { return UtcTime(std::chrono::seconds(utc_.load())); }
    std::chrono::steady_clock::time_point steady() const override {
        return std::chrono::steady_clock::time_point(std::chrono::milliseconds(steady_.load()));
    }
    void set_utc(std::string_view text) { utc_ = get(parse_utc(text)).time_since_epoch().count(); }
    void advance_utc(std::chrono::seconds by) { utc_ += by.count(); }
    void advance(std::chrono::milliseconds by) { steady_ += by.count(); }

  private:
    std::atomic<std::int64_t> utc_{1800000000};  // 2027-01-15T08:00:00Z
    std::atomic<std::int64_t> steady_{1000000};
};

/// The real log, with a switch.
class SwitchedSink final : public AuditSink {
  public:
    std::optional<Code> fail_with;
    std::string fail_for;       ///< an actor whose entries are refused
    bool break_commit = false;  ///< makes the COMMIT itself fail

    Status prepare(sqlite::Database& db) override {
        TPF_TRY(db.execute(
            "CREATE TABLE IF NOT EXISTS parent(id INTEGER PRIMARY KEY);"
            "CREATE TABLE IF NOT EXISTS child(id INTEGER REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED)"));
        return log_.prepare(db);
    }
    Result<WrittenEntry> append(sqlite::Database& db, const AuditEntry& entry, UtcTime time) override {
        if (fail_with) return fail(*fail_with, "injected");
        if (entry.actor() == fail_for) return fail(Code::internal, "injected");
        if (break_commit) {
            TPF_TRY(db.execute("INSERT INTO child(id) VALUES(1)"));
        }
        return log_.append(db, entry, time);
    }
    Status seal(sqlite::Database& db, UtcTime time) override { return log_.seal(db, time); }
    Result<std::uint64_t> size(sqlite::Database& db) override { return log_.size(db); }
    Result<TreeHead> head(sqlite::Database& db, std::uint64_t size) override { return log_.head(db, size); }
    Result<std::vector<WrittenEntry>> entries(sqlite::Database& db, const TreeHead& from, std::size_t limit) override {
        return log_.entries(db, from, limit);
    }
    Result<WrittenEntry> follow(sqlite::Database& db, std::string_view canonical) override {
        return log_.follow(db, canonical);
    }
    Result<std::uint64_t> verify(sqlite::Database& db, CompactRange& at, std::size_t limit) override {
        return log_.verify(db, at, limit);
    }
    Status restore(sqlite::Database& db, const WrittenEntry& entry) override { return log_.restore(db, entry); }
    audit::EventLog& log() { return log_; }

  private:
    audit::EventLog log_;
};

inline Avsender sender() {
    return get(Avsender::parse("0301-00-974761076"));
}
inline Avsender other_sender() {
    return get(Avsender::parse("4601-00-964338531"));
}
inline RegisterName iplos() {
    return get(RegisterName::parse("IPLOS"));
}
inline MessageName name_of(std::string_view meldings_id) {
    return {sender(), get(MeldingsId::parse(meldings_id))};
}
inline constexpr const char* kMeldingsId = "7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11";
inline constexpr const char* kOtherMeldingsId = "0d9f2c1a-52a4-4b0f-8f0e-2f6a3f4d2b22";
inline std::string digest_of(std::string_view text) {
    return hex(sha256(text));
}
inline constexpr const char* kSignature = "c2lnbmF0dXI=";

inline AuditEntry entry(AuditKind kind) {
    return AuditEntry(kind, "tpfd");
}
inline PassEntries pass_entries() {
    return {entry(AuditKind::pseudonymised), entry(AuditKind::duplicate), entry(AuditKind::held)};
}
inline Claim claim_of(const SpoolId& id, std::optional<Avsender> from = sender()) {
    return {.id = id,
            .source = "drop",
            .sender = std::move(from),
            .received = UtcTime(std::chrono::seconds(1799990000)),
            .size = 5,
            .settings = R"({"versjon":1})"};
}
inline PersonMarks marks_of(std::initializer_list<PersonMarks::Marked> persons) {
    PersonMarks marks;
    for (const auto& one : persons) marks.mark(one.person, one.kode);
    return marks;
}
/// A pass over `input` that made "ut:" + input.
inline PassResult result_of(std::string_view input, const MessageName& name, std::uint64_t persons = 2) {
    const std::string output = "ut:" + std::string(input);
    return {.name = name,
            .to = iplos(),
            .meldingstype = "IPLOS",
            .opprettet = "2027-01-04T09:30:00Z",
            .periode_fra = "2026-01-01",
            .periode_til = "2026-12-31",
            .persons = persons,
            .marked = marks_of({{1, PersonMarks::Kode::e31}}),
            .input_sha256 = digest_of(input),
            .output_sha256 = digest_of(output),
            .output_size = output.size(),
            .signature = kSignature};
}

inline std::uint64_t events(Journal& journal, std::optional<AuditKind> kind = std::nullopt) {
    std::uint64_t count = 0;
    good(journal.ask([&](sqlite::Database& db) -> Status {
        audit::EventFilter filter;
        filter.kind = kind;
        filter.limit = 1000000;
        TPF_TRY(const auto list, audit::EventLog::list(db, filter));
        count = list.size();
        return ok();
    }));
    return count;
}

/// A journal beside the spool's folders.
inline Path journal_in(const Path& folder) {
    return folder / "journal.db";
}
inline std::string content(const Path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
inline void put(const Path& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
}

/// For Spool::write_kvittering.
inline std::function<Status(File&)> writes(std::string text) {
    return [text = std::move(text)](File& file) { return file.write(as_bytes(text)); };
}
/// Hands `body` over as the drop folder would.
inline Result<KildeRecord> hand_over(Spool& spool, std::string_view body) {
    TPF_TRY(auto writer, InboxWriter::begin(spool, body.size()));
    TPF_TRY(writer.write(as_bytes(body)));
    return writer.commit({.source = "drop",
                          .sender = sender(),
                          .operator_name = {},
                          .reason = {},
                          .received = UtcTime(std::chrono::seconds(1799990000))});
}
inline Result<std::string> read_all(File& file) {
    std::string text;
    std::vector<std::uint8_t> chunk(4096);
    while (true) {
        TPF_TRY(const std::size_t size, file.read(chunk));
        if (size == 0) return text;
        text.append(as_text({chunk.data(), size}));
    }
}

}  // namespace tpf::queue::test
