#include "queue/drop_source.h"

#include <unistd.h>

#include "base/log.h"

namespace tpf::queue {
namespace {

constexpr std::size_t kChunk = 1U << 20;

bool is_unfinished(std::string_view name) {
    return name.starts_with('.') || name.ends_with(".tmp") || name.ends_with(".part");
}

bool is_plain(const FileInfo& info) {
    return info.regular && info.links == 1;
}

/// The same file with the same content, as far as the file system can tell.
bool is_unchanged(const FileInfo& a, const FileInfo& b) {
    return a.device == b.device && a.inode == b.inode && a.size == b.size && a.modified == b.modified &&
           a.links == b.links;
}

/// A sender chose the file's name: it stays out of error texts and logs.
Error nameless(const Error& error) {
    const Code code = error.code() == Code::not_found ? Code::io : error.code();
    return Error(code, "a file in the drop folder could not be opened, moved, read or removed");
}

bool ends_scan(const Error& error) {
    return error.disposition() == Disposition::stop || error.code() == Code::disk_full || error.code() == Code::quota;
}

}  // namespace

DropSource::DropSource(Spool& spool, const Clock& clock, DropSettings settings, Admission admit)
    : spool_(&spool),
      clock_(&clock),
      settings_(std::move(settings)),
      own_(settings_.folder / ".tpf"),
      admit_(std::move(admit)) {}

Result<DropScan> DropSource::scan() {
    const auto names = spool_->fs().list(settings_.folder);
    if (!names) return fail(Code::io, "the drop folder of " + settings_.source + ": " + names.error().detail());
    TPF_TRY(prepare_own_folder());
    DropScan scan;
    TPF_TRY(const auto taken_before, spool_->fs().list(own_));
    for (const std::string& name : taken_before) {
        TPF_TRY(look_at(own_ / name, scan));
    }
    for (const std::string& name : names.value()) {
        if (is_unfinished(name)) continue;
        TPF_TRY(look_at(settings_.folder / name, scan));
    }
    std::erase_if(seen_, [this](const auto& one) { return !spool_->fs().info(one.first); });
    return scan;
}

Status DropSource::prepare_own_folder() {
    const auto there = spool_->fs().info(own_);
    if (!there && there.error().code() == Code::not_found) {
        TPF_TRY(spool_->fs().make_folder(own_, 0700));
        return spool_->fs().sync_folder(settings_.folder);
    }
    if (!there) return fail(there.error());
    if (!there.value().folder || there.value().owner != ::geteuid() || (there.value().mode & 0022) != 0) {
        return fail(Code::io, own_.string() + " is not a folder of the service's own user that others cannot change");
    }
    return ok();
}

Status DropSource::look_at(const Path& path, DropScan& scan) {
    const auto info = spool_->fs().info(path);
    if (!info) return ok();  // renamed or taken back meanwhile
    switch (judge(path, info.value())) {
        case Verdict::settling:
            ++scan.settling;
            return ok();
        case Verdict::refused:
            ++scan.refused;
            return ok();
        case Verdict::ready:
            return take_ready(path, info.value(), scan);
    }
    return ok();
}

DropSource::Verdict DropSource::judge(const Path& path, const FileInfo& info) {
    const auto now = clock_->steady();
    const auto [at, fresh] = seen_.try_emplace(path, Seen{info, now, false});
    Seen& seen = at->second;
    if (!fresh && !is_unchanged(seen.info, info)) seen = {info, now, false};
    if (seen.refused) return Verdict::refused;
    if (now - seen.since < settings_.settle) return Verdict::settling;
    if (is_plain(info)) return Verdict::ready;
    seen.refused = true;
    log::warning("the drop folder holds something that is not a plain file with one link; left there",
                 {{"source", settings_.source}});
    return Verdict::refused;
}

Status DropSource::take_ready(const Path& path, const FileInfo& info, DropScan& scan) {
    Path own = path;
    const auto id = take(path, info, own);
    if (!id) {
        if (own != path && id.error().disposition() != Disposition::stop) {
            // A name that is taken again keeps it where it is: it is looked at there.
            static_cast<void>(spool_->fs().rename(own, path).has_value());
        }
        if (ends_scan(id.error())) return fail(id.error());
        ++scan.refused;
        log::warning("a dropped file could not be taken; tried again later",
                     {{"source", settings_.source}, {"error", id.error().text()}});
        return ok();
    }
    scan.taken.push_back(id.value());
    if (const auto gone = spool_->fs().remove_file(own); !gone) {
        // Handed over once is enough, as long as this process remembers.
        seen_[own] = {info, clock_->steady(), true};
        log::error("a dropped file was handed over but cannot be removed",
                   {{"source", settings_.source}, {"message", id.value()}, {"hint", "check the folder's permissions"}});
        return ok();
    }
    TPF_TRY(spool_->fs().sync_folder(own_));
    return spool_->fs().sync_folder(settings_.folder);
}

/// `own`: where the file is afterwards.
Result<SpoolId> DropSource::take(const Path& path, const FileInfo& info, Path& own) {
    if (admit_) {
        TPF_TRY(admit_(settings_, info.size));
    }
    TPF_TRY(auto writer, InboxWriter::begin(*spool_, info.size));
    if (path.parent_path() != own_) {
        const Path to = own_ / writer.id().view();
        if (const Status moved = spool_->fs().rename(path, to); !moved) return fail(nameless(moved.error()));
        own = to;
    }
    return hand_over(own, info, std::move(writer));
}

Result<SpoolId> DropSource::hand_over(const Path& own, const FileInfo& seen, InboxWriter writer) {
    FileSystem& fs = spool_->fs();
    const auto file = fs.open_read(own);
    if (!file) return fail(nameless(file.error()));
    const auto before = fs.info(*file.value());
    if (!before) return fail(nameless(before.error()));
    if (!is_plain(before.value()) || !is_unchanged(before.value(), seen)) {
        return fail(Code::io, "a file in the drop folder is not the one that was at rest");
    }
    std::vector<std::uint8_t> chunk(kChunk);
    while (true) {
        const auto size = file.value()->read(chunk);
        if (!size) return fail(nameless(size.error()));
        if (size.value() == 0) break;
        TPF_TRY(writer.write({chunk.data(), size.value()}));
    }
    const auto after = fs.info(*file.value());
    if (!after) return fail(nameless(after.error()));
    if (!is_plain(after.value()) || !is_unchanged(after.value(), seen) || writer.size() != seen.size) {
        return fail(Code::io, "a file in the drop folder changed while it was read");
    }
    TPF_TRY(const auto record, writer.commit({.source = settings_.source,
                                              .sender = settings_.sender,
                                              .operator_name = {},
                                              .reason = {},
                                              .received = clock_->utc()}));
    log::info("received", {{"message", record.id}, {"source", settings_.source}, {"bytes", record.size}});
    return record.id;
}

}  // namespace tpf::queue
