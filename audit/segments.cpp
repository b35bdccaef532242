#include "audit/segments.h"

#include <bit>
#include <nlohmann/json.hpp>

#include "base/encoding.h"

namespace tpf::audit {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kForm = "tpf-segment-1";
constexpr std::uint64_t kMostEntries = (std::uint64_t{1} << 53) - 1;

auto not_a_segment(const std::string& why) {
    return fail(Code::evidence, "it is no segment of a log: " + why);
}

std::string closing_fields(const Segment& closed) {
    return fields_text(closing_entry("tpfd", closed)).value();
}

/// A field's text; empty where there is none.
std::string field(const Json& fields, const char* name) {
    const auto found = fields.is_object() ? fields.find(name) : fields.end();
    return found != fields.end() && found->is_string() ? found->get<std::string>() : std::string();
}

OriginChange origin_change(const EntryParts& entry) {
    const Json fields = Json::parse(entry.fields, nullptr, false);
    return {entry.seq, entry.time, field(fields, "origin"), field(fields, "previous"), field(fields, "reason")};
}

Result<Segment> closed_by(std::uint64_t seq, const std::string& fields) {
    const Json json = Json::parse(fields, nullptr, false);
    const auto number = [&](const char* name) {
        const std::string digits = field(json, name);
        const bool good =
            !digits.empty() && digits.size() < 17 && digits.find_first_not_of("0123456789") == std::string::npos;
        return good ? std::stoull(digits) : 0;
    };
    const Segment closed{static_cast<int>(number("year")), number("first"), seq};
    if (fields != closing_fields(closed))
        return fail(Code::journal, "audit entry " + std::to_string(seq) + " closes no segment");
    return closed;
}

}  // namespace

Status prepare_segments(sqlite::Database& db) {
    return db.execute("CREATE INDEX IF NOT EXISTS audit_segments ON audit(seq) WHERE kind = 'segment-closed'");
}

int year_of(UtcTime time) {
    return static_cast<int>(std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(time)).year());
}

Result<std::vector<Segment>> closed_segments(sqlite::Database& db) {
    TPF_TRY(auto statement, db.prepare("SELECT seq, fields FROM audit WHERE kind='segment-closed' ORDER BY seq"));
    std::vector<Segment> closed;
    while (true) {
        TPF_TRY(const bool more, statement.step());
        if (!more) return closed;
        TPF_TRY(const Segment next, closed_by(static_cast<std::uint64_t>(statement.number(0)), statement.text(1)));
        if (next.first != (closed.empty() ? 0 : closed.back().last) + 1)
            return fail(Code::journal,
                        "audit entry " + std::to_string(next.last) + " closes another segment than its own");
        closed.push_back(next);
    }
}

Result<OpenSegment> open_segment(sqlite::Database& db) {
    TPF_TRY(
        auto statement,
        db.prepare("WITH begin(first) AS (SELECT coalesce(max(seq), 0) + 1 FROM audit WHERE kind='segment-closed') "
                   "SELECT first, (SELECT max(seq) FROM audit), (SELECT time FROM audit WHERE seq=first) FROM begin"));
    TPF_TRY(const bool row, statement.step());
    if (!row) return fail(Code::internal, "a query without a row");
    OpenSegment open{
        {0, static_cast<std::uint64_t>(statement.number(0)), static_cast<std::uint64_t>(statement.number(1))}};
    if (open.segment.last < open.segment.first) return open;
    open.began = UtcTime(std::chrono::seconds(statement.number(2)));
    open.segment.year = year_of(open.began);
    return open;
}

AuditEntry closing_entry(const std::string& actor, const Segment& open) {
    AuditEntry entry(AuditKind::segment_closed, actor);
    return entry.with("year", static_cast<std::uint64_t>(open.year)).with("first", open.first);
}

Result<SegmentHeader> SegmentHeader::parse(std::string_view text) {
    const Json json = Json::parse(text, nullptr, false);
    SegmentHeader header;
    try {
        for (const char* name : {"year", "first", "last"}) {
            if (!json.at(name).is_number_unsigned() || json.at(name).get<std::uint64_t>() > kMostEntries)
                return not_a_segment("its numbers");
        }
        if (json.at("year").get<std::uint64_t>() > 9999) return not_a_segment("its year");
        header.origin = json.at("origin").get<std::string>();
        header.segment = {json.at("year").get<int>(), json.at("first").get<std::uint64_t>(),
                          json.at("last").get<std::uint64_t>()};
        for (const Json& one : json.at("before")) {
            TPF_TRY(const Bytes hash, from_base64(one.get<std::string>()));
            if (hash.size() != std::tuple_size_v<Digest>) return not_a_segment("a hash of another size");
            std::copy(hash.begin(), hash.end(), header.before.peaks.emplace_back().begin());
        }
    } catch (const Json::exception&) {
        return not_a_segment("segment.json has another form");
    }
    const auto& [year, first, last] = header.segment;
    if (first == 0 || first > last || last > kMostEntries) return not_a_segment("its numbers");
    header.before.size = first - 1;
    if (header.before.peaks.size() != static_cast<std::size_t>(std::popcount(first - 1)))
        return not_a_segment("the tree before it has another number of hashes");
    if (header.str() != text) return not_a_segment("segment.json has another form");
    return header;
}

std::string SegmentHeader::str() const {
    Json json{
        {"form", kForm}, {"origin", origin}, {"year", segment.year}, {"first", segment.first}, {"last", segment.last}};
    json["before"] = Json::array();
    for (const Digest& peak : before.peaks) json["before"].push_back(base64(peak));
    return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Status SegmentWalk::take(std::string_view canonical) {
    auto entry = parse_entry(canonical);
    const std::uint64_t next = range_.size + 1;
    if (!entry) return fail(Code::evidence, "entry " + std::to_string(next) + " is not in its form");
    if (entry.value().seq != next || next > header_.segment.last)
        return fail(Code::evidence, "entry " + std::to_string(entry.value().seq) + " stands where " +
                                        (next > header_.segment.last ? "the end" : "entry " + std::to_string(next)) +
                                        " should");
    if (next == header_.segment.first && year_of(entry.value().time) != header_.segment.year)
        return fail(Code::evidence, "its first entry is of another year");
    newest_ = std::move(entry).value();
    if (newest_.kind == to_string(AuditKind::log_origin)) origins_.push_back(origin_change(newest_));
    append(range_, leaf_hash(canonical));
    return ok();
}

Result<TreeHead> SegmentWalk::end() const {
    if (range_.size != header_.segment.last)
        return fail(Code::evidence, "entries " + std::to_string(range_.size + 1) + " to " +
                                        std::to_string(header_.segment.last) + " are missing");
    if (newest_.kind != to_string(AuditKind::segment_closed) || newest_.fields != closing_fields(header_.segment))
        return fail(Code::evidence, "its last entry does not close it");
    if (!origins_.empty() && origins_.back().origin != header_.origin)
        return fail(Code::evidence, "entry " + std::to_string(origins_.back().seq) + " gives the log another origin");
    return head_of(range_);
}

}  // namespace tpf::audit
