#include "krypteringsmodul/seal_pipeline.h"

#include "krypteringsmodul/sender_error.h"

namespace tpf::krypteringsmodul {
namespace {

/// Nothing may leave a thread's function.
template <class Work>
Status guarded(Work work) {
    try {
        return work();
    } catch (const std::bad_alloc&) {
        return fail(feil(Code::internal, "Det er ikke nok minne på maskinen."));
    } catch (const std::exception&) {
        return fail(feil(Code::internal, "Krypteringen mislyktes på grunn av en feil i programmet."));
    }
}

}  // namespace

SealPipeline::SealPipeline(const RecipientKey& recipient, crypto::KeyTransport transport, const MeldingsId& meldings_id,
                           SubmissionWriter& writer, const PipelineOptions& options)
    : writer_(writer), max_bytes_(options.max_bytes) {
    for (unsigned i = 0; i < options.workers; ++i) {
        threads_.emplace_back([this, sealer = std::make_shared<PersonSealer>(recipient, transport, meldings_id,
                                                                             options.stock)] { seal_jobs(*sealer); });
    }
    threads_.emplace_back([this] { write_jobs(); });
}

SealPipeline::~SealPipeline() {
    if (!threads_.empty()) stop(Error(Code::unavailable));  // nobody asks for it any more
    join();
}

void SealPipeline::join() {
    for (std::jthread& thread : threads_) thread.join();
    threads_.clear();
}

Status SealPipeline::submit(PersonBatch batch) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return error_ || bytes_ == 0 || bytes_ + batch.bytes <= max_bytes_; });
    if (error_) return fail(*error_);
    bytes_ += batch.bytes;
    auto job = std::make_shared<Job>();
    job->batch = std::move(batch);
    waiting_.push_back(job);
    ordered_.push_back(std::move(job));
    changed_.notify_all();
    return ok();
}

Status SealPipeline::finish() {
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        changed_.notify_all();
    }
    join();
    if (error_) return fail(*error_);
    return ok();
}

void SealPipeline::stop(Error error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
    changed_.notify_all();
}

void SealPipeline::seal_jobs(PersonSealer& sealer) {
    while (true) {
        std::shared_ptr<Job> job;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return error_ || closed_ || !waiting_.empty(); });
            if (error_ || waiting_.empty()) return;
            job = std::move(waiting_.front());
            waiting_.pop_front();
        }
        if (auto sealed = guarded([&] { return seal(sealer, *job); }); !sealed) return stop(sealed.error());
        const std::lock_guard lock(mutex_);
        job->done = true;
        changed_.notify_all();
    }
}

Status SealPipeline::seal(PersonSealer& sealer, Job& job) const {
    job.sealed.reserve(job.batch.bytes / 3 * 4 + job.batch.persons.size() * 2048);
    std::uint64_t position = job.batch.first;
    for (const ExportPerson& person : job.batch.persons) {
        if (auto sealed = sealer.seal(person, position++, job.sealed); !sealed) {
            return fail(feil(sealed.error().code(), "Krypteringen mislyktes på grunn av en feil i programmet."));
        }
    }
    job.batch.persons.clear();
    return ok();
}

void SealPipeline::write_jobs() {
    while (true) {
        std::shared_ptr<Job> job;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return error_ || (ordered_.empty() ? closed_ : ordered_.front()->done); });
            if (error_ || ordered_.empty()) return;
            job = std::move(ordered_.front());
            ordered_.pop_front();
        }
        if (auto written = guarded([&] { return writer_.write(job->sealed); }); !written) return stop(written.error());
        const std::lock_guard lock(mutex_);
        bytes_ -= job->batch.bytes;
        changed_.notify_all();
    }
}

}  // namespace tpf::krypteringsmodul
