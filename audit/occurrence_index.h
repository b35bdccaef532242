#pragma once
// The occurrence index: in which messages did a pseudonym occur? Sorted runs over stretches of the audit log, each
// derived from the lists of its messages; together they reach from its first entry to where extend() got. Runs are
// merged so that there are few: a question reads a few blocks of each. A run that is damaged, or of another log, is
// removed with all that come after it, and made anew by the next extend(). A crash leaves a run that is whole, or a
// `.tmp` that the next open() removes.

#include <atomic>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "audit/occurrence_run.h"

namespace tpf::audit {

/// What the index needs of the log; the journal stands behind it. Calls may come from any thread.
class ListedLog {
  public:
    virtual ~ListedLog() = default;
    [[nodiscard]] virtual Result<std::uint64_t> size() = 0;
    /// base64 of the tree's root with `size` entries.
    [[nodiscard]] virtual Result<std::string> root(std::uint64_t size) = 0;
    /// lists_between().
    [[nodiscard]] virtual Result<std::vector<ListedMessage>> lists(std::uint64_t after, std::uint64_t through) = 0;
    [[nodiscard]] virtual Path list_of(const SpoolId& message) = 0;
};

struct Occurrences {
    std::set<SpoolId> messages{};
    std::uint64_t through = 0;  ///< entries of the log that the answer is of
    std::uint64_t unreadable = 0;
    std::map<std::string, std::uint64_t> not_recorded{};
};

/// Thread-safe: one call at a time does its work, the others wait.
class OccurrenceIndex {
  public:
    struct Limits {
        std::size_t chunk = 1 << 19;         ///< occurrences that are sorted in memory: 12 bytes each
        std::uint64_t stretch = 32'000'000;  ///< a run is ended after so many
        std::uint64_t merge_below = 5;       ///< neighbours are merged while the older is not so many times as large
    };
    /// `fs` and `log` outlive it. Makes the folder (0700).
    [[nodiscard]] static Result<std::unique_ptr<OccurrenceIndex>> open(FileSystem& fs, const Path& folder,
                                                                       ListedLog& log, Limits limits);
    [[nodiscard]] static Result<std::unique_ptr<OccurrenceIndex>> open(FileSystem& fs, const Path& folder,
                                                                       ListedLog& log);
    /// Brings the index up to the log's end. `progress`: entries done, of how many; false ends it early, which is no
    /// error.
    using Progress = std::function<bool(std::uint64_t done, std::uint64_t of)>;
    [[nodiscard]] Status extend(const Progress& progress);
    /// After extend(). A damaged run is removed, and Code::record_damaged says so: extend() and ask again.
    [[nodiscard]] Result<Occurrences> find(const std::vector<PseudonymBytes>& pseudonyms);
    /// Nothing of the message is left in the index when it returns true. False: `go_on` told it to stop.
    [[nodiscard]] Result<bool> forget(const SpoolId& message, const std::function<bool()>& go_on);

  private:
    struct Stretch {
        std::uint64_t first = 0;
        std::uint64_t last = 0;
        std::uint64_t occurrences = 0;
    };
    OccurrenceIndex(FileSystem& fs, Path folder, ListedLog& log, Limits limits)
        : fs_(fs), folder_(std::move(folder)), log_(log), limits_(limits) {}
    [[nodiscard]] Path path_of(const Stretch& stretch) const;
    [[nodiscard]] std::uint64_t covered() const { return stretches_.empty() ? 0 : stretches_.back().last; }
    [[nodiscard]] Status take_runs();
    [[nodiscard]] Status drop_from(std::size_t index);
    [[nodiscard]] Result<bool> next_stretch(std::uint64_t size, const Progress& progress);
    [[nodiscard]] Status put_in_place(const Path& made, const Stretch& stretch);
    [[nodiscard]] Result<bool> merge_tail(const std::function<bool()>& go_on);
    [[nodiscard]] Result<bool> merge(std::size_t from, const std::function<bool()>& go_on);

    FileSystem& fs_;
    Path folder_;
    ListedLog& log_;
    Limits limits_;
    std::mutex mutex_;
    std::vector<Stretch> stretches_{};  // one behind the other, without gaps
};

}  // namespace tpf::audit
