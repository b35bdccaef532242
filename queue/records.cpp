#include "queue/records.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/sha256.h"
#include "base/transcode.h"

namespace tpf::queue {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kEndMark = ",\"slutt\":\"";
constexpr std::size_t kTail = kEndMark.size() + 64 + 3;  // digest, then "}\n

bool all_of(std::string_view text, bool (*allowed)(char)) {
    return std::all_of(text.begin(), text.end(), allowed);
}
bool is_hex_digit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}
bool is_time_char(char c) {
    return (c >= '0' && c <= '9') || c == 'T' || c == 'Z' || c == ':' || c == '+' || c == '.' || c == '-';
}
constexpr std::size_t kMaxNote = 4096;
constexpr std::size_t kMaxProof = 2732;  // 64 hashes

bool is_base64_within(std::string_view text, std::size_t most) {
    return text.size() <= most && !text.empty() && from_base64(text).has_value();
}
bool is_base64(std::string_view text) {
    return is_base64_within(text, 128);
}
bool is_note(std::string_view text) {
    return is_base64_within(text, kMaxNote);
}
bool is_time_text(std::string_view text) {
    return !text.empty() && text.size() <= 40 && all_of(text, is_time_char);
}
bool is_message_name(std::string_view text) {
    return MessageName::parse(text).has_value();
}

Result<std::string> seal(const Json& json) {
    std::string text = json.dump();
    text.pop_back();
    const std::string digest = hex(sha256(text));
    text.append(kEndMark).append(digest).append("\"}\n");
    if (text.size() > kMaxRecord) return fail(Code::record_form, "record is larger than " + std::to_string(kMaxRecord));
    return text;
}

/// The object without its end mark, and of the form that it names.
Result<Json> unseal(std::string_view text, std::string_view form) {
    if (text.size() <= kTail || !text.ends_with("\"}\n")) return fail(Code::record_damaged, "record without end mark");
    const std::string_view body = text.substr(0, text.size() - kTail);
    const std::string_view tail = text.substr(body.size());
    if (!tail.starts_with(kEndMark) || tail.substr(kEndMark.size(), 64) != hex(sha256(body))) {
        return fail(Code::record_damaged, "record does not match its end mark");
    }
    Json json = Json::parse(std::string(body) + "}", nullptr, false);
    if (!json.is_object() || json.value("form", Json()) != form) {
        return fail(Code::record_form, "not a record of the form " + std::string(form));
    }
    return json;
}

/// Reads members of one object; the first that is missing or of another type is remembered.
class Reader {
  public:
    explicit Reader(const Json& json) : json_(&json) {}
    std::string text(const char* key) {
        const auto found = json_->find(key);
        if (found == json_->end() || !found->is_string()) return bad(key);
        return found->get<std::string>();
    }
    std::optional<std::string> maybe_text(const char* key) {
        if (!json_->contains(key)) return std::nullopt;
        return text(key);
    }
    std::uint64_t number(const char* key) {
        const auto found = json_->find(key);
        if (found == json_->end() || !found->is_number_unsigned()) {
            bad(key);
            return 0;
        }
        return found->get<std::uint64_t>();
    }
    [[nodiscard]] Status status() const {
        if (bad_ != nullptr) return fail(Code::record_form, std::string("record: member \"") + bad_ + "\"");
        return ok();
    }

  private:
    std::string bad(const char* key) {
        if (bad_ == nullptr) bad_ = key;
        return {};
    }
    const Json* json_;
    const char* bad_ = nullptr;
};

/// A parse error of a value as an error of the record.
template <class T>
Result<T> value_of(Result<T> parsed, const char* key) {
    if (!parsed) return fail(Code::record_form, std::string("record: member \"") + key + "\"");
    return parsed;
}

Status must_equal(const Result<std::string>& rewritten, std::string_view text) {
    if (!rewritten) return fail(rewritten.error());
    if (rewritten.value() != text) return fail(Code::record_form, "record is not written in the one form");
    return ok();
}

}  // namespace

bool is_source_name(std::string_view text) noexcept {
    if (text.empty() || text.size() > 32 || text[0] < 'a' || text[0] > 'z') return false;
    return all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

bool is_sha256_hex(std::string_view text) noexcept {
    return text.size() == 64 && all_of(text, is_hex_digit);
}

bool is_reason(std::string_view text) noexcept {
    if (text.empty() || text.size() > 500) return false;
    if (!all_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; })) return false;
    Transcoder utf8(Encoding::utf8);
    std::string out;
    return utf8.update(text, out).has_value() && utf8.finish().has_value();
}

