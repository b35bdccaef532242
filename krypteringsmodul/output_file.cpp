#include "krypteringsmodul/output_file.h"

#include <utility>

#include "base/types.h"
#include "krypteringsmodul/sender_error.h"

namespace tpf::krypteringsmodul {
namespace {

// Sealed, so the group may read it: whoever carries it to the sending machine is often someone else.
constexpr mode_t kMode = 0640;

}  // namespace

OutputFile::OutputFile(FileSystem& fs, Path path, Path beside, std::unique_ptr<File> file)
    : fs_(&fs), path_(std::move(path)), left_(std::move(beside)), file_(std::move(file)) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : fs_(other.fs_),
      path_(std::move(other.path_)),
      left_(std::exchange(other.left_, Path())),
      file_(std::move(other.file_)) {}

OutputFile::~OutputFile() {
    file_.reset();
    if (!left_.empty()) static_cast<void>(fs_->remove_file(left_));
}

Result<OutputFile> OutputFile::create(FileSystem& fs, const Path& path) {
    const auto there = fs.info(path);
    if (there && there.value().folder) {
        return fail(feil(Code::usage, "Navnet på den krypterte filen er en mappe."));
    }
    Path beside = path;
    beside += "." + SpoolId::random().str().substr(0, 8) + ".tmp";
    auto file = fs.create(beside, kMode);
    if (!file) return fail(file_error(file.error(), "Den krypterte filen kunne ikke opprettes"));
    return OutputFile(fs, path, std::move(beside), std::move(file).value());
}

Status OutputFile::commit() {
    if (auto synced = file_->sync(); !synced) {
        return fail(file_error(synced.error(), "Den krypterte filen kunne ikke lagres"));
    }
    if (auto moved = fs_->replace(left_, path_); !moved) {
        return fail(file_error(moved.error(), "Den krypterte filen kunne ikke få sitt navn"));
    }
    left_ = path_;  // not safe on disk yet: a failure must not leave a file that looks finished
    const Path folder = path_.has_parent_path() ? path_.parent_path() : Path(".");
    if (auto synced = fs_->sync_folder(folder); !synced) {
        return fail(file_error(synced.error(), "Den krypterte filen kunne ikke lagres"));
    }
    left_.clear();
    return ok();
}

}  // namespace tpf::krypteringsmodul
