// tpf-audit-bench DIR ENTRIES: what the audit log costs. Appends through the journal, as many callers do it, with group
// commit, each ending in a signed checkpoint and fsync; then fills a log of its own with ENTRIES entries and verifies
// it. Prints one JSON object. DIR is there and empty.

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "audit/checkpoints.h"
#include "audit/event_log.h"
#include "audit/note_keys.h"
#include "base/encoding.h"
#include "crypto/signature.h"
#include "queue/journal.h"
#include "tests/bench/measure.h"

namespace {

using namespace tpf;
using bench::must;
using bench::now;
using Json = nlohmann::ordered_json;

constexpr int kCallers = 64, kEach = 500;
constexpr std::uint64_t kGroup = 10000;

/// As the entry of a pass: the longest that a message has.
AuditEntry entry_of(std::uint64_t n) {
    AuditEntry entry(AuditKind::pseudonymised, "tpfd");
    entry.message(SpoolId::random())
        .with("register", "IPLOS")
        .with("version", "1")
        .with("persons", n)
        .with("marked_e30", std::uint64_t{0})
        .with("marked_e31", std::uint64_t{0})
        .with("input_sha256", hex(sha256(std::to_string(n))))
        .with("output_sha256", hex(sha256(std::to_string(n + 1))));
    return entry;
}

/// As the core's, with a key of its own.
struct Signer final : audit::CheckpointSigner {
    std::shared_ptr<const audit::NoteSigner> key =
        std::make_shared<const audit::SignerWith<crypto::SigningKey>>(crypto::SigningKey::generate());
    [[nodiscard]] std::shared_ptr<const audit::NoteSigner> signer() const override { return key; }
};

Json through_journal(const std::string& folder) {
    const Signer signer;
    audit::EventLog log;
    log.sign_with(signer);
    const auto journal = must(queue::Journal::open(folder + "/journal.db", log, system_clock()));
    must(journal->record(audit::origin_entry("tpfd", audit::new_origin("bench"))));
    const double begun = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    std::vector<std::thread> callers;
    for (int caller = 0; caller < kCallers; ++caller) {
        callers.emplace_back([&journal] {
            for (std::uint64_t n = 0; n < kEach; ++n) must(journal->record(entry_of(n)));
        });
    }
    for (std::thread& caller : callers) caller.join();
    const double seconds = now(CLOCK_MONOTONIC) - begun;
    return {{"entries", kCallers * kEach},
            {"callers", kCallers},
            {"commits", journal->statistics().commits},
            {"entries_per_second", kCallers * kEach / seconds},
            {"processor_us_per_entry", (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (kCallers * kEach) * 1e6}};
}

Json alone(const std::string& path, std::uint64_t entries) {
    audit::EventLog log;
    auto db = must(sqlite::Database::open(path));
    must(log.prepare(db));
    double begun = now(CLOCK_PROCESS_CPUTIME_ID);
    for (std::uint64_t n = 0; n < entries;) {
        auto transaction = must(sqlite::Transaction::begin(db));
        for (const std::uint64_t end = std::min(entries, n + kGroup); n < end; ++n)
            must(log.append(db, entry_of(n), UtcTime(std::chrono::seconds(1800000000 + n))));
        must(transaction.commit());
    }
    const double append = now(CLOCK_PROCESS_CPUTIME_ID) - begun;
    begun = now(CLOCK_PROCESS_CPUTIME_ID);
    const double wall = now(CLOCK_MONOTONIC);
    CompactRange at;
    while (must(log.verify(db, at, 2000)) != 0) {
    }
    return {{"entries", at.size},
            {"append_processor_us_per_entry", append / static_cast<double>(entries) * 1e6},
            {"verify_seconds", now(CLOCK_MONOTONIC) - wall},
            {"verify_processor_seconds", now(CLOCK_PROCESS_CPUTIME_ID) - begun},
            {"root", base64(audit::head_of(at).root)}};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: tpf-audit-bench DIR ENTRIES\n");
        return 64;
    }
    const std::string folder = argv[1];
    const Json journal = through_journal(folder);
    std::printf("%s\n",
                Json{{"journal", journal}, {"log", alone(folder + "/log.db", std::strtoull(argv[2], nullptr, 10))}}
                    .dump(1)
                    .c_str());
    return 0;
}
