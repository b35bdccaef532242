#pragma once
// The drop folder: whatever finished file is put there is handed over as a submission of the configured sender, then
// removed; the removal is the acknowledgement. Put files there under a name that starts with '.' or ends in ".tmp" or
// ".part" and rename them when they are whole. A file under its final name is taken when it is at rest: the same file
// (device and inode) with the same size and time of change (nanoseconds) for the settle time. A program that keeps a
// file open without writing for longer than that cannot be told from one that is done.
//
// A file that is taken is first renamed into the folder `.tpf` beside it, which is the service's alone (mode 0700), and
// only there read and removed: so what is put under its name meanwhile is another file, and is never removed unread. If
// it is not the file that was at rest, or changes while it is read, it goes back to its name, or stays in `.tpf` where
// the name is taken again, and is looked at anew.
//
// A crash between hand-over and removal hands the same bytes over twice; the journal answers the second copy as a
// duplicate. A crash before the hand-over leaves the file, under its name or in `.tpf`.

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fs.h"
#include "base/result.h"
#include "base/types.h"
#include "queue/spool.h"

namespace tpf::queue {

struct DropSettings {
    std::string source;  ///< is_source_name; kvitteringer go to kvittering/SOURCE/
    Path folder;
    std::optional<Avsender> sender;  ///< whom the folder's access rights stand for
    std::chrono::milliseconds settle{2000};
};

/// Asked before a file is taken: quotas. Code::quota ends the scan; any other error leaves that file for later.
using Admission = std::function<Status(const DropSettings& settings, std::uint64_t size)>;

struct DropScan {
    std::vector<SpoolId> taken;
    std::uint64_t settling = 0;  ///< not yet unchanged for long enough: scan again after the settle time
    std::uint64_t refused = 0;   ///< links, other kinds, more than one hard link, or could not be read or removed
};

/// Not thread-safe. Logs what it refuses, once per file, and never a file's name: a sender chose it.
class DropSource {
  public:
    DropSource(Spool& spool, const Clock& clock, DropSettings settings, Admission admit = {});
    /// One look at the folder. One bad file does not keep the others; Code::disk_full, Code::quota, a missing
    /// folder or a `.tpf` that is not ours alone (Code::io) and everything with disposition stop end the scan. What was
    /// taken before is taken.
    [[nodiscard]] Result<DropScan> scan();

  private:
    struct Seen {
        FileInfo info;
        std::chrono::steady_clock::time_point since;
        bool refused = false;  // logged; not looked at again while it is unchanged
    };
    enum class Verdict { ready, settling, refused };
    [[nodiscard]] Status prepare_own_folder();
    [[nodiscard]] Status look_at(const Path& path, DropScan& scan);
    [[nodiscard]] Verdict judge(const Path& path, const FileInfo& info);
    [[nodiscard]] Status take_ready(const Path& path, const FileInfo& info, DropScan& scan);
    [[nodiscard]] Result<SpoolId> take(const Path& path, const FileInfo& info, Path& own);
    [[nodiscard]] Result<SpoolId> hand_over(const Path& own, const FileInfo& seen, InboxWriter writer);

    Spool* spool_;
    const Clock* clock_;
    DropSettings settings_;
    Path own_;  // the folder .tpf
    Admission admit_;
    std::map<Path, Seen> seen_;
};

}  // namespace tpf::queue
