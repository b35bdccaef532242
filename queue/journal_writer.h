#pragma once
// The journal's one thread: gathers changes, runs each group in one transaction, commits with one fsync, answers all.

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include "queue/journal.h"

namespace tpf::queue {

/// What a change does to the database; returns the entry that logs it, or none when it changed nothing (what it did all
/// the same is then rolled back). Runs in the writer's thread.
using Change = std::function<Result<std::optional<AuditEntry>>(sqlite::Database& db, UtcTime now)>;
using Question = std::function<Status(sqlite::Database& db)>;

class Journal::Writer {
  public:
    /// `copy`: opened; null where there is none.
    Writer(sqlite::Database db, AuditSink& audit, const Clock& clock, std::unique_ptr<JournalCopy> copy);
    ~Writer();
    /// Waits until the group is committed.
    [[nodiscard]] Status change(const Change& change);
    /// `guarded`: a change in it fails. Costs two statements; the journal's own questions are known to change nothing.
    [[nodiscard]] Status ask(const Question& question, bool guarded = false);
    [[nodiscard]] Status seal();
    [[nodiscard]] Statistics statistics() const;
    [[nodiscard]] CopyState copy_state() const;

  private:
    struct Job {
        const Change* change = nullptr;  // one of the two
        const Question* question = nullptr;
        bool guarded = false;
        std::promise<Status> answer;
        Status outcome = ok();
    };
    [[nodiscard]] Status submit(Job& job);
    void run();
    /// Waits until there is something to do, or the copy wants to be looked after. False: it is over.
    [[nodiscard]] bool gather(std::vector<Job*>& jobs);
    void look_after_copy();
    void work_off(std::vector<Job*>& jobs);
    [[nodiscard]] Status run_question(const Job& job);
    /// An error is one of the whole group: nothing of it was committed.
    [[nodiscard]] Status run_group(const std::vector<Job*>& group);
    /// Sets the job's outcome; true when it changed something. An error ends the group.
    [[nodiscard]] Result<bool> run_change(Job& job);
    [[nodiscard]] Status log_change(const AuditEntry& entry, UtcTime now);
    void poison(const Error& error);

    // Touched by the writer's thread only.
    sqlite::Database db_;
    AuditSink* audit_;
    const Clock* clock_;
    std::unique_ptr<JournalCopy> copy_;
    std::optional<Error> poisoned_;

    mutable std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<Job*> waiting_;
    bool closing_ = false;
    Statistics statistics_;
    std::thread thread_;  // last: it uses all of the above
};

}  // namespace tpf::queue
