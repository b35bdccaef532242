#pragma once
// One sorted run of the occurrence index: which pseudonyms occur in which messages, over a stretch of the audit log
// (docs/audit-log.md, "Occurrence index"). Derived data: whatever is wrong with a run, it is made anew from the lists.

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "audit/pseudonym_list.h"
#include "base/fs.h"
#include "base/result.h"

namespace tpf::audit {

/// The first 8 bytes of a pseudonym: among 500 million, two that are not the same one agree in them with a probability
/// below 1 in 100.
using OccurrenceKey = std::array<std::uint8_t, 8>;
[[nodiscard]] OccurrenceKey occurrence_key(const PseudonymBytes& bytes);

struct Occurrence {
    OccurrenceKey key;
    std::uint32_t message;  ///< number in the run's table
    friend auto operator<=>(const Occurrence&, const Occurrence&) = default;
};

/// What a run is of.
struct RunFacts {
    std::uint64_t first = 0;  ///< entries of the audit log, inclusive
    std::uint64_t last = 0;
    std::string root{};  ///< base64: of the log's tree with `last` as its last entry
    std::uint64_t occurrences = 0;
    std::uint64_t unreadable = 0;                         ///< lists that were missing or damaged
    std::map<std::string, std::uint64_t> not_recorded{};  ///< messages without a list, by register
    friend bool operator==(const RunFacts&, const RunFacts&) = default;
};

/// Writes a run to `path`, which must not exist. Occurrences come rising. Not thread-safe. Constant memory but for 16
/// bytes per block of 8 kB and the messages.
class RunWriter {
  public:
    [[nodiscard]] static Result<RunWriter> create(FileSystem& fs, const Path& path);
    [[nodiscard]] Status add(const Occurrence& occurrence);
    /// Writes tables and end, and syncs the file. `facts.occurrences` is set here.
    [[nodiscard]] Status end(RunFacts facts, const std::vector<SpoolId>& messages);

  private:
    explicit RunWriter(std::unique_ptr<File> file) : file_(std::move(file)) {}
    [[nodiscard]] Status flush();
    std::unique_ptr<File> file_;
    std::vector<std::uint8_t> block_{};
    std::vector<std::uint8_t> fence_{};
    std::uint64_t count_ = 0;
};

/// A run that is there. Not thread-safe.
class Run {
  public:
    /// Reads the tables and checks them. Code::record_damaged; Code::not_found.
    [[nodiscard]] static Result<Run> open(FileSystem& fs, const Path& path);
    [[nodiscard]] const RunFacts& facts() const noexcept { return facts_; }
    [[nodiscard]] const std::vector<SpoolId>& messages() const noexcept { return messages_; }
    /// Adds the messages in which the key occurs. Reads few blocks, and checks them. Code::record_damaged.
    [[nodiscard]] Status find(const OccurrenceKey& key, std::set<SpoolId>& into);
    /// All occurrences in order, one by one; none at the end. Code::record_damaged.
    [[nodiscard]] Result<std::optional<Occurrence>> next();

  private:
    Run(std::unique_ptr<File> file, RunFacts facts, std::vector<SpoolId> messages, std::vector<std::uint8_t> fence)
        : file_(std::move(file)), facts_(std::move(facts)), messages_(std::move(messages)), fence_(std::move(fence)) {}
    [[nodiscard]] std::size_t blocks() const noexcept { return fence_.size() / 16; }
    [[nodiscard]] Status load(std::size_t block);
    [[nodiscard]] Occurrence at(std::size_t number) const;

    std::unique_ptr<File> file_;
    RunFacts facts_;
    std::vector<SpoolId> messages_;
    std::vector<std::uint8_t> fence_;  // per block: its first key, 8 bytes of its digest
    std::vector<std::uint8_t> block_{};
    std::optional<std::size_t> loaded_{};
    std::size_t next_block_ = 0;
    std::size_t next_in_block_ = 0;
};

/// One run of several that follow each other, without the messages in `without`. `facts` are those of the whole.
/// `go_on` is asked now and then; false: it was told to stop, and nothing is at `to`.
[[nodiscard]] Result<bool> merge_runs(FileSystem& fs, std::vector<Run>& runs, const Path& to, RunFacts facts,
                                      const std::set<SpoolId>& without, const std::function<bool()>& go_on);

}  // namespace tpf::audit
