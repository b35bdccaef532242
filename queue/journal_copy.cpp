#include "queue/journal_copy.h"

#include "base/encoding.h"
#include "base/log.h"

namespace tpf::queue {
namespace {

constexpr std::size_t kStep = 500;                           // entries appended between two commits
constexpr std::size_t kBlock = std::size_t{1} << 20;         // bytes appended at once while catching up
constexpr std::size_t kMostPending = std::size_t{32} << 20;  // bytes kept for one transaction

constexpr const char* kNotThisJournal =
    "do not start with this journal: what was delivered since would be delivered again. `tpfctl journal rebuild` makes "
    "one of both; docs/recovery.md";

/// `path`, or with a number where that is taken: nothing that was set aside is replaced.
Result<Path> free_name(FileSystem& fs, const Path& path) {
    for (unsigned n = 1;; ++n) {
        Path name = n == 1 ? path : Path(path.string() + "-" + std::to_string(n));
        const auto there = fs.info(name);
        if (!there && there.error().code() == Code::not_found) return name;
        if (!there) return fail(there.error());
    }
}

Error ahead(std::uint64_t database, std::uint64_t copy, const Path& folder) {
    const std::string has =
        database == 0 ? "the journal is empty or gone" : "the journal ends at audit entry " + std::to_string(database);
    return Error(Code::journal,
                 has + ", but its copy in " + folder.string() + " has entry " + std::to_string(copy) +
                     ": an older journal was put back, or this one lost its end",
                 kNotThisJournal);
}

}  // namespace

std::string_view to_string(CopyState::Kind kind) noexcept {
    switch (kind) {
        case CopyState::Kind::none:
            return "none";
        case CopyState::Kind::current:
            return "current";
        case CopyState::Kind::catching:
            return "catching up";
        case CopyState::Kind::away:
            return "away";
    }
    return "?";
}

JournalCopy::JournalCopy(FileSystem& fs, AuditSink& audit, const Clock& clock, CopySettings settings)
    : fs_(&fs), audit_(&audit), clock_(&clock), settings_(std::move(settings)) {
    state_.kind = CopyState::Kind::catching;
}

JournalCopy::~JournalCopy() {
    const Status closed = close_segment();
    if (!closed) log::warning("the journal's copy could not be synced", {{"error", closed.error().text()}});
}

Status JournalCopy::open(sqlite::Database& db) {
    return tick(db);
}

Status JournalCopy::prepare_folder() {
    const auto there = fs_->info(settings_.folder);
    if (there) return there.value().folder ? ok() : Status(fail(Code::io, settings_.folder.string() + ": no folder"));
    if (there.error().code() != Code::not_found) return fail(there.error());
    TPF_TRY(fs_->make_folder(settings_.folder, 0700));
    return fs_->sync_folder(settings_.folder.parent_path());
}

Result<CopyEnd> JournalCopy::look() {
    TPF_TRY(prepare_folder());
    return find_copy_end(*fs_, settings_.folder);
}

Status JournalCopy::compare(sqlite::Database& db, const CopyEnd& end) const {
    TPF_TRY(const std::uint64_t last, audit_->size(db));
    const std::uint64_t highest = std::max(end.seq, end.highest);
    if (highest > last) return fail(ahead(last, highest, settings_.folder));
    if (end.seq == 0) return ok();
    TPF_TRY(const TreeHead same, audit_->head(db, end.seq));
    if (hex(same.root) == end.root) return ok();
    return fail(Code::journal,
                "the audit log up to entry " + std::to_string(end.seq) +
                    " is another one in the journal than in its copy in " + settings_.folder.string() +
                    ": this is not the journal that the copy was made of",
                kNotThisJournal);
}

/// The last segment is written anew without its torn tail, and goes on from there; it becomes the segment by one
/// rename. A whole and full one too: nobody knows whether it was synced before the process ended, or whether that
/// failed.
Status JournalCopy::continue_after(const CopyEnd& end) {
    for (const CopyEnd::Unusable& one : end.without) {
        const Path file = settings_.folder / one.segment;
        if (!one.has_lines) {
            TPF_TRY(fs_->remove_file(file));
            continue;
        }
        TPF_TRY(const Path aside, free_name(*fs_, file.string() + ".damaged"));
        TPF_TRY(fs_->rename(file, aside));
    }
    if (end.cut != 0 || !end.without.empty()) {
        log::warning("the journal's copy did not end well; it is made whole from the journal",
                     {{"path", (settings_.folder / end.segment).string()}, {"bytes", end.cut}});
    }
    if (end.segment.empty()) return ok();
    const Path file = settings_.folder / end.segment, beside = file.string() + ".tmp";
    if (auto gone = fs_->remove_file(beside); !gone && gone.error().code() != Code::not_found) return gone;
    TPF_TRY(auto writing, fs_->create(beside, 0600));
    TPF_TRY(writing->write(as_bytes(end.good)));
    TPF_TRY(writing->sync());
    TPF_TRY(fs_->replace(beside, file));
    TPF_TRY(fs_->sync_folder(settings_.folder));
    file_ = std::move(writing);
    size_ = end.good.size();
    return ok();
}

/// Code::journal, and nothing else, is the database's; all other trouble is the copy's own.
Status JournalCopy::connect(sqlite::Database& db) {
    file_.reset();
    size_ = 0;
    known_.clear();
    const auto end = look();
    if (!end) {
        go_away(end.error());
        return ok();
    }
    TPF_TRY(compare(db, end.value()));
    if (const Status goes_on = continue_after(end.value()); !goes_on) {
        go_away(goes_on.error());
        return ok();
    }
    TPF_TRY(written_, audit_->head(db, end.value().seq));
    noted_ = written_;
    TPF_TRY(const std::uint64_t last, audit_->size(db));
    if (written_.size == 0 && last > 0) {
        // Until it is there again, an older journal that was put back would not be noticed.
        log::warning("the journal's copy is empty though the journal is not; it is made anew: was it removed?",
                     {{"path", settings_.folder.string()}, {"entries", last}});
    }
    connected_ = true;
    set_state(CopyState::Kind::catching);
    return ok();
}

Status JournalCopy::tick(sqlite::Database& db) {
    if (current_ || (state().kind == CopyState::Kind::away && clock_->steady() < retry_at_)) return ok();
    if (!connected_) {
        TPF_TRY(connect(db));
        if (!connected_) return ok();
    }
    TPF_TRY(const auto missing, audit_->entries(db, written_, kStep));
    current_ = true;  // note() keeps lines only then
    for (const WrittenEntry& entry : missing) {
        if (!current_) break;  // it went away
        TPF_TRY(note(db, entry));
        if (pending_.size() > kBlock) write();
    }
    write();
    current_ = current_ && missing.size() < kStep;
    if (current_) set_state(CopyState::Kind::current);
    return ok();
}

Status JournalCopy::note(sqlite::Database& db, const WrittenEntry& entry) {
    if (!current_) return ok();
    if (pending_.empty()) {
        pending_first_ = entry.head.size;
        if (size_ >= settings_.segment_bytes || !file_) {
            size_ = settings_.segment_bytes;  // a new one begins: it shall stand without those before it
            known_.clear();
        }
    }
    const bool catching = state().kind != CopyState::Kind::current;
    TPF_TRY(const std::string line, write_copy_line(db, entry, known_, catching));
    pending_ += line;
    noted_ = entry.head;
    if (pending_.size() <= kMostPending || catching) return ok();
    // Long lists of persons: not kept in memory, but read from the database again.
    forget();
    current_ = false;
    set_state(CopyState::Kind::catching);
    return ok();
}

void JournalCopy::forget() {
    // What `known_` took with it is written once more later; that does no harm, a missing one would.
    if (!pending_.empty()) known_.clear();
    pending_.clear();
    noted_ = written_;
}

void JournalCopy::write() {
    if (pending_.empty()) return;
    const Status appended = append();
    pending_.clear();
    if (!appended) {
        go_away(appended.error());
        return;
    }
    written_ = noted_;
    const std::lock_guard lock(mutex_);
    state_.seq = written_.size;
}

Status JournalCopy::append() {
    if (!file_ || size_ >= settings_.segment_bytes) {
        TPF_TRY(close_segment());
        TPF_TRY(file_, fs_->create(settings_.folder / segment_name(pending_first_), 0600));
        TPF_TRY(fs_->sync_folder(settings_.folder));
        size_ = 0;
    }
    unsynced_ = true;
    TPF_TRY(file_->write(as_bytes(pending_)));
    size_ += pending_.size();
    return ok();
}

Status JournalCopy::close_segment() {
    if (!file_) return ok();
    const auto closing = std::move(file_);
    if (!unsynced_) return ok();
    unsynced_ = false;
    return closing->sync();
}

std::optional<std::chrono::steady_clock::time_point> JournalCopy::due() const {
    if (current_) return std::nullopt;
    return connected_ ? std::chrono::steady_clock::time_point::min() : retry_at_;
}

void JournalCopy::go_away(const Error& error) {
    connected_ = current_ = unsynced_ = false;
    file_.reset();
    pending_.clear();
    retry_at_ = clock_->steady() + settings_.retry;
    const std::lock_guard lock(mutex_);
    if (state_.kind != CopyState::Kind::away) {
        state_.since = clock_->utc();
        log::warning("the journal's copy cannot be written; the journal itself has everything",
                     {{"path", settings_.folder.string()}, {"code", error.name()}, {"error", error.text()}});
    }
    state_.kind = CopyState::Kind::away;
    state_.trouble = error;
}

void JournalCopy::set_state(CopyState::Kind kind) {
    const std::lock_guard lock(mutex_);
    if (state_.kind == CopyState::Kind::away && kind == CopyState::Kind::current) {
        log::info("the journal's copy is written again", {{"path", settings_.folder.string()}});
    }
    // While it catches up after trouble it still is away for `status`: not everything is in it.
    if (state_.kind == CopyState::Kind::away && kind == CopyState::Kind::catching) return;
    state_.kind = kind;
    state_.seq = written_.size;
    if (kind == CopyState::Kind::current) state_.trouble.reset();
}

CopyState JournalCopy::state() const {
    const std::lock_guard lock(mutex_);
    return state_;
}

}  // namespace tpf::queue
