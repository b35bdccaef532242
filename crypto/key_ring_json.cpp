#include "crypto/key_ring_json.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace tpf::crypto {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFormat = "tpf-keyring";
constexpr unsigned kVersion = 1;

constexpr std::array<std::pair<KeyKind, std::string_view>, 5> kKinds{{{KeyKind::message, "message"},
                                                                      {KeyKind::pseudonym, "pseudonym"},
                                                                      {KeyKind::signing, "signing"},
                                                                      {KeyKind::register_, "register"},
                                                                      {KeyKind::receipt, "receipt"}}};
constexpr std::array<std::pair<KeyState, std::string_view>, 5> kStates{{{KeyState::prepared, "prepared"},
                                                                        {KeyState::active, "active"},
                                                                        {KeyState::accepting, "accepting"},
                                                                        {KeyState::retired, "retired"},
                                                                        {KeyState::destroyed, "destroyed"}}};

constexpr std::array<std::pair<KeyPlace, std::string_view>, 3> kPlaces{
    {{KeyPlace::file, "file"}, {KeyPlace::token, "token"}, {KeyPlace::wrapped, "wrapped"}}};

auto bad(const std::string& what) {
    return fail(Code::config, "keyring.json: " + what, "restore keyring.json from a backup; docs/keyring-format.md");
}

Status only_members(const Json& object, std::initializer_list<std::string_view> known) {
    if (!object.is_object()) return bad("an object was expected");
    for (const auto& [name, value] : object.items()) {
        if (std::find(known.begin(), known.end(), name) == known.end()) return bad("a member that is not known");
    }
    return ok();
}

Result<std::string> text_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_string()) return bad("\"" + std::string(name) + "\" is missing or no text");
    return found->get<std::string>();
}

Result<std::size_t> number_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_number_unsigned()) {
        return bad("\"" + std::string(name) + "\" is missing or no number");
    }
    return found->get<std::size_t>();
}

Result<KeyState> parse_state(std::string_view text) {
    for (const auto& [state, name] : kStates) {
        if (name == text) return state;
    }
    return bad("a key has an unknown state");
}

Result<RingKdf> parse_kdf(const Json& json) {
    TPF_TRY(only_members(json, {"name", "n", "r", "p", "salt"}));
    TPF_TRY(const auto name, text_of(json, "name"));
    TPF_TRY(const auto n, number_of(json, "n"));
    TPF_TRY(const auto r, number_of(json, "r"));
    TPF_TRY(const auto p, number_of(json, "p"));
    TPF_TRY(const auto salt64, text_of(json, "salt"));
    TPF_TRY(auto salt, from_base64(salt64));
    // Bounds: less is weak, and more would let a changed file stop the start.
    if (name != "scrypt" || !std::has_single_bit(n) || n < 16384 || n > (1U << 20) || r != 8 || p < 1 || p > 4 ||
        salt.size() != 16) {
        return bad("\"kdf\" is out of bounds");
    }
    return RingKdf{n, r, p, std::move(salt)};
}

