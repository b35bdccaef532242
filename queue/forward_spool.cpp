#include "queue/forward_spool.h"

#include <algorithm>

#include "base/log.h"

namespace tpf::queue {

Result<std::unique_ptr<ForwardSpool>> ForwardSpool::open(FileSystem& fs, const Path& root) {
    Folders folders(root);
    TPF_TRY(const auto leftovers, fs.list(folders.receipts_tmp));
    for (const std::string& name : leftovers) {
        const Status gone = fs.remove_tree(folders.receipts_tmp / name);
        if (gone) continue;
        if (gone.error().disposition() == Disposition::stop && gone.error().code() != Code::not_found) {
            return fail(gone.error());
        }
        // Another user's; the name is that user's choice.
        log::warning("an entry of receipts/tmp cannot be removed, it is left", {{"code", gone.error().name()}});
    }
    return std::unique_ptr<ForwardSpool>(new ForwardSpool(fs, std::move(folders)));
}

Result<Listing> ForwardSpool::to_send() const {
    // Answers first: the core takes a message out of outbox before it takes its answer away.
    TPF_TRY(const auto answered, fs_->list(folders_.receipts_new));
    TPF_TRY(const auto waiting, fs_->list(folders_.outbox));
    Listing listing;
    for (const std::string& name : waiting) {
        const auto id = SpoolId::parse(name);
        if (!id) {
            listing.strangers.push_back(name);
        } else if (!std::binary_search(answered.begin(), answered.end(), name)) {
            listing.ids.push_back(id.value());
        }
    }
    return listing;
}

Result<PostRecord> ForwardSpool::read_post(const SpoolId& id) const {
    const Path entry = folders_.outbox / id.view();
    auto text = read_small(*fs_, entry / kPost, kMaxRecord);
    if (!text && text.error().code() == Code::limit) return fail(Code::record_form, "post.json is too large");
    if (!text) return fail(text.error());
    TPF_TRY(auto record, parse_post(text.value()));
    if (record.id != id) return fail(Code::record_form, "post.json is of another entry");
    TPF_TRY(const FileInfo body, fs_->info(entry / kMelding));
    if (!body.regular || body.size != record.size) {
        return fail(Code::record_damaged, "melding.xml has not the length of its record");
    }
    return record;
}

std::optional<CheckpointRecord> ForwardSpool::checkpoint(const RegisterName& to) const {
    const auto text = read_small(*fs_, folders_.checkpoint_of(to), kMaxRecord);
    if (!text && text.error().code() == Code::not_found) return std::nullopt;
    auto record = text ? parse_checkpoint(text.value()) : Result<CheckpointRecord>(fail(text.error()));
    if (record && record.value().to == to) return std::move(record).value();
    log::warning("the checkpoint for a register cannot be read: none is sent",
                 {{"register", to.str()}, {"code", record ? "KILDEPOST" : record.error().name()}});
    return std::nullopt;
}

Result<std::unique_ptr<File>> ForwardSpool::open_message(const SpoolId& id) const {
    return fs_->open_read(folders_.outbox / id.view() / kMelding);
}

Status ForwardSpool::hand_over(const SvarRecord& answer) {
    TPF_TRY(const std::string text, write_svar(answer));
    const Path entry = folders_.receipts_tmp / answer.id.view();
    const Path target = folders_.receipts_new / answer.id.view();
    TPF_TRY(fs_->remove_tree(entry));
    if (fs_->info(target)) return ok();
    TPF_TRY(fs_->make_folder(entry, 02770));
    TPF_TRY(write_new(*fs_, entry / kSvar, text, 0640));
    TPF_TRY(fs_->sync_folder(entry));
    TPF_TRY(fs_->rename(entry, target));
    return group_sync_.sync(folders_.receipts_new);
}

Status ForwardSpool::write_health(const std::vector<RegisterHealth>& registers) {
    TPF_TRY(const std::string text, queue::write_health(registers));
    return write_atomically(*fs_, folders_.receipts / kRegistre, text, 0640);
}

}  // namespace tpf::queue
