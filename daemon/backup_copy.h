#pragma once
// What backup and restore share: where things lie here and under which names in a backup, and how they are copied.

#include <sys/types.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/fs.h"
#include "base/sha256.h"
#include "conf/config.h"
#include "daemon/backup_manifest.h"

namespace tpf::daemon {

/// Names in a backup, and where they lie here.
using BackupPlaces = std::vector<std::pair<std::string, Path>>;
/// Folders of the spool.
[[nodiscard]] BackupPlaces spool_places(const conf::Config& config);
/// Those that change with each commit: the journal's files and its copy.
[[nodiscard]] BackupPlaces journal_places(const conf::Config& config);

[[nodiscard]] Result<BackupManifest> read_manifest(FileSystem& fs, const Path& backup);
/// Written last: a backup without one is none.
[[nodiscard]] Status write_manifest(FileSystem& fs, const Path& backup, const std::string& text);

/// Copies and hashes; `alive` is called now and then. Not for use from several threads.
class Copier {
  public:
    struct Done {
        std::uint64_t size = 0;
        Digest sha256{};
    };

    Copier(FileSystem& fs, std::function<void()> alive) : fs_(fs), alive_(std::move(alive)) {}

    /// What `from` holds, at `to`; nothing where it does not exist. Each is noted in `manifest` under `name`.
    /// What lies deeper, or has another name, than anything of TPF's is a source's own, and left out.
    [[nodiscard]] Status tree(const Path& from, const Path& to, const std::string& name, Json& manifest,
                              unsigned depth = 0);
    /// All of `places` into the folder `to`.
    [[nodiscard]] Status all(const BackupPlaces& places, const Path& to, Json& manifest);
    /// Into a new file, synced; its folder is not.
    [[nodiscard]] Result<Done> file(const Path& from, const Path& to);
    [[nodiscard]] Result<Done> digest(const Path& path);

  private:
    template <class Take>
    [[nodiscard]] Result<Done> read(File& in, const Take& take);

    FileSystem& fs_;
    std::function<void()> alive_;
};

}  // namespace tpf::daemon
