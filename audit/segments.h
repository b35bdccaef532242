#pragma once
// The log in years. A segment ends with its entry of kind `segment-closed`, written when its year is over; the next one
// begins behind it. Closing removes nothing: an archive of a segment is a copy that is verified by itself
// (docs/audit-log.md, "Segments"). Values and pure functions, thread-safe; those with a database are called by one
// thread at a time.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/entry_form.h"
#include "audit/merkle.h"
#include "base/sqlite.h"

namespace tpf::audit {

struct Segment {
    int year = 0;  ///< UTC, of its first entry
    std::uint64_t first = 0;
    std::uint64_t last = 0;  ///< its closing entry
    friend bool operator==(const Segment&, const Segment&) = default;
};

/// Makes the index that the next two use.
[[nodiscard]] Status prepare_segments(sqlite::Database& db);
/// Oldest first. Code::journal: a closing entry that does not follow from the one before.
[[nodiscard]] Result<std::vector<Segment>> closed_segments(sqlite::Database& db);
struct OpenSegment {
    Segment segment;  ///< last: the newest entry; year 0 where nothing was written since the last one closed
    UtcTime began{};  ///< its first entry
};
/// The one that is not closed.
[[nodiscard]] Result<OpenSegment> open_segment(sqlite::Database& db);
/// The entry that closes it.
[[nodiscard]] AuditEntry closing_entry(const std::string& actor, const Segment& open);

[[nodiscard]] int year_of(UtcTime time);

/// What an archive says of itself; as text one line of JSON (docs/audit-log.md).
struct SegmentHeader {
    std::string origin;  ///< of the log when the segment closed
    Segment segment;
    CompactRange before;  ///< of the entries before it
    /// Code::evidence: not the form that str() writes.
    [[nodiscard]] static Result<SegmentHeader> parse(std::string_view text);
    [[nodiscard]] std::string str() const;
};

/// An entry that gave the log its name, or another one.
struct OriginChange {
    std::uint64_t seq = 0;
    UtcTime at{};
    std::string origin;
    std::string previous;  ///< none: the log's first name
    std::string reason;    ///< may be empty
};

/// Recomputes a segment from its entries. Not thread-safe.
class SegmentWalk {
  public:
    explicit SegmentWalk(SegmentHeader header) : header_(std::move(header)), range_(header_.before) {}
    /// The next entry's bytes. Code::evidence: not an entry, or not the next number.
    [[nodiscard]] Status take(std::string_view canonical);
    /// The head of the log's tree up to the segment's end. Code::evidence: entries are missing, the last one does not
    /// close this segment, or an entry gives the log another origin than the header.
    [[nodiscard]] Result<TreeHead> end() const;
    /// Those met so far, oldest first.
    [[nodiscard]] const std::vector<OriginChange>& origins() const noexcept { return origins_; }

  private:
    SegmentHeader header_;
    CompactRange range_;
    EntryParts newest_{};
    std::vector<OriginChange> origins_;
};

}  // namespace tpf::audit
