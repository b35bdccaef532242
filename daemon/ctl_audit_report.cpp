#include "daemon/ctl_audit_report.h"

#include "audit/report_page.h"
#include "audit/svg_plot.h"
#include "daemon/ctl_print.h"
#include "daemon/ctl_progress.h"

namespace tpf::daemon {
namespace {

constexpr std::uint64_t kPage = 2000;

Result<std::chrono::sys_days> day_of(const Json& args, const char* name, std::chrono::sys_days otherwise) {
    const std::string text = args.value(name, "");
    if (text.empty()) return otherwise;
    const auto day = parse_date(text);
    if (!day) return fail(Code::usage, std::string("--") + name + ": not a day, YYYY-MM-DD");
    return day.value();
}

audit::ReportEntry entry_of(const Json& json) {
    audit::ReportEntry entry;
    entry.seq = json.value("seq", std::uint64_t{0});
    if (const auto time = parse_utc(json.value("time", ""))) entry.time = time.value();
    entry.kind = json.value("kind", "");
    entry.actor = json.value("actor", "");
    entry.message = json.value("message", "");
    const auto fields = json.find("fields");
    if (fields == json.end() || !fields->is_object()) return entry;
    for (const auto& [name, value] : fields->items()) {
        if (value.is_string()) entry.fields.emplace(name, value.get<std::string>());
    }
    return entry;
}

/// Of what `audit verify` answered.
audit::ReportVerdict verdict_of(const Json& json) {
    audit::ReportVerdict verdict;
    verdict.good = json.value("good", false);
    for (const Json& fault : json.value("faults", Json::array())) verdict.faults.push_back(fault.get<std::string>());
    verdict.origin = json.value("origin", "none yet");
    verdict.entries = json.value("entries", std::uint64_t{0});
    verdict.root = json.value("root", "");
    for (const Json& one : json.value("witnessed", Json::array()))
        verdict.witnessed.emplace_back(one.value("witness", ""),
                                       audit::grouped(one.value("entries", std::uint64_t{0})));
    const Json lists = json.value("lists", Json::object());
    const auto count = [&](const char* name) { return audit::grouped(lists.value(name, std::uint64_t{0})); };
    verdict.lists =
        count("kept") + " kept, " + count("deleted") + " deleted, " + count("not_recorded") + " not recorded";
    return verdict;
}

class Report {
  public:
    explicit Report(const Ctl& ctl) : ctl_(ctl) {}

    Result<ControlAnswer> run(const ShowProgress& progress) {
        const UtcTime now = system_clock().utc();
        TPF_TRY(const auto from, day_of(ctl_.args, "from", {}));
        TPF_TRY(const auto to, day_of(ctl_.args, "to", std::chrono::floor<std::chrono::days>(now)));
        if (to < from) return fail(Code::usage, "--to is before --from");
        const std::string reason = ctl_.args.value("reason", "");
        audit::ReportFacts facts;
        facts.from = from;
        facts.until = to + std::chrono::days(1);
        facts.made = now;
        facts.reason = reason;
        TPF_TRY(const Path socket, socket_path(ctl_));
        // A log with an entry that was changed stops the core: there is nothing left to report then.
        // Before the verification, which goes beyond it.
        TPF_TRY(auto answer, ask_core(socket, "audit key", Json::object(), std::nullopt, {}));
        TPF_TRY(const auto verified,
                ask_core(socket, "audit verify", {{"reason", reason}, {"progress", static_cast<bool>(progress)}},
                         std::nullopt, progress));
        facts.verdict = verdict_of(verified.result);
        facts.verdict.checkpoint = answer.result.value("checkpoint", "");
        facts.installation = answer.name;
        facts.production = answer.installation == "production";
        audit::ReportFigures figures;
        TPF_TRY(read(socket, {{"reason", reason}, {"from", format_utc(facts.from)}, {"to", format_utc(facts.until)}},
                     facts.verdict.entries, figures, progress));
        // It names operators.
        TPF_TRY(write_atomically(posix_file_system(), ctl_.out, audit::report_page(facts, figures), 0600));
        answer.result = {{"file", ctl_.out}, {"entries", figures.entries}, {"good", facts.verdict.good}};
        return answer;
    }

  private:
    static Status read(const Path& socket, Json args, std::uint64_t of, audit::ReportFigures& figures,
                       const ShowProgress& progress) {
        while (true) {
            args["limit"] = kPage;
            TPF_TRY(const auto page, ask_core(socket, "audit report", args, std::nullopt, {}));
            for (const Json& entry : page.result.value("entries", Json::array())) {
                // Those that came after the verification are not in its answer.
                if (entry.value("seq", std::uint64_t{0}) <= of) figures.take(entry_of(entry));
            }
            if (!page.result.contains("next")) return ok();
            args = {{"reading", page.result["reading"]}, {"after", page.result["next"]}};
            if (progress) progress({{"part", "figures"}, {"done", page.result["next"]}, {"of", of}});
        }
    }

    const Ctl& ctl_;
};

int report(Ctl& ctl) {
    const ShowProgress progress = progress_line();
    const auto answer = Report(ctl).run(progress);
    end_progress_line();
    if (!answer) return show_error(ctl, answer.error());
    show(ctl, answer.value(), print_plain);
    return answer.value().result.value("good", false) ? 0 : 1;
}

}  // namespace

void add_report(CLI::App& audit, Ctl& ctl) {
    CLI::App* sub = verb(audit, ctl, "report", "a period in figures and plots, as one HTML file", report);
    text(sub, ctl, "--from", "from", "its first day, YYYY-MM-DD (UTC)")->required();
    text(sub, ctl, "--to", "to", "its last day (default: today)");
    sub->add_option("--out", ctl.out, "the file")->required();
    text(sub, ctl, "--reason", "reason", "why, for the audit log")->required();
}

}  // namespace tpf::daemon
