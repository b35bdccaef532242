#include "daemon/pass_runner.h"

#include <thread>

#include "daemon/bounded_queue.h"

namespace tpf::daemon {
namespace {

constexpr std::size_t kBuffers = 4;
/// Below this a thread costs more than it gives.
constexpr std::uint64_t kThreadedBytes = 2U << 20;

/// Hashes and writes pieces, in the caller's thread.
class FileSink final : public pseudonym::OutputSink {
  public:
    explicit FileSink(File* file) : file_(file) {}
    Status write(std::string& piece) override {
        digest_.update(piece);
        bytes_ += piece.size();
        if (file_ == nullptr) return ok();
        TPF_TRY(file_->write(as_bytes(piece)));
        file_->start_writeback();
        return ok();
    }
    [[nodiscard]] Digest digest() { return digest_.finish(); }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  private:
    File* file_;
    Sha256 digest_;
    std::uint64_t bytes_ = 0;
};

/// The same on a thread of its own. finish() before it is destroyed, or what is queued is dropped.
class ThreadedSink final : public pseudonym::OutputSink {
  public:
    explicit ThreadedSink(FileSink& sink) : sink_(sink), thread_([this] { run(); }) {}
    ~ThreadedSink() override { static_cast<void>(finish().has_value()); }
    ThreadedSink(const ThreadedSink&) = delete;
    ThreadedSink& operator=(const ThreadedSink&) = delete;
    Status write(std::string& piece) override {
        std::string next;
        {
            const std::lock_guard lock(mutex_);
            if (!status_) return status_;
            if (!spare_.empty()) {
                next = std::move(spare_.back());
                spare_.pop_back();
            }
        }
        if (next.capacity() == 0) next.reserve(piece.capacity());
        std::swap(piece, next);
        full_.push(std::move(next));
        return ok();
    }
    Status finish() {
        full_.close();
        if (thread_.joinable()) thread_.join();
        return status_;
    }

  private:
    void run() {
        while (auto piece = full_.pop()) {
            const Status written = status_ ? sink_.write(*piece) : ok();
            piece->clear();
            const std::lock_guard lock(mutex_);
            if (!written) status_ = written;
            spare_.push_back(std::move(*piece));
        }
    }
    FileSink& sink_;
    BoundedQueue<std::string> full_{kBuffers};
    std::mutex mutex_;
    std::vector<std::string> spare_;
    Status status_ = ok();
    std::thread thread_;
};

/// Feeds the pass until its first error; a fault of the message does not end the reading, so that the digest is of all.
class Feeding {
  public:
    Feeding(pseudonym::Pass& pass, PassRun& run, const Lifecycle& lifecycle)
        : pass_(pass), run_(run), lifecycle_(lifecycle) {}
    /// An error ends the reading.
    [[nodiscard]] Status take(ByteView block) {
        if (lifecycle_.cut()) return fail(Code::unavailable, "the service is stopping");
        Lifecycle::progress();
        run_.input_bytes += block.size();
        if (!fault_) {
            Status fed = pass_.feed(block);
            if (!fed && fed.error().disposition() != Disposition::quarantine) return fed;
            if (!fed) fault_ = fed.error();
        }
        return ok();
    }
    [[nodiscard]] Result<pseudonym::PassReport> finish() {
        if (fault_) return fail(*fault_);
        return pass_.finish();
    }

  private:
    pseudonym::Pass& pass_;
    PassRun& run_;
    const Lifecycle& lifecycle_;
    std::optional<Error> fault_;
};

Status feed_all(File& file, Sha256& digest, Feeding& feeding, std::uint64_t size) {
    Bytes block(std::min<std::uint64_t>(size + 1, pseudonym::Pass::kPiece));
    while (true) {
        TPF_TRY(const std::size_t got, file.read(block));
        if (got == 0) return ok();
        const ByteView bytes(block.data(), got);
        digest.update(bytes);
        TPF_TRY(feeding.take(bytes));
    }
}

}  // namespace

PassRun run_pass(const pseudonym::PassKeys& keys, const pseudonym::PassOptions& options, const PassFiles& files,
                 const Lifecycle& lifecycle) {
    PassRun run{fail(Code::internal), {}, 0, {}, 0, {}, {}, false, {}};
    const bool threaded = files.input_size >= kThreadedBytes;
    Sha256 input_digest;
    FileSink file_sink(files.output);
    std::optional<ThreadedSink> threaded_sink;
    if (threaded) threaded_sink.emplace(file_sink);
    pseudonym::OutputSink& sink = threaded ? static_cast<pseudonym::OutputSink&>(*threaded_sink) : file_sink;

    pseudonym::Pass pass(keys, options, sink);
    Feeding feeding(pass, run, lifecycle);
    const Status fed = feed_all(files.input, input_digest, feeding, files.input_size);
    if (fed) {
        run.report = feeding.finish();
    } else {
        run.report = fail(fed.error());
    }
    if (threaded_sink) {
        const Status written = threaded_sink->finish();
        if (!written) run.report = fail(written.error());
    }
    run.input_digest = input_digest.finish();
    run.output_digest = file_sink.digest();
    run.output_bytes = file_sink.bytes();
    run.clear_header = pass.clear_header();
    run.key_id = pass.key_id();
    run.authentic = pass.authentic();
    run.marked = pass.marked();
    return run;
}

}  // namespace tpf::daemon
