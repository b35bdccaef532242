#include "queue/journal_writer.h"

#include "base/log.h"

namespace tpf::queue {
namespace {

constexpr std::size_t kMaxGroup = 256;

/// Errors after which the transaction is not to be trusted; all others concern one change alone.
bool is_of_database(const Error& error) {
    switch (error.code()) {
        case Code::journal:
        case Code::disk_full:
        case Code::locked:
        case Code::fsync_failed:
            return true;
        default:
            return false;
    }
}

}  // namespace

Journal::Writer::Writer(sqlite::Database db, AuditSink& audit, const Clock& clock, std::unique_ptr<JournalCopy> copy)
    : db_(std::move(db)), audit_(&audit), clock_(&clock), copy_(std::move(copy)), thread_([this] { run(); }) {}

Journal::Writer::~Writer() {
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
    }
    arrived_.notify_one();
    thread_.join();
}

Status Journal::Writer::change(const Change& change) {
    Job job;
    job.change = &change;
    return submit(job);
}

Status Journal::Writer::ask(const Question& question, bool guarded) {
    Job job;
    job.question = &question;
    job.guarded = guarded;
    return submit(job);
}

Status Journal::Writer::seal() {
    return ask([this](sqlite::Database& db) -> Status {
        TPF_TRY(auto transaction, sqlite::Transaction::begin(db));
        TPF_TRY(audit_->seal(db, clock_->utc()));
        // After a commit that failed nobody knows what is on disk.
        const Status committed = transaction.commit();
        return committed ? ok() : fail(Code::journal, committed.error().detail());
    });
}

Status Journal::Writer::submit(Job& job) {
    auto answer = job.answer.get_future();
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(&job);
    }
    arrived_.notify_one();
    return answer.get();
}

Journal::Statistics Journal::Writer::statistics() const {
    const std::lock_guard lock(mutex_);
    Statistics now = statistics_;
    now.waiting = waiting_.size();
    return now;
}

CopyState Journal::Writer::copy_state() const {
    return copy_ ? copy_->state() : CopyState();
}

void Journal::Writer::run() {
    std::vector<Job*> jobs;
    while (gather(jobs)) {
        work_off(jobs);
        // A job lives on its caller's stack: gone as soon as it is answered.
        for (Job* job : jobs) job->answer.set_value(std::move(job->outcome));
        jobs.clear();
        look_after_copy();
    }
}

bool Journal::Writer::gather(std::vector<Job*>& jobs) {
    const auto ready = [this] { return closing_ || !waiting_.empty(); };
    const auto due = copy_ && !poisoned_ ? copy_->due() : std::nullopt;
    std::unique_lock lock(mutex_);
    if (!due) {
        arrived_.wait(lock, ready);
    } else if (const auto now = clock_->steady(); *due > now) {
        arrived_.wait_for(lock, *due - now, ready);
    }
    if (closing_ && waiting_.empty()) return false;
    while (!waiting_.empty() && jobs.size() < kMaxGroup) {
        jobs.push_back(waiting_.front());
        waiting_.pop_front();
    }
    return true;
}

/// After the answers: nobody waits for the copy.
void Journal::Writer::look_after_copy() {
    if (!copy_ || poisoned_) return;
    copy_->write();
    if (const Status looked = copy_->tick(db_); !looked) poison(looked.error());
}

void Journal::Writer::work_off(std::vector<Job*>& jobs) {
    std::vector<Job*> group;
    for (Job* job : jobs) {
        if (poisoned_) {
            job->outcome = fail(*poisoned_);
        } else if (job->question != nullptr) {
            job->outcome = run_question(*job);
        } else {
            group.push_back(job);
        }
    }
    if (group.empty()) return;
    const Status committed = poisoned_ ? Status(fail(*poisoned_)) : run_group(group);
    if (committed) return;
    for (Job* job : group) job->outcome = fail(poisoned_ ? *poisoned_ : committed.error());
}

Status Journal::Writer::run_question(const Job& job) {
    if (job.guarded) {
        TPF_TRY(db_.execute("PRAGMA query_only=ON"));
    }
    Status answer = (*job.question)(db_);
    if (job.guarded) {
        TPF_TRY(db_.execute("PRAGMA query_only=OFF"));
    }
    if (!answer && answer.error().code() == Code::journal) poison(answer.error());
    return answer;
}

Status Journal::Writer::run_group(const std::vector<Job*>& group) {
    std::uint64_t changes = 0;
    bool at_commit = false;
    Status committed = [&]() -> Status {
        TPF_TRY(auto transaction, sqlite::Transaction::begin(db_));
        for (Job* job : group) {
            TPF_TRY(const bool changed, run_change(*job));
            if (changed) ++changes;
        }
        if (changes == 0) return ok();
        TPF_TRY(audit_->seal(db_, clock_->utc()));
        at_commit = true;
        return transaction.commit();
    }();
    if (!committed) {
        if (copy_) copy_->forget();
        // A full disk before the commit is rolled back cleanly; after anything else nobody knows what is on disk.
        const bool clean = committed.error().code() == Code::disk_full && !at_commit;
        if (!clean) poison(committed.error());
        return committed;
    }
    const std::lock_guard lock(mutex_);
    statistics_.changes += changes;
    if (changes != 0) ++statistics_.commits;
    return committed;
}

Result<bool> Journal::Writer::run_change(Job& job) {
    TPF_TRY(db_.run("SAVEPOINT change"));
    const UtcTime now = clock_->utc();
    auto entry = (*job.change)(db_, now);
    job.outcome = entry ? ok() : Status(fail(entry.error()));
    if (entry && entry.value()) job.outcome = log_change(*entry.value(), now);
    if (!job.outcome && is_of_database(job.outcome.error())) return fail(job.outcome.error());
    const bool changed = job.outcome && entry.value().has_value();
    if (!changed) {
        TPF_TRY(db_.run("ROLLBACK TO change"));
    }
    TPF_TRY(db_.run("RELEASE change"));
    return changed;
}

Status Journal::Writer::log_change(const AuditEntry& entry, UtcTime now) {
    TPF_TRY(const WrittenEntry written, audit_->append(db_, entry, now));
    return copy_ ? copy_->note(db_, written) : ok();
}

void Journal::Writer::poison(const Error& error) {
    log::error("the journal has stopped", {{"error", error.text()}});
    poisoned_ = Error(Code::journal, "the journal stopped after: " + error.text());
}

}  // namespace tpf::queue
