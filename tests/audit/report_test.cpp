#include <doctest/doctest.h>

#include <algorithm>

#include "audit/report_page.h"
#include "audit/svg_plot.h"

namespace tpf::audit {
namespace {

UtcTime at(const char* time) {
    return parse_utc(time).value();
}
std::chrono::sys_days day(const char* date) {
    return parse_date(date).value();
}

constexpr const char* kOslo = "0301-00-974761076";
constexpr const char* kBergen = "4601-00-964338531";

/// Two messages of Oslo's, one of Bergen's, one of before the period, and what people did.
struct Log {
    ReportFigures figures;
    std::uint64_t seq = 40;

    Log() {
        add("2027-01-04T08:00:00Z", "start", "tpfd", "", {{"version", "0.1.0"}});
        add("2027-01-04T08:00:10Z", "received", "tpfd", "a", {{"sender", kOslo}});
        add("2027-01-04T08:00:12Z", "pseudonymised", "tpfd", "a",
            {{"name", std::string(kOslo) + "-x"},
             {"register", "IPLOS"},
             {"persons", "1200"},
             {"marked_e30", "3"},
             {"marked_e31", "4"}});
        add("2027-01-04T08:00:40Z", "delivered", "tpfd", "a", {{"register", "IPLOS"}});
        add("2027-01-05T09:00:00Z", "received", "tpfd", "b", {{"sender", kBergen}});
        add("2027-01-05T09:00:01Z", "quarantined", "tpfd", "b", {{"code", "ANTALL"}});
        add("2027-01-05T10:00:00Z", "retried", "kari", "b", {{"reason", "<b>mended</b> & sent"}});
        add("2027-01-05T10:00:01Z", "quarantined", "tpfd", "b", {{"code", "ANTALL"}});
        add("2027-01-05T11:00:00Z", "delivered", "tpfd", "old",
            {{"name", std::string(kOslo) + "-y"}, {"register", "KPR"}});
        add("2027-01-06T07:00:00Z", "received", "tpfd", "c", {{"sender", kOslo}});
        add("2027-01-06T07:00:01Z", "duplicate", "tpfd", "c", {});
        add("2027-01-06T08:00:00Z", "operator", "ola", "", {{"command", "audit person"}, {"step", "requested"}});
        add("2027-01-06T08:00:01Z", "key", "kari", "",
            {{"action", "activate"}, {"key", "TPF-2027"}, {"refused", "BRUK"}});
        add("2027-01-06T08:30:00Z", "quarantined", "tpfd", "unheard of", {{"code", "XML"}});
    }
    void add(const char* time, const char* kind, const char* actor, const char* message,
             std::map<std::string, std::string> fields) {
        figures.take({seq++, at(time), kind, actor, message, std::move(fields)});
    }
    std::string page(bool good = true, bool production = true) {
        ReportFacts facts{"TPF Oslo",
                          production,
                          at("2027-01-04T00:00:00Z"),
                          at("2027-01-07T00:00:00Z"),
                          at("2027-02-01T10:00:00Z"),
                          "the yearly review",
                          {}};
        facts.verdict = {
            good,    {}, "x/tpf/1", 53, "cm9vdA==", "x/tpf/1\n53\ncm9vdA==\n", {{"IPLOS", "50"}, {"<b>riks</b>", "7"}},
            "1 kept"};
        if (!good) facts.verdict.faults = {"entry 44 is not the one that was written"};
        return report_page(facts, figures);
    }
};

std::size_t count(const std::string& text, const std::string& what) {
    std::size_t found = 0;
    for (std::size_t from = 0; (from = text.find(what, from)) != std::string::npos; from += what.size()) ++found;
    return found;
}

}  // namespace

TEST_SUITE("audit/report") {
    TEST_CASE("what the entries say, in figures") {
        Log log;
        ReportFigures& f = log.figures;
        CHECK(f.entries == 14);
        CHECK(f.first_seq == 40);
        CHECK(f.last_seq == 53);
        CHECK(f.all == MessageCounts{3, 2, 3, 1, 0, 1200, 3, 4});
        REQUIRE(f.days.size() == 3);
        CHECK(f.days[day("2027-01-04")] == MessageCounts{1, 1, 0, 0, 0, 1200, 3, 4});
        CHECK(f.days[day("2027-01-05")] == MessageCounts{1, 1, 2, 0, 0, 0, 0, 0});
        REQUIRE(f.kommuner.size() == 3);
        CHECK(f.kommuner["0301"] == MessageCounts{2, 2, 0, 1, 0, 1200, 3, 4});
        CHECK(f.kommuner["4601"] == MessageCounts{1, 0, 2, 0, 0, 0, 0, 0});
        CHECK(f.kommuner["?"].quarantined == 1);
        CHECK(f.received_by["0301"].size() == 2);
        CHECK(f.registers["IPLOS"].delivered == 1);
        CHECK(f.registers["KPR"].delivered == 1);
        CHECK(f.causes == std::map<std::string, std::uint64_t>{{"ANTALL", 2}, {"XML", 1}});
        CHECK(f.delays == std::vector<std::uint64_t>{30});
        CHECK(f.received_before == 1);
        CHECK(f.actions["kari"] ==
              std::map<std::string, std::uint64_t>{{"queue retry", 1}, {"key activate refused (BRUK)", 1}});
        CHECK(f.actions["ola"] == std::map<std::string, std::uint64_t>{{"audit person requested", 1}});
        CHECK_FALSE(f.actions.contains("tpfd"));
        REQUIRE(f.acts.size() == 4);
        CHECK(f.acts[0].what == "start");
        CHECK(f.acts[3].what == "key activate refused (BRUK) TPF-2027");
    }

    TEST_CASE("a message that was done again is one message") {
        Log log;
        const MessageCounts before = log.figures.all;
        log.add("2027-01-06T12:00:00Z", "pseudonymised", "tpfd", "a", {{"persons", "1200"}, {"marked_e30", "3"}});
        CHECK(log.figures.all == before);
    }

    TEST_CASE("delays: the share that was delivered within") {
        ReportFigures figures;
        CHECK(figures.delay_within(0.5) == 0);
        for (std::uint64_t i = 0; i < 101; ++i) figures.delays.push_back((i * 37) % 101);
        CHECK(figures.delay_within(0.5) == 50);
        CHECK(figures.delay_within(0.95) == 95);
        CHECK(figures.delay_within(1) == 100);
    }

    TEST_CASE("more acts than a page holds are counted, and the operators' table has them all") {
        Log log;
        for (std::size_t i = 0; i < 3 * ReportFigures::kActsOfAKind; ++i)
            log.add("2027-01-06T09:00:00Z", "operator", "eva", "", {{"command", "audit show"}, {"reason", "x"}});
        log.add("2027-01-06T09:00:00Z", "operator", "eva", "", {{"command", "audit verify"}, {"reason", "routine"}});
        // One person's many do not hide what comes later.
        log.add("2027-01-06T10:00:00Z", "key", "kari", "",
                {{"action", "destroy"}, {"key", "TPF-2025"}, {"reason", "y"}});
        CHECK(log.figures.acts.size() == 4 + ReportFigures::kActsOfAKind + 1);
        CHECK(log.figures.acts.back().what == "key destroy TPF-2025");
        CHECK(log.figures.acts_left_out == 2 * ReportFigures::kActsOfAKind + 1);
        CHECK(log.figures.actions["eva"]["audit show"] == 3 * ReportFigures::kActsOfAKind);
        CHECK(log.page().find("401 more are in the log") != std::string::npos);
        // Nor do many of all kinds make the page endless.
        for (std::size_t i = 0; i < ReportFigures::kActsMost; ++i)
            log.add("2027-01-06T11:00:00Z", "operator", ("op" + std::to_string(i)).c_str(), "", {{"command", "c"}});
        CHECK(log.figures.acts.size() == ReportFigures::kActsMost);
    }

    TEST_CASE("the page says what was found, and nothing on it can be taken for markup") {
        Log log;
        const std::string page = log.page();
        CHECK(page.find("<strong>Yes.</strong>") != std::string::npos);
        CHECK(page.find("Audit report, 2027-01-04 to 2027-01-06") != std::string::npos);
        CHECK(page.find("&lt;b&gt;mended&lt;/b&gt; &amp; sent") != std::string::npos);
        CHECK(page.find("<b>") == std::string::npos);
        CHECK(page.find("TEST INSTALLATION") == std::string::npos);
        CHECK(page.find("1\u00a0200") != std::string::npos);
        CHECK(count(page, "<svg role=\"img\"") == count(page, "<desc id="));
        CHECK(count(page, "<svg class=\"spark\" aria-hidden=\"true\"") == 2);  // "?" received nothing
        CHECK(count(page, "<table>") == count(page, "<caption>"));
        for (const char* never : {"<script", "http:", "https:", "url(", "<img", "<link"})
            CHECK(page.find(never) == std::string::npos);
        CHECK(log.page(true, false).find("TEST INSTALLATION") != std::string::npos);
    }

    TEST_CASE("a log that is not the one that was written is said first, with what is wrong") {
        Log log;
        const std::string page = log.page(false);
        CHECK(page.find("<strong>Yes.") == std::string::npos);
        const auto fault = page.find("entry 44 is not the one");
        CHECK(fault != std::string::npos);
        CHECK(fault < page.find("The period in figures"));
    }

    TEST_CASE("an empty period has a page too") {
        ReportFigures figures;
        ReportFacts facts{"x", true, at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"),
                          "r", {}};
        const std::string page = report_page(facts, figures);
        CHECK(page.find("No message was quarantined") != std::string::npos);
        CHECK(page.find("None sent anything") != std::string::npos);
    }

    TEST_CASE("a plot: as high as its values, none that happened is left out") {
        const std::vector<PlotValue> values = {{"a", 0}, {"b", 100}, {"c", 50}, {"d<", 1}};
        const std::string upright = columns({"x", "t", "d"}, values);
        CHECK(count(upright, "<rect") == 3);
        CHECK(upright.find("height=\"160.0\"") != std::string::npos);
        CHECK(upright.find("height=\"80.0\"") != std::string::npos);
        const std::string lying = bars({"x", "t", "d"}, values);
        CHECK(count(lying, "<rect") == 3);
        CHECK(lying.find("d&lt;") != std::string::npos);
        const std::vector<std::uint64_t> some = {0, 4, 2};
        CHECK(count(sparkline(some, 4), "M") == 2);
        CHECK(columns({"x", "t", "d"}, {}).find("</svg>") != std::string::npos);
        const std::vector<PlotValue> huge = {{"a", UINT64_MAX}};
        CHECK(columns({"x", "t", "d"}, huge).find("<rect") != std::string::npos);
    }

    TEST_CASE("numbers in groups of three") {
        CHECK(grouped(0) == "0");
        CHECK(grouped(999) == "999");
        CHECK(grouped(1000) == "1\u00a0000");
        CHECK(grouped(1234567) == "1\u00a0234\u00a0567");
    }
}

}  // namespace tpf::audit
