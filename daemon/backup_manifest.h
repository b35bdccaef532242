#pragma once
// What a backup says of itself (MANIFEST.json). A backup may come from anywhere, and root puts it back: nothing in it
// leads out of the places that it is for, and no mode in it gives a right to run.

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "daemon/control_protocol.h"

namespace tpf::daemon {

inline constexpr const char* kBackupForm = "tpf-backup-1";

struct BackupEntry {
    std::string path;  ///< relative, below the backup's folder
    mode_t mode = 0;
    std::string owner, group;
    std::uint64_t size = 0;  ///< files only, as is the next
    std::string sha256{};
};
struct BackupManifest {
    std::string name;  ///< of the installation
    std::string time;
    std::string sha256;  ///< of the manifest, as it says itself: guards against accidents only
    std::vector<BackupEntry> files, folders;
};

/// The rights that may stand in one: no file can be run, and folders have no more than those of the spool do.
inline constexpr mode_t kFileModes = 0666;
inline constexpr mode_t kFolderModes = 03777;

/// Relative, each component a name (not empty, "." or ".."), of letters, digits, ".", "-" and "_" only: all that TPF
/// makes are such.
[[nodiscard]] bool is_plain_path(std::string_view path);
/// Code::usage: not of the form, changed, a path that is not plain or stands twice, or other rights than
/// those.
[[nodiscard]] Result<BackupManifest> parse_manifest(const std::string& text);
/// `manifest` with its digest as the last member.
[[nodiscard]] std::string manifest_text(Json manifest);

}  // namespace tpf::daemon
