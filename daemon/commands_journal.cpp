#include "audit/event_log.h"
#include "daemon/commands.h"
#include "daemon/journal_json.h"

namespace tpf::daemon {
namespace {

/// Pages are compared in one go, and all commits wait meanwhile: below a second for so much.
constexpr std::uint64_t kMostPageBytes = std::uint64_t{256} << 20;

}  // namespace

Json copy_json(const queue::CopyState& state) {
    Json json = {{"state", queue::to_string(state.kind)}, {"entry", state.seq}};
    if (state.kind == queue::CopyState::Kind::away) json["since"] = format_utc(state.since);
    if (state.trouble) {
        json["code"] = state.trouble->name();
        json["error"] = state.trouble->text();
    }
    return json;
}

/// Damage of the journal stops the service, after the answer.
Result<Json> Commands::journal_check(const Call& call) {
    TPF_TRY(const std::string reason, reading_reason(call.args));
    AuditEntry entry(AuditKind::operator_action, call.who.name);
    entry.with("command", "journal check").with("reason", reason);
    TPF_TRY(core_.journal.record(entry));
    audit::EventLog events;
    queue::InspectOrder order{.ask = [this](const auto& question) { return core_.journal.ask(question); },
                              .audit = events,
                              .fs = core_.fs,
                              .copy = core_.config.fixed.paths.copy_folder(),
                              .most_page_bytes = kMostPageBytes};
    if (call.args.value("progress", false)) {
        order.progress = [&call](const queue::InspectProgress& progress) {
            static_cast<void>(call.stream.write_line({{"progress", progress_json(progress)}}).has_value());
        };
    }
    TPF_TRY(const auto report, queue::inspect_journal(order));
    if (report.faults > report.copy_faults) core_.lifecycle.fatal(Error(Code::journal, report.some.front()));
    return inspect_json(report);
}

}  // namespace tpf::daemon
