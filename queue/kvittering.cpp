#include "queue/kvittering.h"

#include <nlohmann/json.hpp>

namespace tpf::queue {
namespace {

using Json = nlohmann::ordered_json;

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

Json marked_persons(const MessageRow& row) {
    Json list = Json::array();
    for (const MarkedPerson& one : row.marked) list.push_back({{"person", one.person}, {"kode", one.kode}});
    return list;
}

}  // namespace

std::string kvittering_json(const MessageRow& row, const MessageRow* original) {
    const MessageRow& outcome = original == nullptr ? row : *original;
    Json json = Json::object();
    if (outcome.name) json["meldingsId"] = outcome.name->meldings_id.view();
    if (outcome.name || row.sender) json["avsender"] = outcome.name ? outcome.name->avsender.str() : row.sender->str();
    const bool delivered = outcome.state == State::delivered;
    json["status"] = delivered ? "levert" : is_refused(outcome) ? "avvist" : "under behandling";
    json["mottatt"] = format_utc(row.received);
    if (delivered && outcome.delivered) json["levert"] = format_utc(*outcome.delivered);
    if (outcome.persons) json["antallPersoner"] = *outcome.persons;
    if (!outcome.marked.empty()) json["utenPseudonym"] = marked_persons(outcome);
    if (delivered && outcome.register_kvittering) json["registerKvittering"] = *outcome.register_kvittering;
    if (const CodeInfo* found = trouble(outcome)) {
        json["feil"] = Json{{"kode", found->name}, {"melding", found->sender}};
    }
    return json.dump() + "\n";
}

}  // namespace tpf::queue
