#include "queue/journal_upgrade.h"

#include <array>

#include "base/encoding.h"
#include "base/sha256.h"
#include "base/sqlite.h"
#include "queue/row_store.h"

namespace tpf::queue {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;
/// Beside the copy: what the change itself may need, which is never more than the journal anew.
constexpr std::uint64_t kMargin = std::uint64_t{16} << 20;

Path beside(const Path& journal, const std::string& what) {
    return journal.native() + what;
}

Result<bool> exists(FileSystem& fs, const Path& path) {
    const auto there = fs.info(path);
    if (!there && there.error().code() != Code::not_found) return fail(there.error());
    return there.has_value();
}

/// What SQLite's file header says (sqlite.org/fileformat2.html, 1.3): a look that neither opens nor locks. A
/// write-ahead log may only make it newer.
Result<bool> looks_older(FileSystem& fs, const Path& journal) {
    const auto file = fs.open_read(journal);
    if (!file && file.error().code() == Code::not_found) return false;
    if (!file) return fail(file.error());
    std::array<std::uint8_t, 100> header{};
    TPF_TRY(const std::size_t size, file.value()->read(header));
    const auto number = [&](std::size_t at) {
        return std::int64_t{header[at]} << 24 | std::int64_t{header[at + 1]} << 16 | std::int64_t{header[at + 2]} << 8 |
               std::int64_t{header[at + 3]};
    };
    return size == header.size() && store::can_upgrade(number(68), number(60));
}

/// The version to bring up to date, if any. Closed again, all of it is in the one file.
Result<std::optional<std::int64_t>> close_older(FileSystem& fs, const Path& journal) {
    {
        TPF_TRY(auto db, sqlite::Database::open(journal));
        TPF_TRY(const store::Made made, store::made(db));
        if (!store::can_upgrade(made.application, made.version)) return std::optional<std::int64_t>();
        TPF_TRY(db.check());
        TPF_TRY(db.run("PRAGMA wal_checkpoint(TRUNCATE)"));
    }
    const auto log = fs.info(beside(journal, "-wal"));
    if (!log && log.error().code() != Code::not_found) return fail(log.error());
    if (log && log.value().size != 0)
        return fail(Code::journal, "the old journal cannot be brought into one file", "is its disk full?");
    TPF_TRY(auto db, sqlite::Database::inspect(journal));
    TPF_TRY(const store::Made made, store::made(db));
    return std::optional(made.version);
}

Status need_room(FileSystem& fs, const Path& journal) {
    TPF_TRY(const FileInfo info, fs.info(journal));
    TPF_TRY(const std::uint64_t free, fs.free_bytes(journal.parent_path()));
    if (free >= 2 * info.size + kMargin) return ok();
    return fail(Code::disk_full,
                "an older version wrote the journal; to keep a copy of it and bring it up to date takes " +
                    std::to_string(2 * info.size + kMargin) + " bytes, " + std::to_string(free) + " are free",
                "make room in " + journal.parent_path().string() + ": it has not been touched");
}

/// Reads `from`, and writes what it reads where `to` is given.
Result<Digest> read_all(File& from, File* to) {
    Sha256 digest;
    Bytes piece(kPiece);
    while (true) {
        TPF_TRY(const std::size_t size, from.read(piece));
        if (size == 0) return digest.finish();
        digest.update(std::span(piece.data(), size));
        if (to != nullptr) {
            TPF_TRY(to->write({piece.data(), size}));
        }
    }
}

Status copy_file(FileSystem& fs, const Path& from, const Path& to) {
    const Path half = to.native() + ".half";
    TPF_TRY(const bool left, exists(fs, half));
    if (left) {
        TPF_TRY(fs.remove_file(half));
    }
    TPF_TRY(auto source, fs.open_read(from));
    TPF_TRY(auto target, fs.create(half, 0600));
    TPF_TRY(const Digest wanted, read_all(*source, target.get()));
    TPF_TRY(target->sync());
    TPF_TRY(auto again, fs.open_read(half));
    TPF_TRY(const Digest written, read_all(*again, nullptr));
    if (written != wanted) return fail(Code::io, "the copy of the journal is not what was written", "look at the disk");
    TPF_TRY(fs.rename(half, to));
    return fs.sync_folder(to.parent_path());
}

Result<Path> free_name(FileSystem& fs, const Path& journal, std::int64_t version) {
    const std::string first = ".v" + std::to_string(version);
    for (int i = 1;; ++i) {
        Path name = beside(journal, i == 1 ? first : first + "-" + std::to_string(i));
        TPF_TRY(const bool taken, exists(fs, name));
        if (!taken) return name;
    }
}

}  // namespace

Result<std::optional<JournalUpgrade>> upgrade_journal(FileSystem& fs, const Path& journal) {
    TPF_TRY(const bool older, looks_older(fs, journal));
    if (!older) return std::optional<JournalUpgrade>();
    TPF_TRY(need_room(fs, journal));
    TPF_TRY(const auto version, close_older(fs, journal));
    if (!version) return std::optional<JournalUpgrade>();
    TPF_TRY(Path kept, free_name(fs, journal, *version));
    TPF_TRY(copy_file(fs, journal, kept));
    TPF_TRY(auto db, sqlite::Database::open(journal));
    TPF_TRY(auto transaction, sqlite::Transaction::begin(db));
    TPF_TRY(store::upgrade(db));
    TPF_TRY(transaction.commit());
    return std::optional(JournalUpgrade{*version, store::kVersion, std::move(kept)});
}

}  // namespace tpf::queue
