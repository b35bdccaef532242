#include "daemon/commands.h"

#include "audit/event_log.h"
#include "base/encoding.h"
#include "base/log.h"

namespace tpf::daemon {
namespace {

constexpr std::chrono::minutes kMostWait{10};

/// Until the client says `word`; what it sends besides tells that it lives. Code::unavailable: it is gone.
Status wait_for(ControlStream& stream, char word) {
    std::uint8_t byte = 0;
    while (true) {
        TPF_TRY(const std::size_t size, stream.read({&byte, 1}));
        if (size == 0) return fail(Code::unavailable, "the client went away");
        if (static_cast<char>(byte) == word) return ok();
    }
}

}  // namespace

/// Holds the core still while the client copies: first no message is worked on (the spool), then nothing is committed
/// (the journal's files). What is handed over meanwhile waits. A client that goes away ends it.
Result<Json> Commands::backup(const Call& call) {
    if (call.who.uid != 0 && call.who.uid != ::geteuid())
        return fail(Code::denied, "a backup holds everybody's messages", "as root: tpfctl backup DIR");
    TPF_TRY(const std::string reason, reading_reason(call.args));
    AuditEntry entry(AuditKind::operator_action, call.who.name);
    entry.with("command", "backup").with("reason", reason);
    TPF_TRY(core_.journal.record(entry));
    const Coordinator::Pause pause(coordinator_);
    if (!pause.wait_until_quiet(kMostWait, [&] {
            return call.stream.write_line({{"progress", {{"part", "waiting"}}}}).has_value();
        }))
        return fail(Code::unavailable, "a message that is being worked on does not end", "try again when it did");
    TPF_TRY(call.stream.write_line({{"progress", {{"part", "spool"}}}}));
    TPF_TRY(wait_for(call.stream, 'j'));
    TreeHead head;
    TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
        audit::EventLog log;
        TPF_TRY(const std::uint64_t size, log.size(db));
        TPF_TRY(head, log.head(db, size));
        TPF_TRY(call.stream.write_line({{"progress", {{"part", "journal"}}}}));
        return wait_for(call.stream, 'e');
    }));
    log::info("a backup was taken", {{"stage", "backup"}, {"operator", call.who.name}});
    return Json{{"entries", head.size}, {"root", base64(head.root)}};
}

}  // namespace tpf::daemon
