#pragma once
// What a rebuild takes in from the spool: messages that lie there and that no row knows.

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/sqlite.h"
#include "queue/message_row.h"
#include "queue/spool.h"

namespace tpf::queue {

struct FoundMessage {
    MessageRow row;    ///< as it is to be written: its revision is above that of a row that is there
    const char* from;  ///< "outbox", "work" or "quarantine"
};

/// Stands for the digest of a submission that is gone: the same name sent again is then never taken for the same bytes,
/// but quarantined (Code::id_reused) for an operator to look at.
inline constexpr std::string_view kUnknownDigest = "0000000000000000000000000000000000000000000000000000000000000000";

/// `db`: the new journal, with all rows and names that other sources gave; `settings`: digest of the settings now in
/// force.
///   outbox/ID with its sealed record: committed, also where a row says claimed (its commit was lost). Where the name
///   is another message's, or the record is damaged: as work/ID
///   work/ID: claimed.    quarantine/ID: quarantined, Code::rebuilt
/// An entry whose source `source_of` does not confirm has none, and no sender: it cannot pass.
[[nodiscard]] Result<std::vector<FoundMessage>> find_in_spool(
    sqlite::Database& db, const Spool& spool, const std::function<Result<std::string>(const InboxEntry&)>& source_of,
    const std::string& settings, UtcTime now);

}  // namespace tpf::queue
