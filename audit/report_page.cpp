#include "audit/report_page.h"

#include <algorithm>
#include <array>
#include <span>

#include "audit/svg_plot.h"

namespace tpf::audit {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

// Beyond these a bar a day is too thin, or a line a day too long.
constexpr std::int64_t kDaysPlotted = 400;
constexpr std::int64_t kDaysListed = 62;
constexpr std::size_t kSparkPoints = 60;

constexpr const char* kStyle = R"(<style>
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, "Liberation Sans", Arial, sans-serif; color: #1a1a1a; background: #fff; max-width: 60rem; margin: 2rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin-bottom: .3rem; }
h2 { font-size: 1.25rem; margin-top: 2.2rem; border-bottom: 1px solid #767676; }
p.sub { color: #444; margin-top: 0; }
.test { background: #ffe680; border: 2px solid #1a1a1a; padding: .4rem .8rem; font-weight: bold; }
.good, .bad { padding: .6rem .8rem; border-left: 6px solid #1b6e3c; background: #eef6f0; }
.bad { border-color: #a4161a; background: #fbeceb; }
dl.key { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .8rem; }
dl.key div { border: 1px solid #b5b5b5; padding: .5rem .8rem; }
dl.key dt { color: #444; font-size: .875rem; }
dl.key dd { margin: 0; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-size: .875rem; }
caption { text-align: left; font-weight: bold; padding: .3rem 0; }
th, td { padding: .2rem .5rem; border-bottom: 1px solid #d4d4d4; text-align: left; vertical-align: top; }
thead th { border-bottom: 2px solid #1a1a1a; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
td.n, td.t, tbody th { white-space: nowrap; }
thead th { vertical-align: bottom; }
tbody th { font-weight: normal; }
svg { width: 100%; height: auto; display: block; margin: .6rem 0; }
svg rect, svg path { fill: #22577a; }
svg line { stroke: #c4c4c4; }
svg text { font: 12px "Liberation Sans", Arial, sans-serif; fill: #1a1a1a; }
svg.spark { width: 120px; height: 18px; margin: .2rem 0; }
pre { overflow-x: auto; border: 1px solid #b5b5b5; padding: .6rem; font-size: .8125rem; }
@media print {
  body { margin: 0; max-width: none; font-size: 10pt; }
  h2 { break-after: avoid; }
  tr, svg, dl.key div { break-inside: avoid; }
  thead { display: table-header-group; }
  .good, .bad, .test, svg rect, svg path { print-color-adjust: exact; }
}
</style>
)";

struct Column {
    const char* name;
    std::uint64_t MessageCounts::*what;
};
constexpr std::array kColumns = {
    Column{"Received", &MessageCounts::received},       Column{"Delivered", &MessageCounts::delivered},
    Column{"Quarantined", &MessageCounts::quarantined}, Column{"Duplicates", &MessageCounts::duplicates},
    Column{"Discarded", &MessageCounts::discarded},     Column{"Persons", &MessageCounts::persons},
    Column{"No number (E30)", &MessageCounts::e30},     Column{"Wrong number (E31)", &MessageCounts::e31}};

/// Of which the entries tell the register.
constexpr std::array kRegisterColumns = {
    Column{"Delivered", &MessageCounts::delivered}, Column{"Persons", &MessageCounts::persons},
    Column{"No number (E30)", &MessageCounts::e30}, Column{"Wrong number (E31)", &MessageCounts::e31}};

std::string cell(std::uint64_t value) {
    return "<td class=\"n\">" + grouped(value) + "</td>";
}
std::string cell(const std::string& text) {
    return "<td>" + escaped(text) + "</td>";
}

std::string head(std::initializer_list<const char*> texts) {
    std::string html = "<thead><tr>";
    for (const char* text : texts) html += std::string("<th scope=\"col\">") + text + "</th>";
    return html + "</tr></thead>\n";
}

std::string counts_head(const char* what, std::span<const Column> columns, const char* last = nullptr) {
    std::string html = std::string("<thead><tr><th scope=\"col\">") + what + "</th>";
    for (const Column& column : columns) html += std::string("<th scope=\"col\" class=\"n\">") + column.name + "</th>";
    if (last != nullptr) html += std::string("<th scope=\"col\">") + last + "</th>";
    return html + "</tr></thead>\n";
}
std::string counts_row(const std::string& what, const MessageCounts& counts, std::span<const Column> columns,
                       const std::string& last = {}) {
    std::string html = "<tr><th scope=\"row\">" + escaped(what) + "</th>";
    for (const Column& column : columns) html += cell(counts.*column.what);
    return html + last + "</tr>\n";
}

std::string month_of(sys_days day) {
    return format_date(day).substr(0, 7);
}

void add(MessageCounts& to, const MessageCounts& what) {
    for (const Column& column : kColumns) to.*column.what += what.*column.what;
}

std::string duration(std::uint64_t seconds) {
    if (seconds < 120) return grouped(seconds) + " s";
    if (seconds < std::uint64_t{120} * 60) return grouped(seconds / 60) + " min";
    if (seconds < std::uint64_t{48} * 3600) return grouped(seconds / 3600) + " h";
    return grouped(seconds / 86400) + " days";
}

class Page {
  public:
    Page(const ReportFacts& facts, ReportFigures& figures) : facts_(facts), figures_(figures) {}

    std::string make() {
        const std::string period = format_date(first_day()) + " to " + format_date(last_day());
        html_ =
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
            escaped("TPF " + facts_.installation + ": audit report " + period) + "</title>\n" + kStyle +
            "</head>\n<body>\n<main>\n";
        if (!facts_.production)
            html_ += "<p class=\"test\">TEST INSTALLATION: no real person is in these figures.</p>\n";
        html_ += "<h1>Audit report, " + period + "</h1>\n<p class=\"sub\">" + escaped(facts_.installation) +
                 ", trusted pseudonym manager. Days are those of UTC, both included. Made " + format_utc(facts_.made) +
                 ": " + escaped(facts_.reason) + ".</p>\n";
        verdict();
        figures();
        in_time();
        kommuner();
        marked();
        quarantines();
        delays();
        operators();
        acts();
        html_ += "</main>\n</body>\n</html>\n";
        return std::move(html_);
    }

  private:
    [[nodiscard]] sys_days first_day() const { return std::chrono::floor<days>(facts_.from); }
    [[nodiscard]] sys_days last_day() const { return std::chrono::floor<days>(facts_.until - std::chrono::seconds(1)); }
    [[nodiscard]] std::int64_t day_count() const { return (last_day() - first_day()).count() + 1; }

    void verdict() {
        const ReportVerdict& found = facts_.verdict;
        html_ += "<h2>Is the log the one that was written?</h2>\n";
        if (found.good) {
            html_ += "<p class=\"good\"><strong>Yes.</strong> All " + grouped(found.entries) +
                     " entries, every node of their tree, every kept checkpoint and every list of pseudonyms were "
                     "recomputed for this report.</p>\n";
        } else {
            html_ += "<p class=\"bad\"><strong>No. These figures cannot be relied on:</strong></p>\n<ul>\n";
            for (const std::string& fault : found.faults) html_ += "<li>" + escaped(fault) + "</li>\n";
            html_ += "</ul>\n";
        }
        html_ += "<table><caption>The log</caption><tbody>\n";
        const auto row = [&](const std::string& what, const std::string& value) {
            html_ += "<tr><th scope=\"row\">" + escaped(what) + "</th>" + cell(value) + "</tr>\n";
        };
        row("Origin", found.origin);
        row("Root of the tree over all entries", found.root);
        if (figures_.entries != 0)
            row("Entries of the period", grouped(figures_.entries) + " (number " + grouped(figures_.first_seq) +
                                             " to " + grouped(figures_.last_seq) + ")");
        for (const auto& [witness, entries] : found.witnessed) row("Cosigned by " + witness, entries + " entries");
        if (found.witnessed.empty()) row("Cosigned", "by nobody: a cut-off end would not show");
        row("Lists of pseudonyms", found.lists);
        html_ += "</tbody></table>\n";
        if (found.checkpoint.empty()) return;
        html_ +=
            "<p>The newest signed checkpoint before this verification. Kept together with this report it proves later "
            "that nothing before it "
            "was "
            "changed (<code>tpfctl audit verify --checkpoint FILE</code>):</p>\n<pre>" +
            escaped(found.checkpoint) + "</pre>\n";
    }

    void figures() {
        html_ += "<h2>The period in figures</h2>\n<dl class=\"key\">\n";
        for (const Column& column : kColumns)
            html_ += std::string("<div><dt>") + column.name + "</dt><dd>" + grouped(figures_.all.*column.what) +
                     "</dd></div>\n";
        html_ += "</dl>\n";
        if (figures_.registers.empty()) return;
        html_ += "<table><caption>By register</caption>\n" + counts_head("Register", kRegisterColumns) + "<tbody>\n";
        for (const auto& [name, counts] : figures_.registers) html_ += counts_row(name, counts, kRegisterColumns);
        html_ += "</tbody></table>\n";
    }

    /// What was counted on the days from one label to the next: days, or months where there are too many.
    [[nodiscard]] std::vector<std::pair<std::string, MessageCounts>> steps(std::int64_t most_days) const {
        std::vector<std::pair<std::string, MessageCounts>> out;
        const bool daily = day_count() <= most_days;
        for (sys_days day = first_day(); day <= last_day(); day += days(1)) {
            std::string label = daily ? format_date(day) : month_of(day);
            if (out.empty() || out.back().first != label) out.emplace_back(std::move(label), MessageCounts());
            const auto found = figures_.days.find(day);
            if (found != figures_.days.end()) add(out.back().second, found->second);
        }
        return out;
    }

    void in_time() {
        const auto plotted = steps(kDaysPlotted);
        const std::string each = day_count() <= kDaysPlotted ? "day" : "month";
        html_ += "<h2>Submissions</h2>\n";
        std::vector<PlotValue> received, persons;
        for (const auto& [label, counts] : plotted) {
            received.push_back({label, counts.received});
            persons.push_back({label, counts.persons});
        }
        html_ += columns({"received", "Submissions received each " + each,
                          "Upright bars, one for each " + each + ". The table below has the numbers."},
                         received);
        html_ += "<h3>Persons</h3>\n" +
                 columns({"persons", "Persons pseudonymised each " + each,
                          "Upright bars, one for each " + each + ". The table below has the numbers."},
                         persons);
        const auto listed = steps(kDaysListed);
        const bool daily = day_count() <= kDaysListed;
        html_ += std::string("<table><caption>") + (daily ? "Day by day" : "Month by month") + "</caption>\n" +
                 counts_head(daily ? "Day" : "Month", kColumns) + "<tbody>\n";
        for (const auto& [label, counts] : listed) html_ += counts_row(label, counts, kColumns);
        html_ += "</tbody></table>\n";
    }

    /// A kommune's submissions over the period, in at most kSparkPoints steps.
    [[nodiscard]] std::vector<std::uint64_t> course(const std::map<sys_days, std::uint64_t>& by_day) const {
        const auto count = std::min<std::int64_t>(day_count(), kSparkPoints);
        std::vector<std::uint64_t> out(static_cast<std::size_t>(count));
        for (const auto& [day, value] : by_day) {
            const std::int64_t at = (day - first_day()).count() * count / day_count();
            if (at >= 0 && at < count) out[static_cast<std::size_t>(at)] += value;
        }
        return out;
    }

    void kommuner() {
        html_ += "<h2>Kommuner</h2>\n";
        if (figures_.kommuner.empty()) {
            html_ += "<p>None sent anything.</p>\n";
            return;
        }
        html_ +=
            "<table><caption>By the sender's kommune; the small plot shows its submissions from the period's first "
            "day to its last, as high as its own largest</caption>\n" +
            counts_head("Kommune", kColumns, "Submissions in time") + "<tbody>\n";
        for (const auto& [kommune, counts] : figures_.kommuner) {
            std::string plot = "<td></td>";
            const auto found = figures_.received_by.find(kommune);
            if (found != figures_.received_by.end()) {
                const auto values = course(found->second);
                plot = "<td>" + sparkline(values, *std::max_element(values.begin(), values.end())) + "</td>";
            }
            html_ += counts_row(kommune == "?" ? "not known" : kommune, counts, kColumns, plot);
        }
        html_ += "</tbody></table>\n";
        if (figures_.kommuner.contains("?"))
            html_ += "<p>Not known: messages that were received before the period and could not be read.</p>\n";
    }

    void marked() {
        html_ += "<h2>Persons without a pseudonym</h2>\n";
        const std::uint64_t none = figures_.all.e30 + figures_.all.e31;
        html_ += "<p>" + grouped(none) + " of " + grouped(figures_.all.persons) +
                 " persons in what was pseudonymised have no pseudonym; the receipt to their sender says so.</p>\n";
        if (none == 0) return;
        const std::array kinds = {PlotValue{"number missing (E30)", figures_.all.e30},
                                  PlotValue{"number wrong (E31)", figures_.all.e31}};
        html_ += bars({"marked", "Persons without a pseudonym, by cause", "Lying bars, each with its number."}, kinds);
    }

    void quarantines() {
        html_ += "<h2>Quarantine</h2>\n";
        if (figures_.causes.empty()) {
            html_ += "<p>No message was quarantined.</p>\n";
            return;
        }
        std::vector<PlotValue> values;
        for (const auto& [code, count] : figures_.causes) values.push_back({code.empty() ? "no code" : code, count});
        std::stable_sort(values.begin(), values.end(), [](const auto& a, const auto& b) { return a.value > b.value; });
        html_ +=
            "<p>By cause; docs/codes.md says what each code means and what is done about it. A message that was tried "
            "again is counted each time.</p>\n" +
            bars({"causes", "Messages quarantined, by cause", "Lying bars, each with its number."}, values);
    }

    void delays() {
        html_ += "<h2>From receipt to delivery</h2>\n";
        if (figures_.delays.empty()) {
            html_ += "<p>No message was both received and delivered in the period.</p>\n";
            return;
        }
        struct Step {
            const char* label;
            std::uint64_t most;
        };
        constexpr std::uint64_t kHour = 3600;
        constexpr std::array kSteps = {
            Step{"up to 1 second", 1},       Step{"up to 10 seconds", 10},      Step{"up to 1 minute", 60},
            Step{"up to 10 minutes", 600},   Step{"up to 1 hour", kHour},       Step{"up to 6 hours", 6 * kHour},
            Step{"up to 1 day", 24 * kHour}, Step{"up to 1 week", 168 * kHour}, Step{"more than 1 week", UINT64_MAX}};
        std::vector<PlotValue> values;
        values.reserve(kSteps.size());
        for (const Step& step : kSteps) values.push_back({step.label, 0});
        for (const std::uint64_t delay : figures_.delays) {
            const auto at = std::find_if(kSteps.begin(), kSteps.end(), [&](const Step& s) { return delay <= s.most; });
            ++values[static_cast<std::size_t>(at - kSteps.begin())].value;
        }
        html_ += "<p>Half of the messages were delivered within " + duration(figures_.delay_within(0.5)) +
                 ", 95 of 100 within " + duration(figures_.delay_within(0.95)) + ", all within " +
                 duration(figures_.delay_within(1)) + ".";
        if (figures_.received_before != 0)
            html_ += " " + grouped(figures_.received_before) +
                     " that were received before the period began are not among them.";
        html_ += "</p>\n" +
                 bars({"delays", "Messages by the time from receipt to delivery", "Lying bars, each with its number."},
                      values);
    }

    void operators() {
        html_ += "<h2>Operators</h2>\n";
        if (figures_.actions.empty()) {
            html_ += "<p>No operator did anything that the log records.</p>\n";
            return;
        }
        html_ += "<table><caption>What each did, and how often</caption>\n" + head({"Operator", "Action", "Times"}) +
                 "<tbody>\n";
        for (const auto& [who, actions] : figures_.actions) {
            for (const auto& [action, times] : actions)
                html_ += "<tr><th scope=\"row\">" + escaped(who) + "</th>" + cell(action) + cell(times) + "</tr>\n";
        }
        html_ += "</tbody></table>\n";
    }

    void acts() {
        html_ += "<h2>Starts, stops, keys, configuration and operators' actions</h2>\n";
        if (figures_.acts.empty()) {
            html_ += "<p>None.</p>\n";
            return;
        }
        html_ += "<table><caption>In the order of the log</caption>\n" +
                 head({"Entry", "Time (UTC)", "Who", "What", "Reason"}) + "<tbody>\n";
        for (const ReportedAct& act : figures_.acts)
            html_ += "<tr><th scope=\"row\" class=\"n\">" + grouped(act.seq) + "</th><td class=\"t\">" +
                     format_utc(act.time) + "</td>" + cell(act.actor) + cell(act.what) + cell(act.reason) + "</tr>\n";
        html_ += "</tbody></table>\n";
        if (figures_.acts_left_out != 0)
            html_ += "<p>" + grouped(figures_.acts_left_out) +
                     " more are in the log (routine ones, and what one person did very often): <code>tpfctl audit "
                     "show</code>. All "
                     "are counted in the table above.</p>\n";
    }

    const ReportFacts& facts_;
    ReportFigures& figures_;
    std::string html_;
};

}  // namespace

std::string report_page(const ReportFacts& facts, ReportFigures& figures) {
    return Page(facts, figures).make();
}

}  // namespace tpf::audit
