#pragma once
// The name that the audit log has on its checkpoints: drawn at the first start, and drawn anew after `tpfctl restore`,
// since what a backup holds is an earlier state of a log whose later checkpoints others may hold.

#include "base/fs.h"
#include "conf/config.h"
#include "queue/journal.h"

namespace tpf::daemon {

/// `tpfctl restore` leaves this beside the journal, before any file of it; the next start takes it away when the new
/// origin stands in the log. A crash between the two draws no second one.
[[nodiscard]] Status mark_restored(FileSystem& fs, const Path& journal, const std::string& who, UtcTime when,
                                   const std::string& manifest_sha256);
/// Draws an origin where the log has none, or where it was restored; signs for what is in the log either way.
[[nodiscard]] Status ensure_origin(FileSystem& fs, queue::Journal& journal, const conf::Config& config);
/// Where the mark lies.
[[nodiscard]] Path restored_mark(const Path& journal);

}  // namespace tpf::daemon
