#include "krypteringsmodul/chunk_reader.h"

#include "base/encoding.h"
#include "krypteringsmodul/sender_error.h"

namespace tpf::krypteringsmodul {

Error interrupted_error() {
    return feil(Code::unavailable, "Kjøringen ble avbrutt. Ingen kryptert fil er laget.");
}

ChunkReader::ChunkReader(File& file, const crypto::FingerprintKey& key, const std::atomic<bool>& interrupted)
    : file_(file),
      interrupted_(interrupted),
      fingerprinter_(key),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

ChunkReader::~ChunkReader() {
    thread_.request_stop();
    thread_.join();
}

void ChunkReader::run(const std::stop_token& stop) {
    for (std::size_t at = 0;; at = (at + 1) % chunks_.size()) {
        Chunk& chunk = chunks_[at];
        {
            std::unique_lock lock(mutex_);
            if (!changed_.wait(lock, stop, [&] { return !chunk.full; })) return;
        }
        auto size = file_.read(chunk.bytes);
        const std::size_t got = size ? size.value() : 0;
        fingerprinter_.update(std::span(chunk.bytes).first(got));
        const std::lock_guard lock(mutex_);
        if (!size) error_ = file_error(size.error(), "IPLOS filen kunne ikke leses");
        if (got == 0) {
            fingerprint_ = fingerprinter_.finish();
            ended_ = true;
        } else {
            chunk.size = got;
            chunk.full = true;
        }
        changed_.notify_all();
        if (ended_) return;
    }
}

Result<std::string_view> ChunkReader::next() {
    std::unique_lock lock(mutex_);
    if (holding_) {
        chunks_[at_].full = false;
        at_ = (at_ + 1) % chunks_.size();
        holding_ = false;
        changed_.notify_all();
    }
    changed_.wait(lock, [this] { return chunks_[at_].full || ended_; });
    if (interrupted_) return fail(interrupted_error());
    if (!chunks_[at_].full) {
        if (error_) return fail(*error_);
        return std::string_view();
    }
    holding_ = true;
    return as_text(ByteView(chunks_[at_].bytes).first(chunks_[at_].size));
}

}  // namespace tpf::krypteringsmodul
