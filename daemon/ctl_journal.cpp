#include "daemon/ctl_journal.h"

#include <unistd.h>

#include "audit/checkpoints.h"
#include "audit/event_log.h"
#include "conf/output_settings.h"
#include "daemon/ctl_owner.h"
#include "daemon/journal_json.h"
#include "daemon/pipeline.h"
#include "daemon/reason.h"
#include "daemon/users.h"
#include "queue/folder_lock.h"

namespace tpf::daemon {
namespace {

/// The core is stopped, and stays so while this lives.
struct Stopped {
    std::unique_ptr<queue::Spool> spool;
    std::optional<queue::FolderLock> lock;
};

Result<Stopped> take_over(const conf::Config& config) {
    FileSystem& fs = posix_file_system();
    const queue::Folders folders(config.fixed.paths.spool);
    const Path beside = config.fixed.paths.journal.parent_path();
    TPF_TRY(become_owner(fs.info(beside) ? beside : folders.root));
    if (const auto there = fs.info(folders.root); !there) return fail(there.error());
    TPF_TRY(auto spool, queue::Spool::open(fs, config.fixed.paths.spool, {}));
    auto lock = queue::FolderLock::take(folders.lock);
    if (!lock && lock.error().code() == Code::locked)
        return fail(Code::locked, "tpfd has the journal", "stop it: `systemctl stop tpfd`");
    if (!lock) return fail(lock.error());
    return Stopped{std::move(spool), std::move(lock).value()};
}

ControlAnswer answer_of(const conf::Config& config, Json result) {
    return {std::string(conf::to_string(config.fixed.installation.kind)), config.fixed.installation.name,
            std::move(result)};
}

Result<queue::InspectReport> inspect(const conf::Config& config, AuditSink& audit, const queue::Spool& spool,
                                     const ShowProgress& progress) {
    queue::InspectOrder order{.ask = {},
                              .audit = audit,
                              .fs = posix_file_system(),
                              .copy = config.fixed.paths.copy_folder(),
                              .spool = &spool};
    if (progress) order.progress = [&](const queue::InspectProgress& now) { progress(progress_json(now)); };
    return queue::inspect_journal_file(config.fixed.paths.journal, order);
}

}  // namespace

Result<ControlAnswer> check_journal_here(const conf::Config& config, const ShowProgress& progress) {
    TPF_TRY(const Stopped stopped, take_over(config));
    audit::EventLog events;
    TPF_TRY(const auto report, inspect(config, events, *stopped.spool, progress));
    return answer_of(config, inspect_json(report));
}

Result<ControlAnswer> rebuild_journal_here(const conf::Config& config, const std::string& reason,
                                           const ShowProgress& progress) {
    TPF_TRY(check_reason(reason));
    const std::string who = user_name(::getuid());
    TPF_TRY(const Stopped stopped, take_over(config));
    audit::EventLog events;
    TPF_TRY(const auto finished, queue::finish_rebuild(posix_file_system(), config.fixed.paths.journal));
    TPF_TRY(const auto before, inspect(config, events, *stopped.spool, progress));
    if (before.good()) return answer_of(config, {{"rebuilt", false}, {"kept", finished}});
    queue::RebuildOrder order{
        .fs = posix_file_system(),
        .audit = events,
        .clock = system_clock(),
        .journal = config.fixed.paths.journal,
        .copy = config.fixed.paths.copy_folder(),
        .spool = *stopped.spool,
        .settings = conf::pinned_json(config),
        .operator_name = who,
        .reason = reason,
        .source_of = [&](const queue::InboxEntry& entry) { return source_of(config.fixed, entry.kilde, entry.owner); }};
    order.carry_notes = audit::carry_notes;
    order.renamed = [&](sqlite::Database& made) {
        return audit::next_origin_entry(made, who, audit::new_origin(config.fixed.installation.name));
    };
    if (progress) {
        order.progress = [&](std::string_view what, std::uint64_t done) {
            if (done % 500 == 0) progress({{"part", what}, {"done", done}, {"of", 0}});
        };
    }
    TPF_TRY(const auto report, queue::rebuild_journal(order));
    return answer_of(config, rebuild_json(report));
}

}  // namespace tpf::daemon
