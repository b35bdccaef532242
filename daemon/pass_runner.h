#pragma once
// Drives one pass over files: reads and hashes the input, hashes and writes the output. A large message uses two
// threads (read + hash the input + write; pass + hash the output), which share its work about evenly; a small one is
// done in the caller's thread. Memory: a few buffers of Pass::kPiece.

#include "base/fs.h"
#include "base/sha256.h"
#include "daemon/lifecycle.h"
#include "pseudonym/pass.h"

namespace tpf::daemon {

struct PassFiles {
    File& input;
    std::uint64_t input_size;
    File* output;  ///< nullptr: a dry run
};

struct PassRun {
    Result<pseudonym::PassReport> report;
    Digest input_digest{};  ///< of all of the input, also after a fault of the message
    std::uint64_t input_bytes = 0;
    Digest output_digest{};
    std::uint64_t output_bytes = 0;
    std::optional<pseudonym::ClearHeader> clear_header;
    std::optional<KeyId> key_id;
    bool authentic = false;
    PersonMarks marked;
};

/// An error that is not the message's fault (disk, keys) is in `report` like any other; the input is then not read to
/// its end. Code::unavailable: the lifecycle was cut short.
[[nodiscard]] PassRun run_pass(const pseudonym::PassKeys& keys, const pseudonym::PassOptions& options,
                               const PassFiles& files, const Lifecycle& lifecycle);

}  // namespace tpf::daemon
