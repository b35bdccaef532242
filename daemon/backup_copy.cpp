#include "daemon/backup_copy.h"

#include <grp.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>

#include "base/encoding.h"
#include "daemon/users.h"

namespace tpf::daemon {
namespace {

constexpr const char* kManifest = "MANIFEST.json";
constexpr unsigned kDeepest = 3;  // folders below inbox/new, kvittering, …
constexpr std::size_t kBlock = 256 * 1024;
constexpr std::size_t kMostManifest = std::size_t{1} << 30;
constexpr std::array kSpoolParts = {"inbox/new",  "work",       "outbox",     "receipts/new",
                                    "quarantine", "kvittering", "pseudonyms", "lookups"};

std::string group_name(gid_t gid) {
    std::array<char, 16384> buffer{};
    group entry{};
    group* found = nullptr;
    if (::getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
        return std::to_string(gid);
    return entry.gr_name;
}

struct Stat {
    mode_t mode = 0;
    std::string owner, group;
};
Result<Stat> stat_of(const Path& path) {
    struct stat st {};
    if (::lstat(path.c_str(), &st) != 0) return fail(errno_error(errno, "lstat " + path.string()));
    const mode_t kept = S_ISDIR(st.st_mode) ? kFolderModes : kFileModes;
    // What has no name, or one that does not lead back, goes by its number.
    Stat found{st.st_mode & kept, user_name(st.st_uid), group_name(st.st_gid)};
    if (uid_of(found.owner) != st.st_uid) found.owner = std::to_string(st.st_uid);
    if (gid_of(found.group) != st.st_gid) found.group = std::to_string(st.st_gid);
    return found;
}

Status make_folder_and_above(const Path& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return fail(Code::io, "making " + path.string() + ": " + error.message());
    return ok();
}

}  // namespace

BackupPlaces spool_places(const conf::Config& config) {
    const conf::Fixed::Paths& paths = config.fixed.paths;
    BackupPlaces all;
    all.reserve(kSpoolParts.size());
    for (const char* part : kSpoolParts) all.emplace_back(std::string("spool/") + part, paths.spool / part);
    return all;
}

BackupPlaces journal_places(const conf::Config& config) {
    const conf::Fixed::Paths& paths = config.fixed.paths;
    return {{"journal/journal.db", paths.journal},
            {"journal/journal.db-wal", Path(paths.journal.native() + "-wal")},
            {"journal-copy", paths.copy_folder()}};
}

Result<BackupManifest> read_manifest(FileSystem& fs, const Path& backup) {
    TPF_TRY(const std::string text, read_small(fs, backup / kManifest, kMostManifest));
    return parse_manifest(text);
}

Status write_manifest(FileSystem& fs, const Path& backup, const std::string& text) {
    TPF_TRY(write_new(fs, backup / kManifest, text, 0600));
    return fs.sync_folder(backup);
}

template <class Take>
Result<Copier::Done> Copier::read(File& in, const Take& take) {
    Sha256 sha;
    Done done;
    Bytes block(kBlock);
    while (true) {
        TPF_TRY(const std::size_t size, in.read(block));
        if (size == 0) break;
        sha.update(ByteView(block.data(), size));
        TPF_TRY(take(ByteView(block.data(), size)));
        done.size += size;
        alive_();
    }
    done.sha256 = sha.finish();
    return done;
}

Result<Copier::Done> Copier::file(const Path& from, const Path& to) {
    TPF_TRY(const auto in, fs_.open_read(from));
    TPF_TRY(const auto out, fs_.create(to, 0600));
    TPF_TRY(const Done done, read(*in, [&](ByteView piece) { return out->write(piece); }));
    TPF_TRY(out->sync());
    return done;
}

Result<Copier::Done> Copier::digest(const Path& path) {
    TPF_TRY(const auto in, fs_.open_read(path));
    return read(*in, [](ByteView) { return ok(); });
}

Status Copier::tree(const Path& from, const Path& to, const std::string& name, Json& manifest, unsigned depth) {
    const auto info = fs_.info(from);
    if (!info && info.error().code() == Code::not_found) return ok();
    if (!info) return fail(info.error());
    TPF_TRY(const Stat stat, stat_of(from));
    Json entry = {{"path", name}, {"mode", stat.mode}, {"owner", stat.owner}, {"group", stat.group}};
    if (info.value().regular) {
        TPF_TRY(make_folder_and_above(to.parent_path()));
        TPF_TRY(const Done done, file(from, to));
        entry["size"] = done.size;
        entry["sha256"] = hex(done.sha256);
        manifest["files"].push_back(std::move(entry));
        return ok();
    }
    // Sockets and links are nobody's message.
    if (!info.value().folder || depth == kDeepest) return ok();
    TPF_TRY(make_folder_and_above(to));
    manifest["folders"].push_back(std::move(entry));
    TPF_TRY(const auto names, fs_.list(from));
    for (const std::string& one : names) {
        if (!is_plain_path(one)) continue;
        TPF_TRY(tree(from / one, to / one, name + "/" + one, manifest, depth + 1));
    }
    return fs_.sync_folder(to);
}

Status Copier::all(const BackupPlaces& places, const Path& to, Json& manifest) {
    for (const auto& [name, path] : places) {
        TPF_TRY(tree(path, to / name, name, manifest));
    }
    return ok();
}

}  // namespace tpf::daemon
