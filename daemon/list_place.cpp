#include "daemon/list_place.h"

namespace tpf::daemon {

Path list_place(FileSystem& fs, const queue::Folders& folders, const SpoolId& message) {
    const Path place = folders.list_of(message);
    for (const Path& path :
         {place, folders.output(message) / queue::kPseudonyms, folders.outbox / message.view() / queue::kPseudonyms}) {
        if (fs.info(path).has_value()) return path;
    }
    return place;
}

}  // namespace tpf::daemon
