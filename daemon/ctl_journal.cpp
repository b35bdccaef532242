#include "daemon/ctl_journal.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/event_log.h"
#include "conf/output_settings.h"
#include "daemon/journal_json.h"
#include "daemon/pipeline.h"
#include "daemon/reason.h"
#include "daemon/users.h"
#include "queue/folder_lock.h"

namespace tpf::daemon {
namespace {

/// What root makes here the core could not open.
Status become_owner(const Path& folder) {
    struct stat st {};
    if (::geteuid() != 0 || ::stat(folder.c_str(), &st) != 0 || st.st_uid == 0) return ok();
    const std::string name = user_name(st.st_uid);
    const auto group = gid_of(name);  // a system user's own; else the folder's
    const gid_t gid = group.value_or(st.st_gid);
    const bool known = uid_of(name) == st.st_uid;
    if ((known ? ::initgroups(name.c_str(), gid) : ::setgroups(0, nullptr)) != 0 || ::setgid(gid) != 0 ||
        ::setuid(st.st_uid) != 0) {
        return fail(Code::denied, errno_error(errno, "becoming the owner of " + folder.string()).detail());
    }
    ::umask(027);
    return ok();
}

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
        .source_of = [&](const queue::InboxEntry& entry) { return source_of(config, entry.kilde, entry.owner); }};
    if (progress) {
        order.progress = [&](std::string_view what, std::uint64_t done) {
            if (done % 500 == 0) progress({{"part", what}, {"done", done}, {"of", 0}});
        };
    }
    TPF_TRY(const auto report, queue::rebuild_journal(order));
    return answer_of(config, rebuild_json(report));
}

}  // namespace tpf::daemon
