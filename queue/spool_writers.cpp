#include "queue/spool.h"

#include "base/encoding.h"

namespace tpf::queue {
namespace {

constexpr std::uint64_t kRoomStep = 16U << 20;

}  // namespace

InboxWriter::InboxWriter(Spool& spool, SpoolId id, std::unique_ptr<File> file)
    : spool_(&spool), id_(id), file_(std::move(file)) {}
InboxWriter::InboxWriter(InboxWriter&& other) noexcept = default;

InboxWriter::~InboxWriter() {
    if (file_ == nullptr) return;
    // Best effort: recovery sweeps inbox/tmp.
    static_cast<void>(spool_->fs().remove_tree(spool_->folders().inbox_tmp / id_.view()).has_value());
}

Result<InboxWriter> InboxWriter::begin(Spool& spool, std::uint64_t expected_size) {
    TPF_TRY(spool.check_room(expected_size));
    const SpoolId id = SpoolId::random();
    const Path entry = spool.folders().inbox_tmp / id.view();
    TPF_TRY(spool.fs().make_folder(entry, 02770));
    auto file = spool.fs().create(entry / kInnsending, 0640);
    if (!file) {
        static_cast<void>(spool.fs().remove_tree(entry).has_value());
        return fail(file.error());
    }
    return InboxWriter(spool, id, std::move(file).value());
}

Status InboxWriter::write(std::span<const std::uint8_t> bytes) {
    if ((size_ + bytes.size()) / kRoomStep != size_ / kRoomStep) {
        TPF_TRY(spool_->check_room(0));
    }
    TPF_TRY(file_->write(bytes));
    digest_.update(bytes);
    size_ += bytes.size();
    file_->start_writeback();
    return ok();
}

Result<KildeRecord> InboxWriter::commit(const Origin& origin) {
    const Folders& folders = spool_->folders();
    const Path entry = folders.inbox_tmp / id_.view();
    KildeRecord record{id_,           origin.source,   origin.sender, origin.operator_name,
                       origin.reason, origin.received, size_,         hex(digest_.finish())};
    TPF_TRY(const std::string text, write_kilde(record));
    TPF_TRY(file_->sync());
    TPF_TRY(write_new(spool_->fs(), entry / kKilde, text, 0640));
    TPF_TRY(spool_->fs().sync_folder(entry));
    TPF_TRY(spool_->fs().rename(entry, folders.inbox_new / id_.view()));
    file_.reset();
    TPF_TRY(spool_->group_sync_.sync(folders.inbox_new));
    return record;
}

OutputWriter::OutputWriter(Spool& spool, SpoolId id, std::unique_ptr<File> file)
    : spool_(&spool), id_(id), file_(std::move(file)) {}
OutputWriter::OutputWriter(OutputWriter&& other) noexcept = default;

OutputWriter::~OutputWriter() {
    if (file_ == nullptr) return;
    // Best effort: recovery drops what the journal does not say is committed.
    static_cast<void>(spool_->drop_output(id_).has_value());
}

Result<OutputWriter> Spool::begin_output(const SpoolId& id) {
    TPF_TRY(drop_output(id));
    const Path entry = folders_.output(id);
    TPF_TRY(fs_->make_folder(entry, 02750));
    auto file = fs_->create(entry / kMelding, 0640);
    if (!file) {
        static_cast<void>(drop_output(id).has_value());
        return fail(file.error());
    }
    return OutputWriter(*this, id, std::move(file).value());
}

Result<File*> OutputWriter::begin_list() {
    TPF_TRY(list_, spool_->fs().create(spool_->folders().output(id_) / kPseudonyms, 0600));
    return list_.get();
}

Status OutputWriter::seal(const PostRecord& record) {
    TPF_TRY(const FileInfo written, spool_->fs().info(*file_));
    if (written.size != record.size || record.id != id_) {
        return fail(Code::internal, "post.json does not describe the output that was written");
    }
    TPF_TRY(const std::string text, write_post(record));
    const Path entry = spool_->folders().output(id_);
    // All are under way before one is waited for: the file system then commits once for them.
    TPF_TRY(const auto post, spool_->fs().create(entry / kPost, 0640));
    TPF_TRY(post->write(as_bytes(text)));
    file_->start_writeback();
    post->start_writeback();
    TPF_TRY(file_->sync());
    TPF_TRY(post->sync());
    if (list_ != nullptr) {
        TPF_TRY(list_->sync());
    }
    TPF_TRY(spool_->fs().sync_folder(entry));
    TPF_TRY(spool_->group_sync_.sync(spool_->folders().work));
    file_.reset();
    return ok();
}

}  // namespace tpf::queue