bool is_check_value(std::string_view text) {
    return text.size() == 16 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Status parse_register(const Json& json, KeyFacts& facts) {
    if (!has_register(facts.kind)) return ok();
    TPF_TRY(const auto name, text_of(json, "register"));
    TPF_TRY(auto reg, RegisterName::parse(name));
    facts.reg = std::move(reg);
    if (facts.kind != KeyKind::pseudonym) return ok();
    TPF_TRY(const auto version, number_of(json, "keyVersion"));
    if (version == 0 || version > 1'000'000) return bad("\"keyVersion\" is out of bounds");
    facts.version = static_cast<unsigned>(version);
    return ok();
}

Status parse_validity(const Json& json, KeyFacts& facts) {
    if (!has_validity(facts.kind)) return ok();
    TPF_TRY(const auto from, text_of(json, "validFrom"));
    TPF_TRY(const auto to, text_of(json, "validTo"));
    TPF_TRY(const auto profile, text_of(json, "profile"));
    TPF_TRY(facts.valid_from, parse_date(from));
    TPF_TRY(facts.valid_to, parse_date(to));
    TPF_TRY(facts.policy, KeyPolicy::parse_profile(profile));
    return ok();
}

Status parse_place(const Json& json, KeyFacts& facts) {
    if (!json.contains("place")) return ok();
    TPF_TRY(const auto text, text_of(json, "place"));
    const auto place = parse_key_place(text);
    if (!place || place.value() == KeyPlace::file || !may_lie(facts.kind, place.value()))
        return bad("a key has an unknown place");
    facts.place = place.value();
    return ok();
}

Result<std::vector<KeyChange>> parse_history(const Json& json) {
    std::vector<KeyChange> history;
    const auto list = json.find("history");
    if (list == json.end()) return history;
    if (!list->is_array()) return bad("\"history\" is no list");
    for (const Json& item : *list) {
        TPF_TRY(only_members(item, {"state", "at", "by", "reason"}));
        TPF_TRY(const auto state_text, text_of(item, "state"));
        TPF_TRY(const auto at_text, text_of(item, "at"));
        TPF_TRY(auto by, text_of(item, "by"));
        TPF_TRY(auto reason, text_of(item, "reason"));
        TPF_TRY(const auto state, parse_state(state_text));
        TPF_TRY(const auto at, parse_utc(at_text));
        history.push_back({state, at, std::move(by), std::move(reason)});
    }
    return history;
}

Result<std::optional<DestroyRequest>> parse_destroy(const Json& json) {
    const auto found = json.find("destroyRequest");
    if (found == json.end()) return std::optional<DestroyRequest>();
    TPF_TRY(only_members(*found, {"at", "by", "uid", "reason"}));
    TPF_TRY(const auto at_text, text_of(*found, "at"));
    TPF_TRY(auto by, text_of(*found, "by"));
    TPF_TRY(auto reason, text_of(*found, "reason"));
    TPF_TRY(const auto uid, number_of(*found, "uid"));
    TPF_TRY(const auto at, parse_utc(at_text));
    if (uid > std::numeric_limits<uid_t>::max()) return bad("\"uid\" is out of bounds");
    return std::optional<DestroyRequest>({at, {std::move(by), std::move(reason), static_cast<uid_t>(uid)}});
}

Result<std::optional<RingRestored>> parse_restored(const Json& json) {
    const auto found = json.find("restored");
    if (found == json.end()) return std::optional<RingRestored>();
    TPF_TRY(only_members(*found, {"at", "by", "reason", "backup"}));
    TPF_TRY(const auto at_text, text_of(*found, "at"));
    TPF_TRY(auto by, text_of(*found, "by"));
    TPF_TRY(auto reason, text_of(*found, "reason"));
    TPF_TRY(auto backup, text_of(*found, "backup"));
    TPF_TRY(const auto at, parse_utc(at_text));
    return std::optional<RingRestored>({at, std::move(by), std::move(reason), std::move(backup)});
}

Result<std::optional<PublishedEdition>> parse_published(const Json& json) {
    const auto found = json.find("published");
    if (found == json.end()) return std::optional<PublishedEdition>();
    TPF_TRY(only_members(*found, {"edition", "sha256"}));
    TPF_TRY(const auto edition, number_of(*found, "edition"));
    TPF_TRY(auto sha256, text_of(*found, "sha256"));
    if (edition == 0 || edition > kMaxEdition) return bad("\"edition\" is out of bounds");
    return std::optional<PublishedEdition>({static_cast<unsigned>(edition), std::move(sha256)});
}

Result<KeyFacts> parse_entry(const Json& json) {
    TPF_TRY(
        only_members(json, {"id", "kind", "state", "register", "keyVersion", "validFrom", "validTo", "profile", "bits",
                            "check", "created", "public", "history", "destroyRequest", "place", "failures"}));
    TPF_TRY(const auto id_text, text_of(json, "id"));
    TPF_TRY(const auto kind_text, text_of(json, "kind"));
    TPF_TRY(const auto state_text, text_of(json, "state"));
    TPF_TRY(const auto created_text, text_of(json, "created"));
    TPF_TRY(auto check, text_of(json, "check"));
    TPF_TRY(const auto bits, number_of(json, "bits"));
    TPF_TRY(auto id, KeyId::parse(id_text));
    TPF_TRY(const auto kind, parse_key_kind(kind_text));
    TPF_TRY(const auto state, parse_state(state_text));
    TPF_TRY(const auto created, parse_utc(created_text));
    if (!is_check_value(check)) return bad("\"check\" is not 16 hex digits");
    KeyFacts facts{std::move(id),    kind,   state, std::nullopt, 0, {}, {}, KeyPolicy::modern(), bits,
                   std::move(check), created};
    TPF_TRY(parse_register(json, facts));
    TPF_TRY(parse_validity(json, facts));
    TPF_TRY(parse_place(json, facts));
    if (json.contains("failures")) {
        TPF_TRY(const auto failures, number_of(json, "failures"));
        facts.failures = static_cast<unsigned>(std::min<std::size_t>(failures, kMostFailures));
    }
    TPF_TRY(facts.history, parse_history(json));
    TPF_TRY(facts.destroy_request, parse_destroy(json));
    if (kind != KeyKind::pseudonym) {
        TPF_TRY(facts.public_pem, text_of(json, "public"));
    }
    return facts;
}

Json to_json(const DestroyRequest& request) {
    return {{"at", format_utc(request.at)},
            {"by", request.by.name},
            {"uid", request.by.uid},
            {"reason", request.by.reason}};
}

Json to_json(const KeyFacts& facts) {
    Json json{{"id", facts.id.str()}, {"kind", to_string(facts.kind)}, {"state", to_string(facts.state)}};
    if (facts.reg) json["register"] = facts.reg->str();
    if (facts.kind == KeyKind::pseudonym) json["keyVersion"] = facts.version;
    if (has_validity(facts.kind)) {
        json["validFrom"] = format_date(facts.valid_from);
        json["validTo"] = format_date(facts.valid_to);
        json["profile"] = facts.policy.profile();
    }
    if (facts.place != KeyPlace::file) json["place"] = to_string(facts.place);
    json["bits"] = facts.bits;
    json["check"] = facts.check_value;
    json["created"] = format_utc(facts.created);
    if (!facts.public_pem.empty()) json["public"] = facts.public_pem;
    for (const KeyChange& change : facts.history) {
        json["history"].push_back({{"state", to_string(change.state)},
                                   {"at", format_utc(change.at)},
                                   {"by", change.by},
                                   {"reason", change.reason}});
    }
    if (facts.failures != 0) json["failures"] = facts.failures;
    if (facts.destroy_request) json["destroyRequest"] = to_json(*facts.destroy_request);
    return json;
}

}  // namespace

