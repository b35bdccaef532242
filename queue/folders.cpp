#include "queue/folders.h"

namespace tpf::queue {
namespace {

Status make_folder_once(FileSystem& fs, const Path& path, mode_t mode) {
    const auto there = fs.info(path);
    if (there) {
        if (!there.value().folder) return fail(Code::io, path.string() + " is not a folder");
        return ok();
    }
    if (there.error().code() != Code::not_found) return fail(there.error());
    TPF_TRY(fs.make_folder(path, mode));
    return fs.sync_folder(path.has_parent_path() ? path.parent_path() : Path("."));
}

}  // namespace

Folders::Folders(const Path& root_)
    : root(root_.has_filename() ? root_ : root_.parent_path()),
      inbox_tmp(root / "inbox" / "tmp"),
      inbox_new(root / "inbox" / "new"),
      work(root / "work"),
      outbox(root / "outbox"),
      receipts(root / "receipts"),
      receipts_tmp(receipts / "tmp"),
      receipts_new(receipts / "new"),
      quarantine(root / "quarantine"),
      checkpoints(root / "checkpoints"),
      pseudonyms(root / "pseudonyms"),
      kvittering(root / "kvittering"),
      lock(root / "lock"),
      forward_lock(receipts / "lock") {}

std::vector<std::pair<Path, mode_t>> wanted_folders(const Folders& folders) {
    return {
        {folders.root, 02751},         {folders.inbox_new.parent_path(), 02751},
        {folders.inbox_tmp, 03770},    {folders.inbox_new, 03770},
        {folders.work, 02700},         {folders.outbox, 02750},
        {folders.receipts, 02770},     {folders.receipts_tmp, 02770},
        {folders.receipts_new, 02770}, {folders.quarantine, 02700},
        {folders.checkpoints, 02750},  {folders.kvittering, 02751},
        {folders.pseudonyms, 02700},
    };
}

Status make_folders(FileSystem& fs, const Folders& folders) {
    for (const auto& [path, mode] : wanted_folders(folders)) {
        TPF_TRY(make_folder_once(fs, path, mode));
    }
    return ok();
}

}  // namespace tpf::queue
