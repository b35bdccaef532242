#include "daemon/kept_notes.h"

#include "audit/event_log.h"
#include "audit/witness.h"
#include "daemon/audit_keys.h"

namespace tpf::daemon {
namespace {

constexpr std::size_t kAtOnce = 200;  // two signatures each: some 50 ms

}  // namespace

Result<bool> KeptNotes::judge_some(sqlite::Database& db) {
    TPF_TRY(const auto notes, audit::kept_notes(db, last_, kAtOnce));
    for (const auto& note : notes) {
        TPF_TRY(judge(db, note));
    }
    if (!notes.empty()) last_ = notes.back();
    return notes.size() == kAtOnce;
}

Status KeptNotes::judge(sqlite::Database& db, const audit::KeptNote& note) {
    const bool own = note.witness.empty();
    const std::string name =
        (own ? "the log's own checkpoint of " : note.witness + "'s of ") + std::to_string(note.head.size) + " entries";
    TPF_TRY(const auto keys, keys_of(db, note.witness));
    const auto opened = audit::open_note(note.note, {"", log_keys(ring_)}, keys, NoteVerifier());
    const bool cosigned = opened && !own && !keys.empty();
    if (!opened) faults_.push_back(name + ": " + opened.error().detail());
    if (!own && keys.empty()) faults_.push_back(name + ": no key is known that it could be cosigned with");

    audit::EventLog log;
    TPF_TRY(const std::uint64_t size, log.size(db));
    TPF_TRY(const auto origin, audit::log_origin(db));
    bool same = note.head.size <= size;
    if (same) {
        TPF_TRY(const TreeHead now, log.head(db, note.head.size));
        same = now == note.head;
    }
    if (same && cosigned && note.origin == origin) {
        std::uint64_t& newest = witnessed_[note.witness];
        newest = std::max(newest, note.head.size);
    }
    if (same) return ok();
    if (note.origin == origin) {
        faults_.push_back(name + " is not of this log");
    } else {
        former_.push_back(name + ", under the former origin " + note.origin + ": this log does not begin with it");
    }
    return ok();
}

/// A register's name means that register alone.
Result<std::vector<audit::NoteKey>> KeptNotes::keys_of(sqlite::Database& db, const std::string& witness) const {
    std::vector<audit::NoteKey> keys;
    if (witness.empty()) return keys;
    if (const auto reg = RegisterName::parse(witness)) keys = former_witness_keys(ring_, reg.value());
    if (!keys.empty()) return keys;
    TPF_TRY(auto statement,
            db.prepare("SELECT DISTINCT json_extract(fields, '$.key') FROM audit WHERE kind='witnessed' "
                       "AND json_extract(fields, '$.witness')=?1"));
    statement.bind(1, witness);
    while (true) {
        TPF_TRY(const bool more, statement.step());
        if (!more) return keys;
        auto key = audit::NoteKey::parse(statement.text(0));
        if (key && key.value().name() == witness) keys.push_back(std::move(key).value());
    }
}

void KeptNotes::tell(Json& json) const {
    json["witnessed"] = Json::array();
    for (const auto& [witness, entries] : witnessed_)
        json["witnessed"].push_back({{"witness", witness}, {"entries", entries}});
    if (!former_.empty()) json["former"] = former_;
    if (faults_.empty()) return;
    json["good"] = false;
    json["faults"] = faults_;
}

}  // namespace tpf::daemon
