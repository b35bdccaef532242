#include "daemon/ctl_audit_export.h"

#include <filesystem>

#include "audit/note.h"
#include "audit/tiles.h"
#include "base/encoding.h"
#include "daemon/ctl_print.h"
#include "daemon/ctl_progress.h"

namespace tpf::daemon {
namespace {

/// Full tiles never change: one that is there is left.
Status write_part(const Path& root, const std::string& path, std::string_view content) {
    FileSystem& fs = posix_file_system();
    const Path file = root / path;
    std::error_code error;
    std::filesystem::create_directories(file.parent_path(), error);
    if (error) return fail(Code::io, file.parent_path().string() + ": " + error.message());
    const auto there = fs.info(file);
    if (there && there.value().size == content.size()) {
        TPF_TRY(const std::string old, read_small(fs, file, content.size()));
        if (old == content) return ok();
        return fail(Code::evidence, file.string() + " is there and has another content: another log was exported here");
    }
    // Of another size: what a write that was cut off left.
    return write_atomically(fs, file, content, 0644);
}

class Export {
  public:
    explicit Export(const Ctl& ctl)
        : ctl_(ctl),
          write_([this](const std::string& path, std::string_view content) {
              return write_part(ctl_.out, path, content);
          }),
          tiles_(write_),
          bundles_(write_) {}

    Result<ControlAnswer> run(const ShowProgress& progress) {
        TPF_TRY(ControlAnswer first, ask(ctl_, "audit leaves"));
        TPF_TRY(const auto note, audit::SignedNote::parse(first.result.value("checkpoint", "")));
        TPF_TRY(const auto checkpoint, audit::Checkpoint::parse(note.text));
        TPF_TRY(take(first.result));
        Ctl more = ctl_;
        while (tiles_.head().size < checkpoint.head.size) {
            if (progress) progress({{"part", "audit log"}, {"done", tiles_.head().size}, {"of", checkpoint.head.size}});
            more.args = {{"reading", first.result.value("reading", "")}, {"after", tiles_.head().size}};
            const std::uint64_t before = tiles_.head().size;
            TPF_TRY(const auto page, ask(more, "audit leaves"));
            TPF_TRY(take(page.result));
            if (tiles_.head().size == before) break;
        }
        TPF_TRY(tiles_.finish());
        TPF_TRY(bundles_.finish());
        if (tiles_.head() != checkpoint.head)
            return fail(Code::evidence, "the log does not have the root of its own checkpoint",
                        "`tpfctl audit verify`");
        TPF_TRY(write_atomically(posix_file_system(), Path(ctl_.out) / "checkpoint",
                                 first.result.value("checkpoint", ""), 0644));
        first.result = {{"folder", ctl_.out}, {"entries", checkpoint.head.size}, {"origin", checkpoint.origin}};
        return first;
    }

  private:
    Status take(const Json& page) {
        TPF_TRY(const Bytes leaves, from_base64(page.value("leaves", "")));
        Digest leaf{};
        for (std::size_t at = 0; at + leaf.size() <= leaves.size(); at += leaf.size()) {
            std::copy_n(leaves.begin() + static_cast<std::ptrdiff_t>(at), leaf.size(), leaf.begin());
            TPF_TRY(tiles_.add(leaf));
        }
        if (!page.contains("entries")) return ok();
        for (const Json& entry : page["entries"]) {
            TPF_TRY(bundles_.add(entry.get<std::string>()));
        }
        return ok();
    }

    const Ctl& ctl_;
    audit::WriteFile write_;
    audit::TileBuilder tiles_;
    audit::BundleBuilder bundles_;
};

}  // namespace

int export_audit(Ctl& ctl) {
    const ShowProgress progress = progress_line();
    Export work(ctl);
    const auto answer = work.run(progress);
    end_progress_line();
    if (!answer) return show_error(ctl, answer.error());
    show(ctl, answer.value(), print_plain);
    return 0;
}

}  // namespace tpf::daemon
