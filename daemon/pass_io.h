#pragma once
// The files of one pass: the input read and hashed, the output written. On a thread of their own beside the pass, or in
// the caller's.

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/encoding.h"
#include "base/fs.h"
#include "base/sha256.h"
#include "pseudonym/tpf_layer.h"

namespace tpf::daemon {

/// Used by the pass's thread. The input is read to its end before input_digest() means anything.
class PassIo : public pseudonym::OutputSink {
  public:
    /// The input's next piece, valid until the next call; of no bytes at its end. After an error there is only that
    /// error.
    [[nodiscard]] virtual Result<ByteView> next() = 0;
    /// All that was given to write() has been written; what failed on the way is told, here at the latest. Nothing is
    /// synced.
    [[nodiscard]] virtual Status finish() = 0;
    /// After finish().
    [[nodiscard]] virtual Digest input_digest() = 0;
};

/// What both do. Not thread-safe. `output` nullptr: what is written goes nowhere.
class HashedFiles {
  public:
    HashedFiles(File& input, File* output) : input_(input), output_(output) {}
    /// The input's next piece, at the front of `block`; of no bytes at its end.
    [[nodiscard]] Result<ByteView> read(Bytes& block);
    [[nodiscard]] Status write(std::string_view piece);
    [[nodiscard]] Digest input_digest() { return digest_.finish(); }

  private:
    File& input_;
    File* output_;
    Sha256 digest_;
};

/// In the caller's thread: for what is too small for another one.
class DirectPassIo final : public PassIo {
  public:
    DirectPassIo(File& input, File* output, std::size_t piece_bytes) : files_(input, output), block_(piece_bytes) {}
    [[nodiscard]] Status write(TextBuffer& piece) override { return files_.write(piece.view()); }
    [[nodiscard]] Result<ByteView> next() override { return files_.read(block_); }
    [[nodiscard]] Status finish() override { return ok(); }
    [[nodiscard]] Digest input_digest() override { return files_.input_digest(); }

  private:
    HashedFiles files_;
    Bytes block_;
};

/// On one thread of its own, which reads ahead and writes behind: both sides then have about half of the work. The pass
/// hashes what it wrote while that is still in its core's cache.
class ThreadedPassIo final : public PassIo {
  public:
    ThreadedPassIo(File& input, File* output, std::size_t piece_bytes);
    /// Without finish() what has not been written is dropped.
    ~ThreadedPassIo() override;
    ThreadedPassIo(const ThreadedPassIo&) = delete;
    ThreadedPassIo& operator=(const ThreadedPassIo&) = delete;
    [[nodiscard]] Status write(TextBuffer& piece) override;
    [[nodiscard]] Result<ByteView> next() override;
    [[nodiscard]] Status finish() override;
    [[nodiscard]] Digest input_digest() override;

  private:
    struct Piece {
        Bytes block;
        Result<ByteView> read;
    };
    void run();
    void read_one(std::unique_lock<std::mutex>& lock);
    void write_one(std::unique_lock<std::mutex>& lock);

    HashedFiles files_;  // the thread's
    const std::size_t piece_bytes_;

    std::mutex mutex_;
    std::condition_variable to_thread_;
    std::condition_variable to_pass_;
    // Under the mutex:
    std::deque<Piece> read_;
    std::vector<Bytes> blocks_;  // free ones
    bool at_end_ = false;        // of the input, or of its readable part
    std::deque<TextBuffer> unwritten_;
    std::vector<TextBuffer> buffers_;  // free ones
    Status written_ = ok();
    bool finishing_ = false;  // nothing more is wanted but what is to be written
    bool dropped_ = false;    // nor that

    std::optional<Piece> at_hand_;  // the pass's
    std::thread thread_;            // last: it uses all of the above
};

}  // namespace tpf::daemon
