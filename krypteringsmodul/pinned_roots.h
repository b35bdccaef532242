#pragma once
// The sender's pinned root keys: without their owners' signatures no key of theirs is taken, and no older key file than
// the last one (formats.md § 5).

#include "base/fs.h"
#include "crypto/key_file.h"

namespace tpf::krypteringsmodul {

/// Holds `key_file` (its bytes, and what they say) against the roots in the file `roots`. Every owner of a pinned root
/// that has keys in the file must have signed it in PATH.sig. `utgave` must not be lower than the one in ROOTS.utgave,
/// which holds the highest that was taken; a higher one is written there. Errors are the sender's texts.
[[nodiscard]] Status check_roots(FileSystem& fs, const Path& roots, const Path& path, std::string_view content,
                                 const crypto::KeyFile& key_file);

}  // namespace tpf::krypteringsmodul
