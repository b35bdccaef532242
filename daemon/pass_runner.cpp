#include "daemon/pass_runner.h"

#include <algorithm>
#include <memory>

#include "daemon/pass_io.h"

namespace tpf::daemon {
namespace {

/// Below this a thread costs more than it gives.
constexpr std::uint64_t kThreadedBytes = 2U << 20;

/// Hashes what goes to another sink.
class HashingSink final : public pseudonym::OutputSink {
  public:
    explicit HashingSink(pseudonym::OutputSink& next) : next_(next) {}
    Status write(TextBuffer& piece) override {
        digest_.update(piece.view());
        bytes_ += piece.size();
        return next_.write(piece);
    }
    [[nodiscard]] Digest digest() { return digest_.finish(); }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  private:
    pseudonym::OutputSink& next_;
    Sha256 digest_;
    std::uint64_t bytes_ = 0;
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

Status feed_all(PassIo& io, Feeding& feeding) {
    while (true) {
        TPF_TRY(const ByteView piece, io.next());
        if (piece.empty()) return ok();
        TPF_TRY(feeding.take(piece));
    }
}

std::unique_ptr<PassIo> make_io(File& input, std::uint64_t input_size, File* output) {
    constexpr std::size_t kPiece = pseudonym::Pass::kPiece;
    if (input_size >= kThreadedBytes) return std::make_unique<ThreadedPassIo>(input, output, kPiece);
    return std::make_unique<DirectPassIo>(input, output, std::min<std::uint64_t>(input_size + 1, kPiece));
}

}  // namespace

PassRun run_pass(const pseudonym::PassKeys& keys, const pseudonym::PassOptions& options, const PassFiles& files,
                 const Lifecycle& lifecycle) {
    PassRun run{fail(Code::internal), {}, 0, {}, 0, {}, {}, false, {}};
    const auto io = make_io(files.input, files.input_size, files.output);
    HashingSink sink(*io);
    pseudonym::Pass pass(keys, options, sink);
    Feeding feeding(pass, run, lifecycle);
    const Status fed = feed_all(*io, feeding);
    if (fed) {
        run.report = feeding.finish();
    } else {
        run.report = fail(fed.error());
    }
    if (const Status written = io->finish(); !written) run.report = fail(written.error());
    run.input_digest = io->input_digest();
    run.output_digest = sink.digest();
    run.output_bytes = sink.bytes();
    run.clear_header = pass.clear_header();
    run.key_id = pass.key_id();
    run.authentic = pass.authentic();
    run.marked = pass.marked();
    return run;
}

}  // namespace tpf::daemon