Result<std::string> write_kilde(const KildeRecord& record) {
    if (!is_source_name(record.source)) return fail(Code::record_form, "kilde.json: not a source's name");
    if (!is_sha256_hex(record.sha256)) return fail(Code::record_form, "kilde.json: not a SHA-256");
    if (record.operator_name.empty() != record.reason.empty()) {
        return fail(Code::record_form, "kilde.json: operator and reason come together");
    }
    Json json{{"form", "tpf-kilde-1"}, {"id", record.id.view()}, {"kilde", record.source}};
    if (record.sender) json["avsender"] = record.sender->str();
    if (!record.operator_name.empty()) {
        if (!is_reason(record.operator_name) || !is_reason(record.reason)) {
            return fail(Code::record_form, "kilde.json: operator or reason of a wrong form");
        }
        json["operator"] = record.operator_name;
        json["grunn"] = record.reason;
    }
    json["mottatt"] = format_utc(record.received);
    json["lengde"] = record.size;
    json["sha256"] = record.sha256;
    return seal(json);
}

Result<KildeRecord> parse_kilde(std::string_view text) {
    TPF_TRY(const Json json, unseal(text, "tpf-kilde-1"));
    Reader reader(json);
    const std::string id_text = reader.text("id");
    const std::string source = reader.text("kilde");
    const auto sender_text = reader.maybe_text("avsender");
    const auto operator_name = reader.maybe_text("operator");
    const auto reason = reader.maybe_text("grunn");
    const std::string received_text = reader.text("mottatt");
    const std::uint64_t size = reader.number("lengde");
    const std::string digest = reader.text("sha256");
    TPF_TRY(reader.status());
    TPF_TRY(const auto id, value_of(SpoolId::parse(id_text), "id"));
    TPF_TRY(const auto received, value_of(parse_utc(received_text), "mottatt"));
    std::optional<Avsender> sender;
    if (sender_text) {
        TPF_TRY(sender, value_of(Avsender::parse(*sender_text), "avsender"));
    }
    KildeRecord record{id, source, sender, operator_name.value_or(""), reason.value_or(""), received, size, digest};
    TPF_TRY(must_equal(write_kilde(record), text));
    return record;
}

Result<std::string> write_post(const PostRecord& record) {
    if (!is_sha256_hex(record.sha256)) return fail(Code::record_form, "post.json: not a SHA-256");
    if (!is_base64(record.signature)) return fail(Code::record_form, "post.json: the signature is not base64");
    const Json json{{"form", "tpf-post-1"},        {"id", record.id.view()}, {"navn", record.name.str()},
                    {"register", record.to.str()}, {"lengde", record.size},  {"sha256", record.sha256},
                    {"signatur", record.signature}};
    return seal(json);
}

Result<PostRecord> parse_post(std::string_view text) {
    TPF_TRY(const Json json, unseal(text, "tpf-post-1"));
    Reader reader(json);
    const std::string id_text = reader.text("id");
    const std::string name_text = reader.text("navn");
    const std::string register_text = reader.text("register");
    const std::uint64_t size = reader.number("lengde");
    const std::string digest = reader.text("sha256");
    const std::string signature = reader.text("signatur");
    TPF_TRY(reader.status());
    TPF_TRY(const auto id, value_of(SpoolId::parse(id_text), "id"));
    TPF_TRY(auto name, value_of(MessageName::parse(name_text), "navn"));
    TPF_TRY(auto to, value_of(RegisterName::parse(register_text), "register"));
    PostRecord record{id, std::move(name), std::move(to), size, digest, signature};
    TPF_TRY(must_equal(write_post(record), text));
    return record;
}

Result<std::string> write_svar(const SvarRecord& record) {
    if (record.http_status > 999) return fail(Code::record_form, "svar.json: not an HTTP status");
    Json json{{"form", "tpf-svar-1"}, {"id", record.id.view()}, {"http", record.http_status}};
    if (record.trouble) json["feil"] = info(*record.trouble).name;
    json["besvart"] = format_utc(record.answered);
    Json answer = Json::object();
    const auto keep = [&answer](const char* key, const std::optional<std::string>& value,
                                bool (*form)(std::string_view)) {
        if (value && form(*value)) answer[key] = *value;
    };
    keep("status", record.status, [](std::string_view v) { return is_token(v); });
    keep("kvittering", record.kvittering, [](std::string_view v) { return is_token(v); });
    keep("kode", record.kode, [](std::string_view v) { return is_token(v); });
    keep("navn", record.navn, is_message_name);
    keep("sha256", record.sha256, [](std::string_view v) { return is_sha256_hex(v); });
    keep("mottatt", record.mottatt, is_time_text);
    keep("signatur", record.signature, is_base64);
    keep("sjekkpunkt", record.sjekkpunkt, is_note);
    json["svar"] = std::move(answer);
    return seal(json);
}

