#pragma once
// Whom a submission is sealed for: which keys of the published key file (formats.md § 5) are taken.

#include <string>

#include "base/clock.h"
#include "base/fs.h"
#include "base/sha256.h"
#include "crypto/key_file.h"
#include "krypteringsmodul/recipient.h"

namespace tpf::krypteringsmodul {

struct LoadedKeyFile {
    crypto::KeyFile keys;
    Digest digest;  ///< of the file's bytes, for comparison with the published one
};
/// `roots`: the file with the sender's pinned root keys (pinned_roots.h); empty: there are none. Errors are the
/// sender's texts.
[[nodiscard]] Result<LoadedKeyFile> load_key_file(FileSystem& fs, const Path& path, const Path& roots = {});

/// The modern key of `owner` that is valid on `day` with the latest gyldigFra. None: the sender is told to fetch a new
/// key file.
[[nodiscard]] Result<RecipientKey> recipient_key(const crypto::KeyFile& keys, std::string_view owner,
                                                 std::chrono::sys_days day);

}  // namespace tpf::krypteringsmodul
