#include "queue/kvittering.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace tpf::queue {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kPiece = 64 * 1024;

bool is_refused(const MessageRow& row) {
    if (row.state == State::discarded) return true;
    return row.state == State::quarantined && row.code && info(*row.code).final_;
}

/// The row of the catalogue that the sender is told of, or nullptr.
const CodeInfo* trouble(const MessageRow& row) {
    if (row.state == State::discarded) return &info(Code::discarded);
    if ((row.state != State::quarantined && row.state != State::held) || !row.code) return nullptr;
    const CodeInfo& found = info(*row.code);
    return found.sender.empty() ? nullptr : &found;
}

/// `{"a":1}` → `,"a":1`: members that go on in an object that was begun.
std::string members(const Json& json) {
    std::string text = json.dump();
    if (json.empty()) return {};
    text.front() = ',';
    text.pop_back();
    return text;
}

Json first_members(const MessageRow& row, const MessageRow& outcome) {
    Json json = Json::object();
    if (outcome.name) json["meldingsId"] = outcome.name->meldings_id.view();
    if (outcome.name || row.sender) json["avsender"] = outcome.name ? outcome.name->avsender.str() : row.sender->str();
    const bool delivered = outcome.state == State::delivered;
    json["status"] = delivered ? "levert" : is_refused(outcome) ? "avvist" : "under behandling";
    json["mottatt"] = format_utc(row.received);
    if (delivered && outcome.delivered) json["levert"] = format_utc(*outcome.delivered);
    if (outcome.persons) json["antallPersoner"] = *outcome.persons;
    return json;
}

Json last_members(const MessageRow& outcome) {
    Json json = Json::object();
    if (outcome.state == State::delivered && outcome.register_kvittering) {
        json["registerKvittering"] = *outcome.register_kvittering;
    }
    if (const CodeInfo* found = trouble(outcome)) {
        json["feil"] = Json{{"kode", found->name}, {"melding", found->sender}};
    }
    return json;
}

Status write_marks(const PersonMarks& marks, const TextSink& sink) {
    if (marks.empty()) return ok();
    std::string piece = ",\"utenPseudonym\":";
    char before = '[';
    for (auto one = marks.next(0); one; one = marks.next(one->person)) {
        piece += std::exchange(before, ',');
        piece.append("{\"person\":").append(std::to_string(one->person));
        piece.append(",\"kode\":\"").append(to_string(one->kode)).append("\"}");
        if (piece.size() < kPiece) continue;
        TPF_TRY(sink(piece));
        piece.clear();
    }
    return sink(piece + "]");
}

}  // namespace

Status write_kvittering(const MessageRow& row, const MessageRow* original, const PersonMarks& marks,
                        const TextSink& sink) {
    const MessageRow& outcome = original == nullptr ? row : *original;
    std::string head = members(first_members(row, outcome));
    head.front() = '{';
    TPF_TRY(sink(head));
    TPF_TRY(write_marks(marks, sink));
    return sink(members(last_members(outcome)) + "}\n");
}

std::string kvittering_json(const MessageRow& row, const MessageRow* original, const PersonMarks& marks) {
    std::string text;
    const Status written = write_kvittering(row, original, marks, [&text](std::string_view piece) {
        text.append(piece);
        return ok();
    });
    static_cast<void>(written.has_value());  // this sink takes everything
    return text;
}

}  // namespace tpf::queue
