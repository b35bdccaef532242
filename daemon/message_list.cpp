#include "daemon/message_list.h"

#include "base/encoding.h"

namespace tpf::daemon {

Status MessageList::begin(const RegisterName& to, const std::vector<unsigned>& versions, std::uint64_t persons) {
    const auto config = config_.now();
    const auto reg = config->reloadable.registers.find(to);
    if (reg == config->reloadable.registers.end() || !reg->second.pseudonym_log) return ok();
    TPF_TRY(File* const file, output_.begin_list());
    list_.emplace(*file);
    return list_->begin({id_, to, persons, versions, audit::random_salt()});
}

Result<std::string> MessageList::end() {
    if (!list_) return std::string();
    TPF_TRY(const Digest digest, list_->end());
    return hex(digest);
}

}  // namespace tpf::daemon
