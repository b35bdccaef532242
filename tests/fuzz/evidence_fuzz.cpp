// Any bytes as what the audit log hands out and takes in: an entry, a signed note, a checkpoint, a request to a
// witness, an archive's header, a key. Judge: what is taken is written again to the same bytes (each has one form); a
// JSON one is read by nlohmann to the same values; a note's lines are split by hand.

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "audit/entry_form.h"
#include "audit/segments.h"
#include "audit/witness.h"
#include "tests/fuzz/fuzz_support.h"

namespace {

using namespace tpf;
using fuzz::require;

void judge_entry(std::string_view text) {
    const auto entry = audit::parse_entry(text);
    if (!entry) return;
    const auto again = audit::canonical_entry(entry.value());
    require(again && again.value() == text, "an entry has one form");
    const auto json = nlohmann::ordered_json::parse(text.begin(), text.end(), nullptr, false);
    require(json.is_object() && json["seq"] == entry.value().seq && json["kind"] == entry.value().kind &&
                json["actor"] == entry.value().actor && json["v"] == 1 &&
                json["time"] == format_utc(entry.value().time),
            "an entry's values");
    require(json.contains("message") == entry.value().message.has_value(), "its message");
    require(json["fields"].dump() == nlohmann::ordered_json::parse(entry.value().fields).dump(), "its fields");
    for (const auto& [name, value] : json["fields"].items())
        require(!name.empty() && value.is_string(), "fields are texts");
}

void judge_note(std::string_view text) {
    const auto note = audit::SignedNote::parse(text);
    if (!note) return;
    const auto again = note.value().str();
    require(again && again.value() == text, "a note has one form");
    const auto end = text.rfind("\n\n");
    require(end != std::string_view::npos && note.value().text == text.substr(0, end + 1), "a note's text");
    const auto lines = text.substr(end + 2);
    require(static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n')) == note.value().signatures.size(),
            "a note's lines");
    for (const auto& signature : note.value().signatures)
        require(!signature.name.empty() && !signature.bytes.empty(), "a signature");
}

void judge_checkpoint(std::string_view text) {
    const auto checkpoint = audit::Checkpoint::parse(text);
    if (!checkpoint) return;
    const auto again = checkpoint.value().str();
    require(again && again.value() == text, "a checkpoint has one form");
    require(text.starts_with(checkpoint.value().origin + "\n" + std::to_string(checkpoint.value().head.size) + "\n"),
            "a checkpoint's lines");
}

void judge_offer(std::string_view text) {
    const auto offer = audit::parse_offer(text);
    if (!offer) return;
    require(audit::offer_text(offer.value()) == text, "a request has one form");
    require(offer.value().proof.size() <= audit::kMostProof, "a proof's length");
    require(
        text.starts_with("old " + std::to_string(offer.value().old_size) + "\n") && text.ends_with(offer.value().note),
        "a request's parts");
}

void judge_segment(std::string_view text) {
    const auto header = audit::SegmentHeader::parse(text);
    if (!header) return;
    require(header.value().str() == text, "a header has one form");
    const auto json = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
    const auto& [year, first, last] = header.value().segment;
    require(json.is_object() && json["year"] == year && json["first"] == first && json["last"] == last,
            "a header's numbers");
    require(first >= 1 && first <= last && json["before"].size() == header.value().before.peaks.size(),
            "a header's tree");
}

void judge_key(std::string_view text) {
    const auto key = audit::NoteKey::parse(text);
    if (key) require(key.value().str() == text, "a key has one form");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    judge_entry(text);
    judge_note(text);
    judge_checkpoint(text);
    judge_offer(text);
    judge_segment(text);
    judge_key(text);
    return 0;
}
