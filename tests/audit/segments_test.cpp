#include "audit/segments.h"

#include <doctest/doctest.h>

#include "audit/event_log.h"
#include "tests/support/temp_folder.h"

namespace tpf::audit {
namespace {

UtcTime at(const char* time) {
    return parse_utc(time).value();
}

struct SegmentFixture {
    tpf::test::TempFolder folder{"/dev/shm"};
    sqlite::Database db = sqlite::Database::open(folder.path() / "log.db").value();
    EventLog log;

    SegmentFixture() { REQUIRE(log.prepare(db).has_value()); }
    void add(const char* time, const AuditEntry& entry = AuditEntry(AuditKind::start, "tpfd")) {
        REQUIRE(log.append(db, entry, at(time)).has_value());
    }
    void close(const char* time) {
        const Segment open = open_segment(db).value().segment;
        add(time, closing_entry("tpfd", open));
    }
    /// Two years closed, one under way.
    void years() {
        for (int i = 0; i < 3; ++i) add("2026-11-01T00:00:00Z");
        close("2027-01-01T00:00:00Z");
        for (int i = 0; i < 4; ++i) add("2027-06-01T00:00:00Z");
        close("2028-01-01T00:00:10Z");
        add("2028-01-01T00:00:11Z");
    }
    std::vector<std::string> entries(const Segment& of) {
        std::vector<std::string> all;
        const auto listed = EventLog::list(db, {.after = of.first - 1, .through = of.last});
        for (const auto& event : listed.value()) all.push_back(canonical_entry(event).value());
        return all;
    }
    SegmentHeader header(const Segment& of) {
        StoredNodes nodes(db);
        return {"unit/tpf/1", of, range_at(nodes, of.first - 1).value()};
    }
    static Result<TreeHead> walked(const SegmentHeader& header, const std::vector<std::string>& entries) {
        SegmentWalk walk(header);
        for (const std::string& entry : entries) {
            TPF_TRY(walk.take(entry));
        }
        return walk.end();
    }
};

}  // namespace

TEST_SUITE("audit/segments") {
    TEST_CASE_FIXTURE(SegmentFixture, "each ends with the entry that closes it, the next begins behind") {
        CHECK(open_segment(db).value().segment == Segment{0, 1, 0});
        years();
        CHECK(closed_segments(db).value() == std::vector<Segment>{{2026, 1, 4}, {2027, 5, 9}});
        CHECK(open_segment(db).value().segment == Segment{2028, 10, 10});
        close("2029-01-01T00:00:00Z");
        CHECK(open_segment(db).value().segment == Segment{0, 12, 11});
    }

    TEST_CASE_FIXTURE(SegmentFixture, "recomputed from its own entries and the tree before it") {
        years();
        const auto closed = closed_segments(db).value();
        for (const Segment& segment : closed) {
            const auto head = walked(header(segment), entries(segment));
            REQUIRE(head);
            CHECK(head.value() == log.head(db, segment.last).value());
        }
    }

    TEST_CASE_FIXTURE(SegmentFixture, "whatever is missing, too much, elsewhere or of another year is found") {
        years();
        const Segment segment{2027, 5, 9};
        const auto whole = entries(segment);
        const auto fails = [&](const SegmentHeader& of, const std::vector<std::string>& with) {
            const auto head = walked(of, with);
            return !head && head.error().code() == Code::evidence;
        };
        auto some = whole;
        some.pop_back();
        CHECK(fails(header(segment), some));
        some = whole;
        some.erase(some.begin() + 1);
        CHECK(fails(header(segment), some));
        some = whole;
        std::swap(some[0], some[1]);
        CHECK(fails(header(segment), some));
        some = whole;
        some.push_back(entries({2028, 10, 10}).front());
        CHECK(fails(header(segment), some));
        some = whole;
        some[2] += " ";
        CHECK(fails(header(segment), some));
        CHECK(fails(header({2026, 5, 9}), whole));
        CHECK(fails(header({2027, 5, 8}), {whole.begin(), whole.end() - 1}));  // nothing closes it
        // A changed entry is in its form, and leads to another root.
        some = whole;
        const auto place = some[1].find("tpfd");
        some[1].replace(place, 4, "tpfx");
        CHECK(walked(header(segment), some).value() != log.head(db, 9).value());
    }

    TEST_CASE_FIXTURE(SegmentFixture,
                      "each name that the log was given is told, and the last one must be the header's") {
        add("2026-11-01T00:00:00Z", AuditEntry(AuditKind::log_origin, "tpfd").with("origin", "unit/tpf/0"));
        AuditEntry next(AuditKind::log_origin, "tpfd");
        next.with("origin", "unit/tpf/1").with("previous", "unit/tpf/0").with("reason", "restored");
        add("2026-12-01T00:00:00Z", next);
        close("2027-01-01T00:00:00Z");
        const Segment segment = closed_segments(db).value().front();
        SegmentWalk walk(header(segment));
        for (const std::string& entry : entries(segment)) REQUIRE(walk.take(entry));
        REQUIRE(walk.end());
        REQUIRE(walk.origins().size() == 2);
        CHECK(walk.origins()[0].previous.empty());
        CHECK(walk.origins()[1].seq == 2);
        CHECK(walk.origins()[1].at == at("2026-12-01T00:00:00Z"));
        CHECK(walk.origins()[1].origin == "unit/tpf/1");
        CHECK(walk.origins()[1].previous == "unit/tpf/0");
        CHECK(walk.origins()[1].reason == "restored");
        SegmentHeader other = header(segment);
        other.origin = "unit/tpf/0";
        CHECK(walked(other, entries(segment)).error().code() == Code::evidence);
    }

    TEST_CASE_FIXTURE(SegmentFixture, "what an archive says of itself has one form") {
        years();
        const SegmentHeader one = header({2027, 5, 9});
        const std::string text = one.str();
        CHECK(text.starts_with(
            R"({"form":"tpf-segment-1","origin":"unit/tpf/1","year":2027,"first":5,"last":9,"before":[")"));
        const auto back = SegmentHeader::parse(text);
        REQUIRE(back);
        CHECK(back.value().segment == one.segment);
        CHECK(back.value().before == one.before);
        CHECK(back.value().origin == one.origin);
        for (const std::string& bad :
             {std::string(), text + " ", text.substr(1), std::string("[]\n"), text.substr(0, text.size() - 1)})
            CHECK(SegmentHeader::parse(bad).error().code() == Code::evidence);
        const auto with = [&](const char* what, const char* other) {
            std::string changed = text;
            changed.replace(changed.find(what), std::string_view(what).size(), other);
            return SegmentHeader::parse(changed).error().code();
        };
        CHECK(with("\"first\":5", "\"first\":6") == Code::evidence);  // two hashes, not one
        CHECK(with("\"first\":5", "\"first\":0") == Code::evidence);
        CHECK(with("\"last\":9", "\"last\":4") == Code::evidence);
        CHECK(with("\"last\":9", "\"last\":\"9\"") == Code::evidence);
        CHECK(with("tpf-segment-1", "tpf-segment-2") == Code::evidence);
        for (const char* year : {"1e300", "-2027", "99999", "2027.5"})
            CHECK(with("\"year\":2027", (std::string("\"year\":") + year).c_str()) == Code::evidence);
    }

    TEST_CASE_FIXTURE(SegmentFixture, "an entry of that kind that closes something else is damage") {
        add("2026-11-01T00:00:00Z");
        add("2027-01-01T00:00:00Z", closing_entry("tpfd", {2026, 2, 0}));
        CHECK(closed_segments(db).error().code() == Code::journal);
    }
}

}  // namespace tpf::audit
