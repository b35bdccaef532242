#pragma once
// A file that appears under its name only when it is whole: written beside, synced, moved over. Whatever else happens,
// nothing is left (after SIGKILL or a power cut: a file `NAME.XXXXXXXX.tmp` beside it).

#include <memory>

#include "base/fs.h"

namespace tpf::krypteringsmodul {

/// Errors are the sender's texts. Not thread-safe.
class OutputFile {
  public:
    /// `fs` outlives the object.
    [[nodiscard]] static Result<OutputFile> create(FileSystem& fs, const Path& path);
    ~OutputFile();
    OutputFile(OutputFile&& other) noexcept;
    OutputFile& operator=(OutputFile&&) = delete;
    [[nodiscard]] File& file() noexcept { return *file_; }
    /// Replaces what had the name before. Once.
    [[nodiscard]] Status commit();

  private:
    OutputFile(FileSystem& fs, Path path, Path beside, std::unique_ptr<File> file);

    FileSystem* fs_;
    Path path_;
    Path left_;  // what must be removed; empty: nothing
    std::unique_ptr<File> file_;
};

}  // namespace tpf::krypteringsmodul