Result<SvarRecord> parse_svar(std::string_view text) {
    TPF_TRY(const Json json, unseal(text, "tpf-svar-1"));
    Reader reader(json);
    const std::string id_text = reader.text("id");
    const std::uint64_t http = reader.number("http");
    const auto trouble_text = reader.maybe_text("feil");
    const std::string answered_text = reader.text("besvart");
    TPF_TRY(reader.status());
    const auto answer = json.find("svar");
    if (answer == json.end() || !answer->is_object() || http > 999) return fail(Code::record_form, "record: no answer");
    TPF_TRY(const auto id, value_of(SpoolId::parse(id_text), "id"));
    TPF_TRY(const auto answered, value_of(parse_utc(answered_text), "besvart"));
    SvarRecord record{.id = id, .http_status = static_cast<unsigned>(http), .answered = answered};
    if (trouble_text) {
        const CodeInfo* row = find_code(*trouble_text);
        if (row == nullptr) return fail(Code::record_form, "record: member \"feil\"");
        record.trouble = row->code;
    }
    Reader members(*answer);
    record.status = members.maybe_text("status");
    record.kvittering = members.maybe_text("kvittering");
    record.kode = members.maybe_text("kode");
    record.navn = members.maybe_text("navn");
    record.sha256 = members.maybe_text("sha256");
    record.mottatt = members.maybe_text("mottatt");
    record.signature = members.maybe_text("signatur");
    record.sjekkpunkt = members.maybe_text("sjekkpunkt");
    TPF_TRY(members.status());
    TPF_TRY(must_equal(write_svar(record), text));
    return record;
}

Result<std::string> write_checkpoint(const CheckpointRecord& record) {
    if (!is_note(record.note) || (!record.proof.empty() && !is_base64_within(record.proof, kMaxProof)))
        return fail(Code::record_form, "a checkpoint's record: note or proof of a wrong form");
    return seal(Json{{"form", "tpf-sjekkpunkt-1"},
                     {"register", record.to.str()},
                     {"sjekkpunkt", record.note},
                     {"fra", record.old_size},
                     {"bevis", record.proof}});
}

Result<CheckpointRecord> parse_checkpoint(std::string_view text) {
    TPF_TRY(const Json json, unseal(text, "tpf-sjekkpunkt-1"));
    Reader reader(json);
    const std::string register_text = reader.text("register");
    const std::string note = reader.text("sjekkpunkt");
    const std::uint64_t old_size = reader.number("fra");
    const std::string proof = reader.text("bevis");
    TPF_TRY(reader.status());
    TPF_TRY(auto to, value_of(RegisterName::parse(register_text), "register"));
    CheckpointRecord record{std::move(to), note, old_size, proof};
    TPF_TRY(must_equal(write_checkpoint(record), text));
    return record;
}

Result<std::string> write_health(const std::vector<RegisterHealth>& registers) {
    Json list = Json::array();
    for (const RegisterHealth& health : registers) {
        Json one{{"register", health.name.str()}, {"siden", format_utc(health.since)}};
        if (health.trouble) one["feil"] = info(*health.trouble).name;
        one["forsok"] = health.attempts;
        list.push_back(std::move(one));
    }
    return seal(Json{{"form", "tpf-registre-1"}, {"registre", std::move(list)}});
}

Result<std::vector<RegisterHealth>> parse_health(std::string_view text) {
    TPF_TRY(const Json json, unseal(text, "tpf-registre-1"));
    std::vector<RegisterHealth> registers;
    const auto list = json.find("registre");
    if (list == json.end() || !list->is_array()) return fail(Code::record_form, "record: member \"registre\"");
    for (const Json& one : *list) {
        Reader reader(one);
        const std::string name_text = reader.text("register");
        const std::string since_text = reader.text("siden");
        const auto trouble_text = reader.maybe_text("feil");
        const std::uint64_t attempts = reader.number("forsok");
        TPF_TRY(reader.status());
        TPF_TRY(auto name, value_of(RegisterName::parse(name_text), "register"));
        TPF_TRY(const auto since, value_of(parse_utc(since_text), "siden"));
        const CodeInfo* row = trouble_text ? find_code(*trouble_text) : nullptr;
        if (trouble_text && row == nullptr) return fail(Code::record_form, "record: member \"feil\"");
        registers.push_back(
            {std::move(name), row == nullptr ? std::nullopt : std::optional(row->code), since, attempts});
    }
    TPF_TRY(must_equal(write_health(registers), text));
    return registers;
}

}  // namespace tpf::queue
