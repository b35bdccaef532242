#include "queue/blocked.h"

#include "base/types.h"

namespace tpf::queue {

bool Blocked::note(const Path& entry) {
    const std::lock_guard lock(mutex_);
    if (entries_.contains(entry)) return false;
    if (entries_.size() == kMost) {
        ++beyond_;
    } else {
        entries_.insert(entry);
    }
    return true;
}

void Blocked::clear(const Path& entry) {
    const std::lock_guard lock(mutex_);
    entries_.erase(entry);
}

Blocked::Summary Blocked::summary(std::size_t most) const {
    const std::lock_guard lock(mutex_);
    Summary summary{entries_.size() + beyond_, {}};
    for (const Path& entry : entries_) {
        if (summary.some.size() == most) break;
        summary.some.push_back(label(entry));
    }
    return summary;
}

std::string Blocked::label(const Path& entry) {
    const Path folder = entry.parent_path();
    const std::string part = folder.parent_path().filename() == "inbox" || folder.parent_path().filename() == "receipts"
                                 ? (folder.parent_path().filename() / folder.filename()).string()
                                 : folder.filename().string();
    return part + "/" + (SpoolId::parse(entry.filename().string()) ? entry.filename().string() : "…");
}

}  // namespace tpf::queue
