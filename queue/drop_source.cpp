#include "queue/drop_source.h"

#include "base/log.h"

namespace tpf::queue {
namespace {

constexpr std::size_t kChunk = 1U << 20;

bool is_unfinished(std::string_view name) {
    return name.starts_with('.') || name.ends_with(".tmp") || name.ends_with(".part");
}

/// A sender chose the file's name: it stays out of error texts and logs.
Error nameless(const Error& error) {
    const Code code = error.code() == Code::not_found ? Code::io : error.code();
    return Error(code, "a file in the drop folder could not be opened, read or removed");
}

bool ends_scan(const Error& error) {
    return error.disposition() == Disposition::stop || error.code() == Code::disk_full || error.code() == Code::quota;
}

}  // namespace

DropSource::DropSource(Spool& spool, const Clock& clock, DropSettings settings, Admission admit)
    : spool_(&spool), clock_(&clock), settings_(std::move(settings)), admit_(std::move(admit)) {}

Result<DropScan> DropSource::scan() {
    const auto names = spool_->fs().list(settings_.folder);
    if (!names) return fail(Code::io, "the drop folder of " + settings_.source + ": " + names.error().detail());
    DropScan scan;
    std::map<std::string, Seen> still_there;
    for (const std::string& name : names.value()) {
        if (is_unfinished(name)) continue;
        const auto info = spool_->fs().info(settings_.folder / name);
        if (!info) continue;  // renamed or taken back meanwhile
        const Verdict verdict = judge(name, info.value());
        if (verdict == Verdict::settling) ++scan.settling;
        if (verdict == Verdict::refused) ++scan.refused;
        if (verdict == Verdict::ready) {
            TPF_TRY(take_ready(name, info.value(), scan));
        }
        if (const auto seen = seen_.find(name); seen != seen_.end()) still_there.insert(*seen);
    }
    seen_ = std::move(still_there);
    return scan;
}

DropSource::Verdict DropSource::judge(const std::string& name, const FileInfo& info) {
    const auto now = clock_->steady();
    const auto [at, fresh] = seen_.try_emplace(name, Seen{info.size, info.modified, now, false});
    Seen& seen = at->second;
    if (!fresh && (seen.size != info.size || seen.modified != info.modified))
        seen = {info.size, info.modified, now, false};
    if (seen.refused) return Verdict::refused;
    if (now - seen.since < settings_.settle) return Verdict::settling;
    if (info.regular && info.links == 1) return Verdict::ready;
    seen.refused = true;
    log::warning("the drop folder holds something that is not a plain file with one link; left there",
                 {{"source", settings_.source}});
    return Verdict::refused;
}

Status DropSource::take_ready(const std::string& name, const FileInfo& info, DropScan& scan) {
    const auto id = take(name, info);
    if (!id) {
        if (ends_scan(id.error())) return fail(id.error());
        ++scan.refused;
        log::warning("a dropped file could not be taken; tried again later",
                     {{"source", settings_.source}, {"error", id.error().text()}});
        return ok();
    }
    scan.taken.push_back(id.value());
    if (const auto gone = spool_->fs().remove_file(settings_.folder / name); !gone) {
        // Handed over once is enough, as long as this process remembers.
        seen_.at(name).refused = true;
        log::error("a dropped file was handed over but cannot be removed",
                   {{"source", settings_.source}, {"message", id.value()}, {"hint", "check the folder's permissions"}});
        return ok();
    }
    seen_.erase(name);
    return spool_->fs().sync_folder(settings_.folder);
}

Result<SpoolId> DropSource::take(const std::string& name, const FileInfo& seen) {
    FileSystem& fs = spool_->fs();
    if (admit_) {
        TPF_TRY(admit_(settings_, seen.size));
    }
    const auto file = fs.open_read(settings_.folder / name);
    if (!file) return fail(nameless(file.error()));
    TPF_TRY(auto writer, InboxWriter::begin(*spool_, seen.size));
    std::vector<std::uint8_t> chunk(kChunk);
    while (true) {
        const auto size = file.value()->read(chunk);
        if (!size) return fail(nameless(size.error()));
        if (size.value() == 0) break;
        TPF_TRY(writer.write({chunk.data(), size.value()}));
    }
    const auto after = fs.info(*file.value());
    if (!after) return fail(nameless(after.error()));
    if (!after.value().regular || after.value().links != 1 || after.value().modified != seen.modified ||
        writer.size() != seen.size) {
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
