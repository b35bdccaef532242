#include "audit/occurrence_index.h"

#include <algorithm>
#include <charconv>

#include "base/encoding.h"

namespace tpf::audit {
namespace {

constexpr std::uint64_t kWindow = 2'000;  // entries of the log that one question looks at
constexpr std::string_view kSuffix = ".run";
constexpr std::size_t kDigits = 20;

std::string twenty(std::uint64_t number) {
    const std::string digits = std::to_string(number);
    return std::string(kDigits - digits.size(), '0') + digits;
}

std::optional<std::pair<std::uint64_t, std::uint64_t>> parse_name(std::string_view name) {
    if (name.size() != 2 * kDigits + 1 + kSuffix.size() || !name.ends_with(kSuffix) || name[kDigits] != '-')
        return std::nullopt;
    std::pair<std::uint64_t, std::uint64_t> range;
    const auto read = [&](std::size_t at, std::uint64_t& to) {
        const char* const begin = name.data() + at;
        return std::from_chars(begin, begin + kDigits, to).ptr == begin + kDigits;
    };
    if (!read(0, range.first) || !read(kDigits + 1, range.second)) return std::nullopt;
    return range;
}

/// Code::record_damaged: not the list that the log speaks of. Code::not_found.
Result<ListReader> open_list(FileSystem& fs, const Path& path, const std::string& sha256) {
    TPF_TRY(const Digest digest, file_digest(fs, path));
    if (hex(digest) != sha256) return fail(Code::record_damaged, "a list that the log does not speak of");
    return ListReader::open(fs, path);
}

/// What is written there and not put in its place goes, however that ended.
class Unfinished {
  public:
    Unfinished(FileSystem& fs, Path path) : fs_(fs), path_(std::move(path)) {}
    ~Unfinished() { static_cast<void>(fs_.remove_file(path_).has_value()); }
    Unfinished(const Unfinished&) = delete;
    Unfinished& operator=(const Unfinished&) = delete;

  private:
    FileSystem& fs_;
    Path path_;
};

/// Gathers the occurrences of a stretch: sorted parts on disk, then one run.
class Gathering {
  public:
    Gathering(FileSystem& fs, const Path& folder, std::size_t chunk) : fs_(fs), folder_(folder), chunk_(chunk) {
        rows_.reserve(std::min<std::size_t>(chunk, 1 << 16));
    }
    /// Best effort: the next run begins by removing them.
    ~Gathering() {
        for (const Path& part : parts_) static_cast<void>(fs_.remove_file(part).has_value());
    }
    Gathering(const Gathering&) = delete;
    Gathering& operator=(const Gathering&) = delete;
    [[nodiscard]] std::uint64_t occurrences() const noexcept { return count_; }

    /// The lists of one window.
    [[nodiscard]] Status take(ListedLog& log, const ListedMessage& listed) {
        if (listed.state.kind == ListKind::not_recorded) ++facts.not_recorded[listed.state.reg];
        if (listed.state.kind != ListKind::kept) return ok();
        auto list = open_list(fs_, log.list_of(listed.message), listed.state.sha256);
        if (!list) {
            ++facts.unreadable;
            return ok();
        }
        messages_.push_back(listed.message);
        Status taken = ok();
        const auto read = list.value().read([&](std::uint64_t, auto bytes) {
            if (taken) taken = add(listed.message, bytes);
        });
        if (!read) ++facts.unreadable;
        return taken;
    }

    /// The run, at `to`; as merge_runs().
    [[nodiscard]] Result<bool> end(const Path& to, const std::function<bool()>& go_on) {
        if (parts_.empty()) {
            TPF_TRY(write(to, facts));
            return true;
        }
        TPF_TRY(spill());
        std::vector<Run> runs;
        for (const Path& part : parts_) {
            TPF_TRY(auto run, Run::open(fs_, part));
            runs.push_back(std::move(run));
        }
        return merge_runs(fs_, runs, to, facts, {}, go_on);
    }

    RunFacts facts;

  private:
    /// A list that is larger than the chunk has its message in the table of several parts.
    [[nodiscard]] Status add(const SpoolId& message, std::span<const std::uint8_t, kListRecord> bytes) {
        PseudonymBytes one{};
        std::copy(bytes.begin(), bytes.end(), one.begin());
        if (one == PseudonymBytes{}) return ok();
        rows_.push_back({occurrence_key(one), static_cast<std::uint32_t>(messages_.size() - 1)});
        ++count_;
        if (rows_.size() < chunk_) return ok();
        TPF_TRY(spill());
        messages_.push_back(message);
        return ok();
    }
    [[nodiscard]] Status spill() {
        const Path part = folder_ / ("part-" + std::to_string(parts_.size()) + ".tmp");
        parts_.push_back(part);
        return write(part, {});
    }
    [[nodiscard]] Status write(const Path& to, const RunFacts& of) {
        std::sort(rows_.begin(), rows_.end());
        TPF_TRY(auto writer, RunWriter::create(fs_, to));
        for (const Occurrence& row : rows_) {
            TPF_TRY(writer.add(row));
        }
        TPF_TRY(writer.end(of, messages_));
        rows_.clear();
        messages_.clear();
        return ok();
    }

