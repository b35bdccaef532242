#include "daemon/backup_manifest.h"

#include <algorithm>
#include <set>

#include "base/encoding.h"
#include "base/sha256.h"

namespace tpf::daemon {
namespace {

Result<BackupEntry> parse_entry(const Json& json, bool is_file) {
    if (!json.is_object()) return fail(Code::usage, "an entry of the manifest is no object");
    BackupEntry entry;
    TPF_TRY(entry.path, text_arg(json, "path", true));
    TPF_TRY(entry.owner, text_arg(json, "owner", true));
    TPF_TRY(entry.group, text_arg(json, "group", true));
    TPF_TRY(const std::uint64_t mode, number_arg(json, "mode", 0));
    if (!is_plain_path(entry.path)) return fail(Code::usage, "a path in the manifest that leads elsewhere");
    if ((mode & ~std::uint64_t{is_file ? kFileModes : kFolderModes}) != 0)
        return fail(Code::usage, "the manifest gives " + entry.path + " a mode that nothing in a backup has");
    entry.mode = static_cast<mode_t>(mode);
    if (!is_file) return entry;
    TPF_TRY(entry.size, number_arg(json, "size", 0));
    TPF_TRY(entry.sha256, text_arg(json, "sha256", true));
    return entry;
}

Result<std::vector<BackupEntry>> parse_entries(const Json& manifest, const char* name, std::set<std::string>& seen) {
    const auto list = manifest.find(name);
    if (list == manifest.end() || !list->is_array())
        return fail(Code::usage, "the manifest has no list of " + std::string(name));
    std::vector<BackupEntry> entries;
    entries.reserve(list->size());
    for (const Json& one : *list) {
        TPF_TRY(auto entry, parse_entry(one, std::string_view(name) == "files"));
        if (!seen.insert(entry.path).second) return fail(Code::usage, "the manifest names " + entry.path + " twice");
        entries.push_back(std::move(entry));
    }
    return entries;
}

}  // namespace

bool is_plain_path(std::string_view path) {
    for (std::size_t at = 0; at <= path.size();) {
        const std::size_t end = std::min(path.find('/', at), path.size());
        const std::string_view part = path.substr(at, end - at);
        if (part.empty() || part == "." || part == "..") return false;
        at = end + 1;
    }
    return std::all_of(path.begin(), path.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("/.-_").find(c) != std::string_view::npos;
    });
}

Result<BackupManifest> parse_manifest(const std::string& text) {
    Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return fail(Code::usage, "this is no backup of TPF");
    TPF_TRY(const std::string form, text_arg(json, "form", false));
    if (form != kBackupForm) return fail(Code::usage, "this is no backup of TPF");
    BackupManifest manifest;
    TPF_TRY(manifest.sha256, text_arg(json, "sha256", true));
    json.erase("sha256");
    if (hex(sha256(json.dump())) != manifest.sha256) return fail(Code::usage, "the backup's manifest was changed");
    TPF_TRY(manifest.name, text_arg(json, "name", true));
    TPF_TRY(manifest.time, text_arg(json, "time", true));
    std::set<std::string> seen;
    TPF_TRY(manifest.files, parse_entries(json, "files", seen));
    TPF_TRY(manifest.folders, parse_entries(json, "folders", seen));
    return manifest;
}

std::string manifest_text(Json manifest) {
    manifest["sha256"] = hex(sha256(manifest.dump()));
    return manifest.dump(1) + "\n";
}

}  // namespace tpf::daemon
