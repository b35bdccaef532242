#include "register/store.h"

#include <fcntl.h>
#include <sys/file.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/log.h"

namespace tpf::reg {
namespace {

using nlohmann::ordered_json;

constexpr const char* kDrafts = "tmp";
constexpr const char* kMessages = "meldinger";
constexpr const char* kReceiptFile = "kvittering.json";
constexpr const char* kMessageFile = "melding.xml";
constexpr mode_t kFolderMode = 0700;
constexpr mode_t kFileMode = 0600;
constexpr std::size_t kMaxReceiptBytes = 4096;
constexpr std::uint64_t kReserveBytes = 64U << 20;

/// The folder is there and stays there: one that a run before this one made may not have been synced yet.
Status ensure_folder(FileSystem& fs, const Path& path) {
    const auto info = fs.info(path);
    if (!info || !info.value().folder) {
        TPF_TRY(fs.make_folder(path, kFolderMode));
    }
    return fs.sync_folder(path.has_parent_path() ? path.parent_path() : Path("."));
}

Result<UniqueFd> lock_folder(const Path& path) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kFileMode));
    if (!fd) return fail(errno_error(errno, "open " + path.string()));
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
        return fail(Code::locked, "another register works on " + path.string());
    return fd;
}

Result<StoredMessage> read_record(FileSystem& fs, const Path& entry) try {
    TPF_TRY(const std::string text, read_small(fs, entry / kReceiptFile, kMaxReceiptBytes));
    StoredMessage message;
    TPF_TRY(message.receipt, receipt_from_json(text));
    const auto json = ordered_json::parse(text);
    message.persons = json.at("personer").get<std::uint64_t>();
    message.bytes = json.at("bytes").get<std::uint64_t>();
    if (message.receipt.name != entry.filename().string()) {
        return fail(Code::record_damaged, "a stored receipt lies under another name");
    }
    return message;
} catch (const nlohmann::json::exception&) {
    return fail(Code::record_damaged, "a stored receipt is not what this program writes");
}

}  // namespace

std::string to_record(const StoredMessage& message) {
    auto json = ordered_json::parse(to_json(message.receipt));
    json["personer"] = message.persons;
    json["bytes"] = message.bytes;
    return json.dump() + "\n";
}

Draft::Draft(FileSystem& fs, Path folder, std::unique_ptr<File> file)
    : fs_(&fs), folder_(std::move(folder)), file_(std::move(file)) {}
Draft::Draft(Draft&& other) noexcept
    : fs_(std::exchange(other.fs_, nullptr)), folder_(std::move(other.folder_)), file_(std::move(other.file_)) {}

Draft::~Draft() {
    if (fs_ == nullptr) return;
    file_.reset();
    if (const Status gone = fs_->remove_tree(folder_); !gone) {
        log::warning("a delivery's remains stay until the next start", {{"error", gone.error().text()}});
    }
}

Status Draft::write(std::span<const std::uint8_t> bytes) {
    TPF_TRY(file_->write(bytes));
    file_->start_writeback();
    return ok();
}

Claim::Claim(Store& store, std::string name) : store_(&store), name_(std::move(name)) {}
Claim::Claim(Claim&& other) noexcept : store_(std::exchange(other.store_, nullptr)), name_(std::move(other.name_)) {}
Claim::~Claim() {
    if (store_ == nullptr) return;
    const std::lock_guard lock(store_->mutex_);
    store_->claimed_.erase(name_);
}

Store::Store(FileSystem& fs, Path folder, UniqueFd lock)
    : fs_(fs), folder_(std::move(folder)), lock_(std::move(lock)) {}

Result<std::unique_ptr<Store>> Store::open(FileSystem& fs, const Path& path) {
    const Path folder = path.has_filename() ? path : path.parent_path();  // "store/" has another parent than "store"
    TPF_TRY(ensure_folder(fs, folder));
    TPF_TRY(UniqueFd lock, lock_folder(folder / "lock"));
    TPF_TRY(ensure_folder(fs, folder / kMessages));
    TPF_TRY(fs.remove_tree(folder / kDrafts));
    TPF_TRY(fs.make_folder(folder / kDrafts, kFolderMode));
    // A rename that the last run did not live to sync may be answered from now on, so it must not be lost any more.
    TPF_TRY(fs.sync_folder(folder / kMessages));
    return std::unique_ptr<Store>(new Store(fs, folder, std::move(lock)));
}

std::optional<Claim> Store::claim(const MessageName& name) {
    const std::lock_guard lock(mutex_);
    if (!claimed_.insert(name.str()).second) return std::nullopt;
    return Claim(*this, name.str());
}

Result<std::optional<Receipt>> Store::find(const MessageName& name) {
    auto stored = read_record(fs_, folder_ / kMessages / name.str());
    if (stored) return std::optional<Receipt>(std::move(stored).value().receipt);
    if (stored.error().code() == Code::not_found) return std::optional<Receipt>();
    return fail(stored.error());
}

Status Store::check_room(std::uint64_t bytes) {
    TPF_TRY(const std::uint64_t free, fs_.free_bytes(folder_));
    if (free < kReserveBytes || free - kReserveBytes < bytes) return fail(Code::disk_full, "no room in the store");
    return ok();
}

Result<Draft> Store::begin() {
    const Path folder = folder_ / kDrafts / std::to_string(++drafts_);
    TPF_TRY(fs_.make_folder(folder, kFolderMode));
    auto file = fs_.create(folder / kMessageFile, kFileMode);
    if (!file) {
        static_cast<void>(fs_.remove_tree(folder).has_value());
        return fail(file.error());
    }
    return Draft(fs_, folder, std::move(file).value());
}

Status Store::commit(Draft draft, const StoredMessage& message) {
    if (message.receipt.status == Receipt::Status::received) {
        TPF_TRY(draft.file_->sync());
    } else {
        TPF_TRY(fs_.remove_file(draft.folder_ / kMessageFile));
    }
    TPF_TRY(write_new(fs_, draft.folder_ / kReceiptFile, to_record(message), kFileMode));
    TPF_TRY(fs_.sync_folder(draft.folder_));
    TPF_TRY(fs_.rename(draft.folder_, folder_ / kMessages / message.receipt.name));
    draft.fs_ = nullptr;
    return fs_.sync_folder(folder_ / kMessages);
}

Status for_each_message(FileSystem& fs, const Path& store, const std::function<Status(const StoredMessage&)>& each) {
    TPF_TRY(const auto names, fs.list(store / kMessages));
    for (const std::string& name : names) {
        TPF_TRY(const StoredMessage message, read_record(fs, store / kMessages / name));
        TPF_TRY(each(message));
    }
    return ok();
}

}  // namespace tpf::reg
