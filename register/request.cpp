#include "register/request.h"

#include <algorithm>
#include <cctype>

#include "base/encoding.h"

namespace tpf::reg {
namespace {

constexpr std::string_view kTarget = "/v1/meldinger";
constexpr std::string_view kMediaType = "application/xml";

std::string_view trim(std::string_view text) {
    constexpr std::string_view kSpace = " \t";
    const std::size_t first = text.find_first_not_of(kSpace);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

bool equals_ignoring_case(std::string_view a, std::string_view lower) {
    return std::equal(a.begin(), a.end(), lower.begin(), lower.end(), [](char x, char y) {
        return static_cast<char>(std::tolower(static_cast<unsigned char>(x))) == y;
    });
}

/// The media type without its parameters.
bool is_xml(std::string_view content_type) {
    return equals_ignoring_case(trim(content_type.substr(0, content_type.find(';'))), kMediaType);
}

bool is_signed(const RequestHead& head, const RequestRules& rules, const Delivery& delivery) {
    const auto signature = from_base64(head.signature);
    if (!signature) return false;
    const std::string text =
        crypto::signed_text({"tpf-melding-v1", rules.reg.str(), delivery.name.str(), delivery.sha256_hex});
    return std::any_of(rules.core_keys.begin(), rules.core_keys.end(),
                       [&](const crypto::VerifyKey& key) { return key.verify(text, signature.value()); });
}

Judged refuse(Answer answer) {
    return {std::nullopt, std::move(answer)};
}

/// `key` (RFC 8941 § 3.1.2).
bool is_dictionary_key(std::string_view key) {
    return !key.empty() && ((key.front() >= 'a' && key.front() <= 'z') || key.front() == '*') &&
           key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-.*") == std::string_view::npos;
}

}  // namespace

Answer refusal(unsigned status, std::string_view kode) {
    return {status, R"({"status":"feil","kode":")" + std::string(kode) + R"("})"};
}

Answer later(unsigned status, std::string_view kode, unsigned seconds) {
    Answer answer = refusal(status, kode);
    answer.retry_after = seconds;
    return answer;
}

Answer with_receipt(unsigned status, const Receipt& receipt) {
    return {status, to_json(receipt)};
}

std::optional<Digest> parse_content_digest(std::string_view value) {
    std::optional<Digest> found;
    for (std::string_view rest = value;;) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        const std::string_view member = trim(rest.substr(0, comma));
        const std::size_t equals = std::min(member.find('='), member.size());
        const std::string_view key = member.substr(0, equals);
        const std::string_view item = member.substr(std::min(equals + 1, member.size()));
        if (!is_dictionary_key(key) || item.size() < 2 || item.front() != ':' || item.back() != ':')
            return std::nullopt;
        const auto bytes = from_base64(item.substr(1, item.size() - 2));
        if (!bytes) return std::nullopt;
        if (key == "sha-256") {
            if (found || bytes.value().size() != std::tuple_size_v<Digest>) return std::nullopt;
            std::copy(bytes.value().begin(), bytes.value().end(), found.emplace().begin());
        }
        if (comma == rest.size()) return found;
        rest.remove_prefix(comma + 1);
    }
}

Answer with_checkpoint(Answer answer, const std::string& note) {
    if (note.empty() || !answer.body.ends_with('}')) return answer;
    answer.body.pop_back();
    answer.body += ",\"sjekkpunkt\":\"" + note + "\"}";
    return answer;
}

Judged judge(const RequestHead& head, const RequestRules& rules) {
    if (head.target != kTarget) return refuse(refusal(404, "ukjent-adresse"));
    if (head.method != "POST") {
        Answer answer = refusal(405, "metode");
        answer.allow_post = true;
        return refuse(std::move(answer));
    }
    if (!is_xml(head.content_type) || !head.content_encoding.empty()) return refuse(refusal(415, "medietype"));
    if (!head.content_length) return refuse(refusal(411, "lengde-mangler"));
    if (*head.content_length > rules.max_bytes) return refuse(refusal(413, "for-stor"));
    const auto name = MessageName::parse(head.idempotency_key);
    if (!name) return refuse(refusal(400, "idempotency-key"));
    const auto digest = parse_content_digest(head.content_digest);
    if (!digest) return refuse(refusal(400, "content-digest"));
    Delivery delivery{name.value(), *digest, hex(*digest), *head.content_length};
    if (!is_signed(head, rules, delivery)) return refuse(refusal(403, "signatur"));
    return {std::move(delivery), {}};
}

}  // namespace tpf::reg
