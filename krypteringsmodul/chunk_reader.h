#pragma once
// Reads a file from beginning to end in a thread of its own, a few chunks ahead, and takes its fingerprint.

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "base/fs.h"
#include "crypto/fingerprint.h"

namespace tpf::krypteringsmodul {

/// One consumer. `file` stands at its beginning, outlives the object and is nobody else's meanwhile.
class ChunkReader {
  public:
    /// `interrupted`: next() fails soon after it becomes true.
    ChunkReader(File& file, const crypto::FingerprintKey& key, const std::atomic<bool>& interrupted);
    /// Waits for a read that is under way.
    ~ChunkReader();
    ChunkReader(const ChunkReader&) = delete;
    ChunkReader& operator=(const ChunkReader&) = delete;

    /// The next bytes, valid until the next call; empty at the end of the file. Errors are the sender's texts.
    [[nodiscard]] Result<std::string_view> next();
    /// Of all bytes handed out, once next() said that it was the end.
    [[nodiscard]] const crypto::Fingerprint& fingerprint() const noexcept { return fingerprint_; }

    static constexpr std::size_t kChunkBytes = std::size_t{1} << 20;

  private:
    struct Chunk {
        std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(kChunkBytes);
        std::size_t size = 0;
        bool full = false;
    };
    void run(const std::stop_token& stop);

    File& file_;
    const std::atomic<bool>& interrupted_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::array<Chunk, 4> chunks_;
    std::size_t at_ = 0;    // the consumer's chunk
    bool holding_ = false;  // it still looks at it
    bool ended_ = false;
    std::optional<Error> error_;
    crypto::Fingerprinter fingerprinter_;
    crypto::Fingerprint fingerprint_{};
    std::jthread thread_;
};

/// What a run that was stopped by a signal ends with.
[[nodiscard]] Error interrupted_error();

}  // namespace tpf::krypteringsmodul
