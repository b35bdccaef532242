#include "daemon/log_origin.h"

#include "audit/checkpoints.h"
#include "audit/event_log.h"
#include "base/encoding.h"
#include "base/log.h"
#include "daemon/control_protocol.h"
#include "daemon/core.h"

namespace tpf::daemon {
namespace {

constexpr const char* kForm = "tpf-restored-1";
constexpr std::size_t kMostBytes = 4096;

/// Whether the newest origin is that of this restore already.
Result<bool> is_taken(sqlite::Database& db, const std::string& mark) {
    TPF_TRY(const auto newest,
            audit::EventLog::list(db, {.kind = AuditKind::log_origin, .limit = 1, .newest_first = true}));
    if (newest.empty()) return false;
    return newest.front().fields.find("\"restored\":\"" + mark + "\"") != std::string::npos;
}

Status restored_origin(FileSystem& fs, queue::Journal& journal, const conf::Config& config, const std::string& text) {
    // By its digest: it holds for a damaged one too.
    const std::string mark = hex(sha256(text));
    const Json said = Json::parse(text, nullptr, false);
    const auto fact = [&](const char* name) {
        const auto found = said.is_object() ? said.find(name) : said.end();
        return found != said.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    bool taken = false;
    std::optional<AuditEntry> entry;
    TPF_TRY(journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(taken, is_taken(db, mark));
        TPF_TRY(entry, audit::next_origin_entry(db, kServiceActor, audit::new_origin(config.fixed.installation.name)));
        return ok();
    }));
    if (!taken) {
        entry->with("reason", "restored from a backup").with("restored", mark).with("restored_by", fact("by"));
        entry->with("restored_at", fact("at")).with("backup_manifest", fact("manifest_sha256"));
        TPF_TRY(journal.record(*entry));
        log::warning(
            "the log goes on under a new origin, since a backup was put back; registers that witness it take "
            "nothing until their operators allow it: docs/recovery.md",
            {{"stage", "start"}});
    }
    TPF_TRY(fs.remove_file(restored_mark(config.fixed.paths.journal)));
    TPF_TRY(fs.sync_folder(config.fixed.paths.journal.parent_path()));
    return journal.seal();
}

}  // namespace

Path restored_mark(const Path& journal) {
    return journal.parent_path() / "restored.json";
}

Status mark_restored(FileSystem& fs, const Path& journal, const std::string& who, UtcTime when,
                     const std::string& manifest_sha256) {
    const Json json{{"form", kForm},
                    {"by", who},
                    {"at", format_utc(when)},
                    {"manifest_sha256", manifest_sha256},
                    {"id", SpoolId::random().str()}};
    return write_atomically(fs, restored_mark(journal), json.dump() + "\n", 0600);
}

Status ensure_origin(FileSystem& fs, queue::Journal& journal, const conf::Config& config) {
    const auto mark = read_small(fs, restored_mark(config.fixed.paths.journal), kMostBytes);
    if (mark) return restored_origin(fs, journal, config, mark.value());
    if (mark.error().code() != Code::not_found) return fail(mark.error());
    std::optional<std::string> origin;
    TPF_TRY(journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(origin, audit::log_origin(db));
        return ok();
    }));
    if (origin) return journal.seal();
    return journal.record(
        audit::origin_entry(std::string(kServiceActor), audit::new_origin(config.fixed.installation.name)));
}

}  // namespace tpf::daemon
