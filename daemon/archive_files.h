#pragma once
// The files of a segment's archive (docs/audit-log.md, "Segments"), for who makes one and who verifies it.

namespace tpf::daemon {

inline constexpr const char* kArchiveHeader = "segment.json";
inline constexpr const char* kArchiveEntries = "entries.jsonl";
inline constexpr const char* kArchiveCheckpoint = "checkpoint";
inline constexpr const char* kArchiveCosigned = "cosigned";  ///< a folder: a file for each witness

}  // namespace tpf::daemon
