#pragma once
// The files of a segment's archive (docs/audit-log.md, "Segments"), for who makes one and who verifies it.

#include <string>

namespace tpf::daemon {

inline constexpr const char* kArchiveHeader = "segment.json";
inline constexpr const char* kArchiveEntries = "entries.jsonl";
inline constexpr const char* kArchiveCheckpoint = "checkpoint";
inline constexpr const char* kArchiveCosigned = "cosigned";  ///< a folder: a file for each witness

/// A witness's file there: its name, where that is 1 to 64 of [A-Za-z0-9._-] and begins with a letter or digit, else
/// "sha256-" and the first 32 hex digits of the name's SHA-256.
[[nodiscard]] std::string witness_file(const std::string& name);

}  // namespace tpf::daemon
