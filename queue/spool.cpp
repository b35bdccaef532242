#include "queue/spool.h"

#include <unistd.h>

#include <algorithm>

#include "base/log.h"

namespace tpf::queue {
namespace {

Result<Listing> list_ids(FileSystem& fs, const Path& folder, std::string_view suffix = {}) {
    TPF_TRY(const auto names, fs.list(folder));
    Listing listing;
    for (const std::string& name : names) {
        std::string_view stem = name;
        if (stem.ends_with(suffix)) stem.remove_suffix(suffix.size());
        const auto id = SpoolId::parse(stem);
        if (id && name.size() == stem.size() + suffix.size()) {
            listing.ids.push_back(id.value());
        } else {
            listing.strangers.push_back(name);
        }
    }
    return listing;
}

/// lstat of a file that must be a plain one: what a source or a forwarder hands over is judged here.
Result<FileInfo> plain_file(FileSystem& fs, const Path& path) {
    auto what = fs.info(path);
    if (!what) {
        if (what.error().code() == Code::not_found) return fail(Code::record_form, path.string() + " is missing");
        return what;
    }
    if (!what.value().regular) return fail(Code::record_form, path.string() + " is not a regular file");
    if (what.value().links != 1) return fail(Code::record_form, path.string() + " has more than one hard link");
    return what;
}

/// What another user's process took away under our hands must not read as Code::not_found, which is a stop.
template <class T>
Result<T> vanished_is(Code code, Result<T> result, const Path& path) {
    if (!result && result.error().code() == Code::not_found) return fail(code, path.string() + " is gone");
    return result;
}

Result<std::string> read_record(FileSystem& fs, const Path& path) {
    auto text = read_small(fs, path, kMaxRecord);
    if (!text && text.error().code() == Code::limit) return fail(Code::record_form, path.string() + " is too large");
    return vanished_is(Code::record_form, std::move(text), path);
}

Result<FileInfo> entry_folder(FileSystem& fs, const Path& entry, const std::vector<std::string>& files) {
    TPF_TRY(const auto folder, vanished_is(Code::io, fs.info(entry), entry));
    if (!folder.folder) return fail(Code::record_form, entry.string() + " is not a folder");
    TPF_TRY(const auto names, vanished_is(Code::io, fs.list(entry), entry));
    if (names != files) return fail(Code::record_form, entry.string() + " does not hold exactly its files");
    return folder;
}

Result<bool> exists(FileSystem& fs, const Path& path) {
    const auto what = fs.info(path);
    if (what) return true;
    if (what.error().code() == Code::not_found) return false;
    return fail(what.error());
}

}  // namespace

Spool::Spool(FileSystem& fs, Folders folders, SpoolOptions options)
    : fs_(&fs),
      folders_(std::move(folders)),
      reserve_bytes_(options.reserve_bytes),
      journal_folder_(std::move(options.journal_folder)),
      group_sync_(fs) {}

Result<std::unique_ptr<Spool>> Spool::open(FileSystem& fs, const Path& root, SpoolOptions options) {
    Folders folders(root);
    TPF_TRY(make_folders(fs, folders));
    return std::unique_ptr<Spool>(new Spool(fs, std::move(folders), std::move(options)));
}

Result<Spool::Room> Spool::room() const {
    Room least{folders_.root, 0};
    TPF_TRY(least.bytes, fs_->free_bytes(folders_.root));
    if (journal_folder_.empty()) return least;
    TPF_TRY(const std::uint64_t journal, fs_->free_bytes(journal_folder_));
    return journal < least.bytes ? Room{journal_folder_, journal} : least;
}

/// A message's bytes go to the spool; what the journal writes of it is what the reserve is for.
Status Spool::check_room(std::uint64_t needed) const {
    const std::uint64_t reserve = reserve_bytes_;
    const auto check = [&](const Path& at, std::uint64_t more) -> Status {
        TPF_TRY(const std::uint64_t free, fs_->free_bytes(at));
        if (free >= reserve && free - reserve >= more) return ok();
        return fail(Code::disk_full, std::to_string(free) + " bytes free at " + at.string() + ", reserve " +
                                         std::to_string(reserve) + ", needed " + std::to_string(more));
    };
    TPF_TRY(check(folders_.root, needed));
    return journal_folder_.empty() ? ok() : check(journal_folder_, 0);
}

Status Spool::move_once(const Path& from, const Path& to) {
    Status moved = fs_->rename(from, to);
    if (moved || moved.error().code() != Code::not_found) return moved;
    TPF_TRY(const bool done, exists(*fs_, to));
    if (!done) return fail(Code::record_damaged, from.string() + " is gone");
    return ok();
}

Result<Listing> Spool::list_inbox() const {
    return list_ids(*fs_, folders_.inbox_new);
}

Result<InboxEntry> Spool::read_entry(const Path& entry, const SpoolId& id) const {
    TPF_TRY(const auto folder, entry_folder(*fs_, entry, {kInnsending, kKilde}));
    TPF_TRY(const auto body, plain_file(*fs_, entry / kInnsending));
    TPF_TRY(const auto record, plain_file(*fs_, entry / kKilde));
    if (body.owner != folder.owner || record.owner != folder.owner) {
        return fail(Code::record_form, entry.string() + ": folder and files have different owners");
    }
    TPF_TRY(const std::string text, read_record(*fs_, entry / kKilde));
    TPF_TRY(auto kilde, parse_kilde(text));
    if (kilde.id != id) return fail(Code::record_form, "kilde.json is of another entry");
    if (kilde.size != body.size) return fail(Code::record_damaged, "innsending.xml has not the length of its record");
    return InboxEntry{std::move(kilde), folder.owner, body.size};
}

Result<InboxEntry> Spool::read_inbox(const SpoolId& id) const {
    return read_entry(folders_.inbox_new / id.view(), id);
}

Result<InboxEntry> Spool::read_work(const SpoolId& id) const {
    TPF_TRY(const bool working, exists(*fs_, folders_.work / id.view()));
    return read_entry((working ? folders_.work : folders_.quarantine) / id.view(), id);
}

Result<FileInfo> Spool::look(const SpoolId& id) const {
    const Path entry = folders_.inbox_new / id.view();
    TPF_TRY(FileInfo folder, vanished_is(Code::io, fs_->info(entry), entry));
    auto body = fs_->info(entry / kInnsending);
    if (body && body.value().regular) return body;
    folder.size = 0;
    return folder;
}

Status Spool::claim(const SpoolId& id) {
    const Path work = folders_.work / id.view();
    Status moved = fs_->rename(folders_.inbox_new / id.view(), work);
    if (moved) return moved;
    TPF_TRY(const bool done, exists(*fs_, work));  // an entry that is in the inbox as well came later, under a used id
    if (done) return ok();
    if (moved.error().code() != Code::not_found) return moved;
    return move_once(folders_.quarantine / id.view(), work);
}

Result<std::unique_ptr<File>> Spool::open_input(const SpoolId& id) const {
    const Path path = folders_.work / id.view() / kInnsending;
    if (auto checked = plain_file(*fs_, path); !checked) return fail(checked.error());
    return vanished_is(Code::record_form, fs_->open_read(path), path);
}

Status Spool::drop_output(const SpoolId& id) {
    return fs_->remove_tree(folders_.output(id));
}

Status Spool::keep_list(const SpoolId& id) {
    for (const Path& output : {folders_.output(id), folders_.outbox / id.view()}) {
        TPF_TRY(const bool there, exists(*fs_, output / kPseudonyms));
        if (!there) continue;
        const Path place = folders_.list_of(id);
        TPF_TRY(const bool folder, exists(*fs_, place.parent_path()));
        if (!folder) {
            Status made = fs_->make_folder(place.parent_path(), 02700);
            TPF_TRY(const bool by_another, exists(*fs_, place.parent_path()));
            if (!made && !by_another) return made;
            TPF_TRY(group_sync_.sync(folders_.pseudonyms));
        }
        return fs_->replace(output / kPseudonyms, place);
    }
    return ok();
}

Status Spool::remove_list(const SpoolId& id) {
    // Beside an output that could not be published it would come back with it.
    for (const Path& place :
         {folders_.list_of(id), folders_.output(id) / kPseudonyms, folders_.outbox / id.view() / kPseudonyms}) {
        TPF_TRY(const bool there, exists(*fs_, place));
        if (!there) continue;
        TPF_TRY(fs_->remove_file(place));
        TPF_TRY(fs_->sync_folder(place.parent_path()));
    }
    return ok();
}

Status Spool::publish(const SpoolId& id) {
    TPF_TRY(keep_list(id));
    TPF_TRY(move_once(folders_.output(id), folders_.outbox / id.view()));
    return group_sync_.sync(folders_.outbox);
}

Status Spool::withdraw(const SpoolId& id) {
    Status moved = fs_->rename(folders_.outbox / id.view(), folders_.output(id));
    if (!moved && moved.error().code() == Code::not_found) return ok();
    return moved;
}

Status Spool::write_checkpoint(const CheckpointRecord& record) {
    TPF_TRY(const std::string text, queue::write_checkpoint(record));
    return write_atomically(*fs_, folders_.checkpoint_of(record.to), text, 0640);
}

Status Spool::sweep_checkpoints() {
    TPF_TRY(const auto names, fs_->list(folders_.checkpoints));
    for (const std::string& name : names) {
        if (!name.ends_with(".tmp")) continue;
        TPF_TRY(fs_->remove_file(folders_.checkpoints / name));
    }
    return ok();
}

Result<CheckpointRecord> Spool::read_checkpoint(const RegisterName& to) const {
    TPF_TRY(const std::string text, read_small(*fs_, folders_.checkpoint_of(to), kMaxRecord));
    TPF_TRY(auto record, parse_checkpoint(text));
    if (record.to != to) return fail(Code::record_form, "a checkpoint's record is of another register");
    return record;
}

Result<Listing> Spool::list_outbox() const {
    return list_ids(*fs_, folders_.outbox);
}

Status Spool::quarantine(const SpoolId& id) {
    TPF_TRY(withdraw(id));
    TPF_TRY(drop_output(id));
    const Path kept = folders_.quarantine / id.view();
    Status moved = fs_->rename(folders_.work / id.view(), kept);
    if (moved || moved.error().code() != Code::not_found) return moved;
    TPF_TRY(const bool done, exists(*fs_, kept));
    if (done) return ok();
    Status from_inbox = move_once(folders_.inbox_new / id.view(), kept);
    if (from_inbox || from_inbox.error().code() != Code::record_damaged) return from_inbox;
    log::error("a quarantined message has no bytes in the spool", {{"message", id}});
    return ok();
}

Status Spool::retry(const SpoolId& id) {
    return move_once(folders_.quarantine / id.view(), folders_.work / id.view());
}

Status Spool::remove_payloads(const SpoolId& id) {
    TPF_TRY(withdraw(id));
    TPF_TRY(drop_output(id));
    for (const Path& folder : {folders_.work, folders_.quarantine}) {
        TPF_TRY(leave_blocked(folder / id.view(), fs_->remove_tree(folder / id.view())));
    }
    return ok();
}

Status Spool::leave_blocked(const Path& entry, const Status& outcome) {
    if (outcome || outcome.error().code() == Code::not_found) {
        blocked_.clear(entry);
        return ok();
    }
    const Error& error = outcome.error();
    if (error.disposition() == Disposition::stop) return fail(error);
    if (!blocked_.note(entry)) return ok();
    // The error's own text may name what lies inside, which is a source's choice.
    log::warning("an entry can be neither moved nor removed, it is left",
                 {{"path", Blocked::label(entry)},
                  {"code", error.name()},
                  {"hint", "its folder must be writable for the spool's group, and hold nothing but its files"}});
    return ok();
}

Result<Listing> Spool::list_receipts() const {
    return list_ids(*fs_, folders_.receipts_new);
}

Result<ReceiptEntry> Spool::read_receipt(const SpoolId& id) const {
    const Path entry = folders_.receipts_new / id.view();
    if (auto checked = entry_folder(*fs_, entry, {kSvar}); !checked) return fail(checked.error());
    TPF_TRY(const auto file, plain_file(*fs_, entry / kSvar));
    TPF_TRY(const std::string text, read_record(*fs_, entry / kSvar));
    TPF_TRY(auto svar, parse_svar(text));
    if (svar.id != id) return fail(Code::record_form, "svar.json is of another message");
    return ReceiptEntry{std::move(svar), file.owner};
}

Status Spool::remove_receipt(const SpoolId& id) {
    return fs_->remove_tree(folders_.receipts_new / id.view());
}

std::vector<RegisterHealth> Spool::register_health() const {
    const auto text = read_small(*fs_, folders_.receipts / kRegistre, kMaxRecord);
    if (!text) return {};
    auto registers = parse_health(text.value());
    return registers ? std::move(registers).value() : std::vector<RegisterHealth>();
}

Status Spool::write_kvittering(std::string_view source, const SpoolId& id, const std::function<Status(File&)>& write) {
    if (!is_source_name(source)) return fail(Code::usage, "not a source's name");
    const Path folder = folders_.kvittering / source;
    TPF_TRY(const bool there, exists(*fs_, folder));
    if (!there) {
        TPF_TRY(fs_->make_folder(folder, 02750));
        TPF_TRY(fs_->sync_folder(folders_.kvittering));
    }
    const Path beside = folder / (id.str() + ".json.tmp");
    if (auto gone = fs_->remove_file(beside); !gone && gone.error().code() != Code::not_found) return gone;
    {
        TPF_TRY(const auto file, fs_->create(beside, 0640));
        TPF_TRY(write(*file));
        TPF_TRY(file->sync());
    }
    TPF_TRY(fs_->replace(beside, folder / (id.str() + ".json")));
    return fs_->sync_folder(folder);
}

Result<Spool::Survey> Spool::survey() const {
    Survey survey;
    TPF_TRY(survey.inbox_tmp, list_ids(*fs_, folders_.inbox_tmp));
    TPF_TRY(survey.inbox_new, list_ids(*fs_, folders_.inbox_new));
    TPF_TRY(const Listing work, list_ids(*fs_, folders_.work));
    TPF_TRY(survey.outputs, list_ids(*fs_, folders_.work, ".ut"));
    TPF_TRY(survey.outbox, list_ids(*fs_, folders_.outbox));
    TPF_TRY(survey.quarantine, list_ids(*fs_, folders_.quarantine));
    TPF_TRY(survey.receipts, list_ids(*fs_, folders_.receipts_new));
    survey.work.ids = work.ids;
    for (const std::string& name : work.strangers) {
        const auto& outputs = survey.outputs.strangers;
        if (std::find(outputs.begin(), outputs.end(), name) != outputs.end()) survey.work.strangers.push_back(name);
    }
    survey.outputs.strangers.clear();
    return survey;
}

Status Spool::sweep_inbox_tmp(UtcTime now) {
    TPF_TRY(const auto names, fs_->list(folders_.inbox_tmp));
    for (const std::string& name : names) {
        const auto what = fs_->info(folders_.inbox_tmp / name);
        if (!what) continue;  // its source has just finished with it
        const bool ours = what.value().owner == ::geteuid();
        if (ours || what.value().modified + std::chrono::days(1) < now) {
            TPF_TRY(leave_blocked(folders_.inbox_tmp / name, fs_->remove_tree(folders_.inbox_tmp / name)));
        }
    }
    return ok();
}

}  // namespace tpf::queue
