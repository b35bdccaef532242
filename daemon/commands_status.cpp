#include "base/encoding.h"
#include "base/log.h"
#include "conf/output_settings.h"
#include "daemon/commands.h"
#include "daemon/ring_keys.h"
#include "daemon/socket_file.h"
#include "daemon/status.h"

namespace tpf::daemon {
Result<Json> Commands::status(const Call&) {
    return read_status(core_, started_);
}

Result<Json> Commands::metrics(const Call& call) {
    TPF_TRY(const Json status, read_status(core_, started_));
    const auto form = call.args.value("prometheus", false) ? MetricsForm::prometheus : MetricsForm::openmetrics;
    return Json{{"text", metrics_text(status, core_.metrics.snapshot(), form)}};
}

/// A dry run: the pass without output, and what the journal would say. Changes no message; that somebody had a message
/// opened is in the audit log.
Result<Json> Commands::check(const Call& call) {
    TPF_TRY(const std::string reason, reading_reason(call.args));
    AuditEntry entry(AuditKind::operator_action, call.who.name);
    entry.with("command", "check").with("reason", reason).with("bytes", call.body);
    TPF_TRY(core_.journal.record(entry));
    const conf::OutputSettings settings = conf::output_settings(*core_.config.now());
    const RingKeys keys(core_.keys, settings);
    pseudonym::PassOptions options;
    options.limits = pass_limits(settings.limits);
    options.sender_authenticated = true;
    SocketFile body(call.stream, call.body);
    const PassRun run = run_pass(keys, options, {body, call.body, nullptr}, core_.lifecycle);
    TPF_TRY(note_failure(core_.keys, core_.journal, run, AuditEntry(AuditKind::key_event, call.who.name)));
    if (!run.report && run.report.error().disposition() != Disposition::quarantine) return fail(run.report.error());
    Json json = {{"would_pass", run.report.has_value()}, {"bytes", run.input_bytes}, {"sha256", hex(run.input_digest)}};
    if (!run.report) {
        json["error"] = error_json(run.report.error());
        if (!run.marked.empty()) {
            json["persons_without_pseudonym"] = run.marked.count();
            json["without_pseudonym"] = marks_json(run.marked);
        }
        return json;
    }
    const auto& report = run.report.value();
    const MessageName name{report.header.avsender, report.header.meldings_id};
    json["name"] = name.str();
    json["register"] = report.header.reg.str();
    json["persons"] = report.persons;
    json["persons_without_pseudonym"] = report.marked.count();
    json["without_pseudonym"] = marks_json(report.marked);
    TPF_TRY(const auto known, core_.journal.find_by_name(name));
    if (known) {
        const bool same = known->input_sha256 == hex(run.input_digest);
        json["known_as"] = known->id.str();
        json["would_be"] = same ? "answered from the journal" : "quarantined";
        if (!same) {
            json["would_pass"] = false;
            json["error"] = error_json(Error(Code::id_reused));
        }
    }
    return json;
}

}  // namespace tpf::daemon
