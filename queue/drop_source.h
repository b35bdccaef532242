#pragma once
// The drop folder: whatever finished file is put there is handed over as a submission of the configured sender, then
// removed; the removal is the acknowledgement. Put files there under a name that starts with '.' or ends in ".tmp" or
// ".part" and rename them when they are whole; a file under its final name is taken when its size and time have not
// changed for the settle time.
//
// A crash between hand-over and removal hands the same bytes over twice; the journal answers the second copy as a
// duplicate. A crash before the hand-over leaves the file.

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
    /// folder (Code::io) and everything with disposition stop end the scan. What was taken before is taken.
    [[nodiscard]] Result<DropScan> scan();

  private:
    struct Seen {
        std::uint64_t size = 0;
        std::chrono::sys_seconds modified;
        std::chrono::steady_clock::time_point since;
        bool refused = false;  // logged; not looked at again while it is unchanged
    };
    enum class Verdict { ready, settling, refused };
    [[nodiscard]] Verdict judge(const std::string& name, const FileInfo& info);
    [[nodiscard]] Result<SpoolId> take(const std::string& name, const FileInfo& info);
    [[nodiscard]] Status take_ready(const std::string& name, const FileInfo& info, DropScan& scan);

    Spool* spool_;
    const Clock* clock_;
    DropSettings settings_;
    Admission admit_;
    std::map<std::string, Seen> seen_;
};

}  // namespace tpf::queue
