#pragma once
// The whole of one run: validate and count, then encrypt, then put the file in its place.

#include <atomic>
#include <cstdint>

#include "base/clock.h"
#include "base/fs.h"
#include "crypto/key_file.h"
#include "krypteringsmodul/progress.h"
#include "krypteringsmodul/submission_writer.h"

namespace tpf::krypteringsmodul {

struct EncryptJob {
    Path export_file;
    Path output;
    Contact contact;
    MeldingsId meldings_id;
    crypto::KeyTransport transport = crypto::KeyTransport::oaep_sha256_mgf1_sha256;
    std::size_t max_person_bytes = std::size_t{64} << 20;
    unsigned workers = 1;
};

/// What a run needs of the world around it. All of it outlives the run.
struct Surroundings {
    FileSystem& fs;
    const Clock& clock;
    const std::atomic<bool>& interrupted;  ///< becomes true when the run shall stop
    Progress& progress;
};

/// Returns the number of persons. Reads the export twice; when the two readings differ (the bytes, or the file itself),
/// that is an error. After any error no output is left, and a file that had its name before is untouched. Errors are
/// the sender's texts.
[[nodiscard]] Result<std::uint64_t> encrypt_export(const EncryptJob& job, const crypto::KeyFile& keys,
                                                   const Surroundings& around);

}  // namespace tpf::krypteringsmodul