std::string_view to_string(KeyKind kind) noexcept {
    return kKinds[static_cast<std::size_t>(kind)].second;
}
std::string_view to_string(KeyState state) noexcept {
    return kStates[static_cast<std::size_t>(state)].second;
}

Result<KeyKind> parse_key_kind(std::string_view text) {
    for (const auto& [kind, name] : kKinds) {
        if (name == text) return kind;
    }
    return fail(Code::usage, "a key's kind is message, pseudonym, signing, register or receipt");
}

std::string_view to_string(KeyPlace place) noexcept {
    return kPlaces[static_cast<std::size_t>(place)].second;
}
Result<KeyPlace> parse_key_place(std::string_view text) {
    for (const auto& [place, name] : kPlaces) {
        if (name == text) return place;
    }
    return fail(Code::usage, "a key's place is file, token or wrapped");
}

bool may_lie(KeyKind kind, KeyPlace place) noexcept {
    if (place == KeyPlace::file) return has_secret(kind);
    return kind == KeyKind::pseudonym || (kind == KeyKind::message && place == KeyPlace::token);
}
bool has_validity(KeyKind kind) noexcept {
    return kind == KeyKind::message || kind == KeyKind::register_;
}
bool has_register(KeyKind kind) noexcept {
    return kind != KeyKind::message && kind != KeyKind::signing;
}
bool has_accepting(KeyKind kind) noexcept {
    return kind == KeyKind::message || kind == KeyKind::register_ || kind == KeyKind::receipt;
}
bool has_secret(KeyKind kind) noexcept {
    return kind != KeyKind::register_ && kind != KeyKind::receipt;
}

RingKdf RingKdf::fresh() {
    RingKdf kdf;
    const auto salt = SecretBytes::random(16);
    const ByteView bytes = salt.bytes(SecretToken::access());
    kdf.salt.assign(bytes.begin(), bytes.end());
    return kdf;
}

Result<RingRecord> parse_ring(std::string_view text) {
    RingRecord record;
    if (text.empty()) return record;
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded()) return bad("not JSON");
    TPF_TRY(only_members(json, {"format", "version", "kdf", "restored", "published", "keys"}));
    TPF_TRY(const auto format, text_of(json, "format"));
    TPF_TRY(const auto version, number_of(json, "version"));
    if (format != kFormat) return bad("not a key ring");
    if (version != kVersion) return bad("version " + std::to_string(version) + " is not known to this program");
    if (json.contains("kdf")) {
        TPF_TRY(record.kdf, parse_kdf(json["kdf"]));
    }
    TPF_TRY(record.restored, parse_restored(json));
    TPF_TRY(record.published, parse_published(json));
    if (!json.contains("keys") || !json["keys"].is_array()) return bad("\"keys\" is missing or no list");
    std::set<std::string> ids;
    std::set<std::pair<std::string, unsigned>> pseudonyms;
    for (const Json& item : json["keys"]) {
        auto entry = parse_entry(item);
        if (!entry) return bad("key " + std::to_string(record.keys.size() + 1) + ": " + entry.error().detail());
        const KeyFacts& facts = entry.value();
        if (!ids.insert(facts.id.str()).second) return bad("an id is there twice");
        if (facts.kind == KeyKind::pseudonym && !pseudonyms.emplace(facts.reg->str(), facts.version).second) {
            return bad("a register's pseudonym key version is there twice");
        }
        record.keys.push_back(std::move(entry).value());
    }
    return record;
}

std::string write_ring(const RingRecord& record) {
    Json json{{"format", kFormat}, {"version", kVersion}};
    if (record.kdf) {
        const RingKdf& kdf = *record.kdf;
        json["kdf"] = Json{{"name", "scrypt"}, {"n", kdf.n}, {"r", kdf.r}, {"p", kdf.p}, {"salt", base64(kdf.salt)}};
    }
    if (record.restored) {
        const RingRestored& restored = *record.restored;
        json["restored"] = Json{{"at", format_utc(restored.at)},
                                {"by", restored.by},
                                {"reason", restored.reason},
                                {"backup", restored.backup}};
    }
    if (record.published) {
        json["published"] = Json{{"edition", record.published->edition}, {"sha256", record.published->sha256}};
    }
    json["keys"] = Json::array();
    for (const KeyFacts& facts : record.keys) json["keys"].push_back(to_json(facts));
    return json.dump(2) + "\n";
}

}  // namespace tpf::crypto
