// The audit log's closed years, and what an archive of one is made of.

#include <algorithm>

#include "audit/event_log.h"
#include "audit/segments.h"
#include "audit/witness.h"
#include "daemon/audit_keys.h"
#include "daemon/commands.h"

namespace tpf::daemon {
namespace {

constexpr std::uint64_t kPage = 2000;

Json segment_json(const audit::Segment& segment) {
    return {{"year", segment.year}, {"first", segment.first}, {"last", segment.last}};
}

Result<audit::Segment> segment_that_ends(sqlite::Database& db, std::uint64_t last) {
    TPF_TRY(const auto closed, audit::closed_segments(db));
    for (const audit::Segment& segment : closed) {
        if (segment.last == last) return segment;
    }
    return fail(Code::usage, "no closed segment ends with that entry", "`tpfctl audit segments` lists them");
}

/// The head after the segment, signed now: the tree does not change any more.
Result<std::string> signed_head(const crypto::KeyRing& ring, const std::string& origin, const TreeHead& head) {
    const auto signer = RingSigner(ring).signer();
    if (!signer) return fail(Code::no_key, "there is no active signing key");
    audit::SignedNote note;
    TPF_TRY(note.text, audit::Checkpoint{origin, head}.str());
    TPF_TRY(auto line, audit::sign_note(note.text, origin, *signer));
    note.signatures.push_back(std::move(line));
    return note.str();
}

/// What others cosigned since, each with the proof that it begins with the segment.
Result<Json> cosigned_after(sqlite::Database& db, const std::string& origin, std::uint64_t last) {
    audit::EventLog log;
    TPF_TRY(const auto notes, audit::witnessed_from(db, log, origin, last));
    audit::StoredNodes nodes(db);
    Json list = Json::array();
    for (const audit::KeptNote& note : notes) {
        TPF_TRY(auto proof, audit::consistency_proof(nodes, last, note.head.size));
        list.push_back({{"witness", note.witness}, {"offer", audit::offer_text({note.note, last, std::move(proof)})}});
    }
    return list;
}

}  // namespace

Result<Json> Commands::audit_segments(const Call&) {
    Json json{{"segments", Json::array()}};
    TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(const auto closed, audit::closed_segments(db));
        for (const audit::Segment& segment : closed) json["segments"].push_back(segment_json(segment));
        TPF_TRY(const auto open, audit::open_segment(db));
        json["open"] = segment_json(open.segment);
        return ok();
    }));
    return json;
}

/// What stands beside the entries of a closed segment: hashes and signatures, so no reading of the log.
Result<Json> Commands::audit_segment(const Call& call) {
    TPF_TRY(const std::uint64_t last, number_arg(call.args, "last", 0));
    Json json = Json::object();
    TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
        audit::SegmentHeader header;
        TPF_TRY(header.segment, segment_that_ends(db, last));
        TPF_TRY(const auto origin, audit::log_origin(db, last));
        if (!origin) return fail(Code::no_key, "the log had no origin when that segment closed");
        header.origin = *origin;
        audit::StoredNodes nodes(db);
        TPF_TRY(header.before, audit::range_at(nodes, header.segment.first - 1));
        TPF_TRY(const TreeHead head, audit::EventLog().head(db, last));
        TPF_TRY(json["checkpoint"], signed_head(core_.keys, header.origin, head));
        TPF_TRY(json["cosigned"], cosigned_after(db, header.origin, last));
        json["header"] = header.str();
        return ok();
    }));
    return json;
}

/// A closed segment's entries: the first request begins the reading, the next ones get them.
Result<Json> Commands::audit_archive(const Call& call) {
    TPF_TRY(const std::string going_on, text_arg(call.args, "reading", false));
    if (!going_on.empty()) {
        TPF_TRY(const Reading what, readings_.find(going_on, call.who.name, "audit archive", core_.clock.utc()));
        TPF_TRY(std::uint64_t after, number_arg(call.args, "after", 0));
        // What was logged is the reading of this segment.
        after = std::clamp(after, what.args.value("first", std::uint64_t{1}) - 1, what.through);
        Json entries = Json::array();
        TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(const auto events,
                    audit::EventLog::list(db, {.after = after, .through = what.through, .limit = kPage}));
            for (const auto& event : events) {
                TPF_TRY(std::string canonical, audit::canonical_entry(event));
                entries.push_back(std::move(canonical));
            }
            return ok();
        }));
        return Json{{"entries", std::move(entries)}};
    }
    TPF_TRY(const std::string reason, reason_arg(call.args));
    TPF_TRY(const std::uint64_t last, number_arg(call.args, "last", 0));
    audit::Segment segment;
    TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(segment, segment_that_ends(db, last));
        return ok();
    }));
    AuditEntry entry(AuditKind::operator_action, call.who.name);
    entry.with("command", "audit archive").with("reason", reason);
    entry.with("year", static_cast<std::uint64_t>(segment.year)).with("first", segment.first).with("last", last);
    TPF_TRY(core_.journal.record(entry));
    return Json{
        {"reading",
         readings_.begin({call.who.name, "audit archive", {{"first", segment.first}}, last, {}, core_.clock.utc()})}};
}

}  // namespace tpf::daemon
