#pragma once
// Where a message's list in the pseudonym log lies now, and whose is gone for good.

#include <vector>

#include "base/fs.h"
#include "base/types.h"
#include "queue/journal.h"
#include "queue/spool.h"

namespace tpf::daemon {

/// Its place in `pseudonyms/`; between the message's commit and its publishing, the one beside its output. Where there
/// is none, its place. A list that is found beside the output may be in its place by the time that it is opened: ask
/// again.
[[nodiscard]] Path list_place(FileSystem& fs, const queue::Folders& folders, const SpoolId& message);

/// Whose list is deleted (audit::deleted_lists).
[[nodiscard]] Result<std::vector<SpoolId>> deleted_messages(queue::Journal& journal);

}  // namespace tpf::daemon
