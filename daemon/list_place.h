#pragma once
// Where a message's list in the pseudonym log lies now.

#include "base/fs.h"
#include "base/types.h"
#include "queue/spool.h"

namespace tpf::daemon {

/// Its place in `pseudonyms/`; between the message's commit and its publishing, the one beside its output. Where there
/// is none, its place. A list that is found beside the output may be in its place by the time that it is opened: ask
/// again.
[[nodiscard]] Path list_place(FileSystem& fs, const queue::Folders& folders, const SpoolId& message);

}  // namespace tpf::daemon
