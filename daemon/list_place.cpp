#include "daemon/list_place.h"

#include "audit/pseudonym_list.h"

namespace tpf::daemon {

Path list_place(FileSystem& fs, const queue::Folders& folders, const SpoolId& message) {
    Path place = folders.list_of(message);
    for (const Path& path :
         {place, folders.output(message) / queue::kPseudonyms, folders.outbox / message.view() / queue::kPseudonyms}) {
        if (fs.info(path).has_value()) return path;
    }
    return place;
}

Result<std::vector<SpoolId>> deleted_messages(queue::Journal& journal) {
    std::vector<SpoolId> deleted;
    TPF_TRY(journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(deleted, audit::deleted_lists(db));
        return ok();
    }));
    return deleted;
}

}  // namespace tpf::daemon