    FileSystem& fs_;
    Path folder_;
    std::size_t chunk_;
    std::vector<Occurrence> rows_{};
    std::vector<SpoolId> messages_{};
    std::vector<Path> parts_{};
    std::uint64_t count_ = 0;
};

}  // namespace

Result<std::unique_ptr<OccurrenceIndex>> OccurrenceIndex::open(FileSystem& fs, const Path& folder, ListedLog& log) {
    return open(fs, folder, log, Limits());
}

Result<std::unique_ptr<OccurrenceIndex>> OccurrenceIndex::open(FileSystem& fs, const Path& folder, ListedLog& log,
                                                               Limits limits) {
    const auto there = fs.info(folder);
    if (!there && there.error().code() != Code::not_found) return fail(there.error());
    if (!there) {
        TPF_TRY(fs.make_folder(folder, 0700));
        TPF_TRY(fs.sync_folder(folder.parent_path()));
    }
    std::unique_ptr<OccurrenceIndex> index(new OccurrenceIndex(fs, folder, log, limits));
    TPF_TRY(index->take_runs());
    return index;
}

Path OccurrenceIndex::path_of(const Stretch& stretch) const {
    return folder_ / (twenty(stretch.first) + "-" + twenty(stretch.last) + std::string(kSuffix));
}

/// From the log's beginning on, at each place the run that reaches furthest; what is left over goes.
Status OccurrenceIndex::take_runs() {
    TPF_TRY(const auto names, fs_.list(folder_));
    TPF_TRY(const std::uint64_t size, log_.size());
    std::vector<Stretch> found;
    for (const std::string& name : names) {
        if (const auto range = parse_name(name)) found.push_back({range->first, range->second});
    }
    for (bool more = true; more;) {
        const Stretch* best = nullptr;
        for (const Stretch& one : found) {
            if (one.first == covered() + 1 && one.last >= one.first && (best == nullptr || one.last > best->last))
                best = &one;
        }
        more = false;
        if (best == nullptr || best->last > size) break;
        const auto run = Run::open(fs_, path_of(*best));
        if (!run && run.error().code() != Code::record_damaged) return fail(run.error());
        if (!run || run.value().facts().first != best->first || run.value().facts().last != best->last) break;
        TPF_TRY(const std::string root, log_.root(best->last));
        if (run.value().facts().root != root) break;
        stretches_.push_back({best->first, best->last, run.value().facts().occurrences});
        more = true;
    }
    for (const std::string& name : names) {
        const bool ours = std::any_of(stretches_.begin(), stretches_.end(),
                                      [&](const Stretch& one) { return path_of(one).filename() == name; });
        if (ours) continue;
        TPF_TRY(fs_.remove_file(folder_ / name));
    }
    return ok();
}

Status OccurrenceIndex::drop_from(std::size_t index) {
    while (stretches_.size() > index) {
        const Path path = path_of(stretches_.back());
        stretches_.pop_back();
        Status gone = fs_.remove_file(path);
        if (!gone && gone.error().code() != Code::not_found) return gone;
    }
    return fs_.sync_folder(folder_);
}

Status OccurrenceIndex::put_in_place(const Path& made, const Stretch& stretch) {
    TPF_TRY(fs_.replace(made, path_of(stretch)));
    return fs_.sync_folder(folder_);
}

Status OccurrenceIndex::extend(const Progress& progress) {
    const std::lock_guard lock(mutex_);
    TPF_TRY(const std::uint64_t size, log_.size());
    while (covered() < size) {
        TPF_TRY(const bool more, next_stretch(size, progress));
        if (!more) return ok();
        TPF_TRY(const bool merged, merge_tail([&] { return !progress || progress(covered(), size); }));
        if (!merged) return ok();
    }
    return ok();
}

/// One more run behind the others. False: it was told to stop.
Result<bool> OccurrenceIndex::next_stretch(std::uint64_t size, const Progress& progress) {
    const Path made = folder_ / "next.tmp";
    TPF_TRY(const auto names, fs_.list(folder_));
    for (const std::string& name : names) {
        if (!name.ends_with(".tmp")) continue;
        TPF_TRY(fs_.remove_file(folder_ / name));
    }
    const Unfinished half(fs_, made);
    Gathering gathering(fs_, folder_, limits_.chunk);
    Stretch stretch{covered() + 1, covered(), 0};
    while (stretch.last < size && gathering.occurrences() < limits_.stretch) {
        const std::uint64_t through = std::min(stretch.last + kWindow, size);
        TPF_TRY(const auto listed, log_.lists(stretch.last, through));
        for (const ListedMessage& one : listed) {
            TPF_TRY(gathering.take(log_, one));
        }
        stretch.last = through;
        if (progress && !progress(through, size)) return false;
    }
    gathering.facts.first = stretch.first;
    gathering.facts.last = stretch.last;
    TPF_TRY(gathering.facts.root, log_.root(stretch.last));
    TPF_TRY(const bool whole, gathering.end(made, [&] { return !progress || progress(stretch.last, size); }));
    if (!whole) return false;
    stretch.occurrences = gathering.occurrences();
    TPF_TRY(put_in_place(made, stretch));
    stretches_.push_back(stretch);
    return true;
}

/// So that each run is some times as large as all that come after it. False: it was told to stop.
Result<bool> OccurrenceIndex::merge_tail(const std::function<bool()>& go_on) {
    std::size_t from = stretches_.size() - 1;
    std::uint64_t sum = stretches_[from].occurrences + 1;
    while (from > 0 && stretches_[from - 1].occurrences < limits_.merge_below * sum) {
        --from;
        sum += stretches_[from].occurrences + 1;
    }
    if (from + 1 == stretches_.size()) return true;
    return merge(from, go_on);
}

Result<bool> OccurrenceIndex::merge(std::size_t from, const std::function<bool()>& go_on) {
    const Path made = folder_ / "merged.tmp";
    const Unfinished half(fs_, made);
    std::vector<Run> runs;
    RunFacts facts;
    Stretch whole = stretches_[from];
    for (std::size_t i = from; i < stretches_.size(); ++i) {
        auto opened = Run::open(fs_, path_of(stretches_[i]));
        const Code code = opened ? Code::internal : opened.error().code();
        if (code == Code::record_damaged || code == Code::not_found) {
            TPF_TRY(drop_from(i));
            return true;
        }
        TPF_TRY(auto run, std::move(opened));
        facts.unreadable += run.facts().unreadable;
        for (const auto& [reg, count] : run.facts().not_recorded) facts.not_recorded[reg] += count;
        facts.root = run.facts().root;
        whole.last = stretches_[i].last;
        if (i != from) whole.occurrences += stretches_[i].occurrences;
        runs.push_back(std::move(run));
    }
    facts.first = whole.first;
    facts.last = whole.last;
    auto merged = merge_runs(fs_, runs, made, facts, {}, go_on);
    if (!merged && merged.error().code() == Code::record_damaged) {
        TPF_TRY(drop_from(from));
        return true;
    }
    if (!merged || !merged.value()) return merged;
    TPF_TRY(put_in_place(made, whole));
    for (std::size_t i = from; i < stretches_.size(); ++i) {
        TPF_TRY(fs_.remove_file(path_of(stretches_[i])));
    }
    stretches_.resize(from);
    stretches_.push_back(whole);
    return true;
}

Result<Occurrences> OccurrenceIndex::find(const std::vector<PseudonymBytes>& pseudonyms) {
    const std::lock_guard lock(mutex_);
    Occurrences found;
    found.through = covered();
    for (std::size_t i = 0; i < stretches_.size(); ++i) {
        auto run = Run::open(fs_, path_of(stretches_[i]));
        Status good = run ? ok() : Status(fail(run.error()));
        for (std::size_t p = 0; good && p < pseudonyms.size(); ++p)
            good = run.value().find(occurrence_key(pseudonyms[p]), found.messages);
        if (!good) {
            const bool gone = good.error().code() == Code::record_damaged || good.error().code() == Code::not_found;
            if (!gone) return fail(good.error());
            TPF_TRY(drop_from(i));
            return fail(Code::record_damaged, "a run of the occurrence index is damaged: it is made anew");
        }
        found.unreadable += run.value().facts().unreadable;
        for (const auto& [reg, count] : run.value().facts().not_recorded) found.not_recorded[reg] += count;
    }
    return found;
}

Result<bool> OccurrenceIndex::forget(const SpoolId& message, const std::function<bool()>& go_on) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < stretches_.size(); ++i) {
        std::vector<Run> runs;
        auto run = Run::open(fs_, path_of(stretches_[i]));
        if (!run && run.error().code() != Code::record_damaged && run.error().code() != Code::not_found)
            return fail(run.error());
        if (!run) {
            TPF_TRY(drop_from(i));
            return true;
        }
        const auto& messages = run.value().messages();
        if (std::find(messages.begin(), messages.end(), message) == messages.end()) continue;
        const RunFacts facts = run.value().facts();
        runs.push_back(std::move(run).value());
        const Path made = folder_ / "forget.tmp";
        const Unfinished half(fs_, made);
        auto rewritten = merge_runs(fs_, runs, made, facts, {message}, go_on);
        if (!rewritten && rewritten.error().code() == Code::record_damaged) {
            TPF_TRY(drop_from(i));
            return true;
        }
        if (!rewritten || !rewritten.value()) return rewritten;
        TPF_TRY(put_in_place(made, stretches_[i]));
    }
    return true;
}

}  // namespace tpf::audit
