#pragma once
// Seals persons on all cores and writes them in their order. Bounded: submit() waits while too many bytes are under
// way.
//
//   submit() ── batches ──► workers (seal, each with its own PersonSealer) ── in order ──► writer thread

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "krypteringsmodul/person_sealer.h"
#include "krypteringsmodul/submission_writer.h"

namespace tpf::krypteringsmodul {

/// Persons that stand one after the other in the message.
struct PersonBatch {
    std::uint64_t first = 1;  ///< position of persons[0]
    std::vector<ExportPerson> persons;
    std::size_t bytes = 0;  ///< what they hold
};

struct PipelineOptions {
    unsigned workers = 1;
    /// Content under way; one batch always goes, whatever its size.
    std::size_t max_bytes = std::size_t{2} << 20;
    /// Outlives the pipeline. nullptr: every key is made when it is needed.
    KeyStock* stock = nullptr;
};

/// Used by one thread. `writer` outlives the object and is used by the pipeline alone until finish() returned.
class SealPipeline {
  public:
    SealPipeline(const RecipientKey& recipient, crypto::KeyTransport transport, const MeldingsId& meldings_id,
                 SubmissionWriter& writer, const PipelineOptions& options);
    /// Without finish(): drops what is under way.
    ~SealPipeline();
    SealPipeline(const SealPipeline&) = delete;
    SealPipeline& operator=(const SealPipeline&) = delete;

    /// The first error of any stage, as soon as it is known.
    [[nodiscard]] Status submit(PersonBatch batch);
    /// Everything submitted was handed to the writer, or the first error.
    [[nodiscard]] Status finish();

  private:
    struct Job {
        PersonBatch batch;
        std::string sealed;
        bool done = false;
    };
    void seal_jobs(PersonSealer& sealer);
    void write_jobs();
    Status seal(PersonSealer& sealer, Job& job) const;
    void stop(Error error);
    void join();

    SubmissionWriter& writer_;
    const std::size_t max_bytes_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::shared_ptr<Job>> waiting_;  // for a worker
    std::deque<std::shared_ptr<Job>> ordered_;  // for the writer, done or not
    std::size_t bytes_ = 0;
    bool closed_ = false;
    std::optional<Error> error_;
    std::vector<std::jthread> threads_;
};

}  // namespace tpf::krypteringsmodul
