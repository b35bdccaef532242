#pragma once
// A journal that an older version of this program wrote is brought up to date, once, before anything else opens it.
// First it is copied beside itself (`journal.db.v2`; `journal.db.v2-2` and so on where that name is taken): the same
// bytes, read back and compared, synced, mode 0600. Nothing ever removes the copy. Then the change, in one transaction.
//
// A crash leaves the old journal or the new one, whole; what it leaves of a half copy (`.half`) the next start removes.

#include <cstdint>
#include <optional>

#include "base/fs.h"
#include "base/result.h"

namespace tpf::queue {

struct JournalUpgrade {
    std::int64_t from = 0;
    std::int64_t to = 0;
    Path kept;  ///< the copy
};

/// Nothing: there is no journal, or none to bring up to date (what this program cannot read is Journal::open()'s to
/// refuse). Before Journal::open(), with the spool's lock. Code::disk_full: no room for the copy and the change; the
/// journal is as it was. Code::journal: damaged. Code::locked. As long as the disk takes to read it three times.
[[nodiscard]] Result<std::optional<JournalUpgrade>> upgrade_journal(FileSystem& fs, const Path& journal);

}  // namespace tpf::queue
