#include "forward/answer.h"

#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/types.h"

namespace tpf::forward {
namespace {

using nlohmann::json;

bool is_sha256_hex(std::string_view text) noexcept {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_digits(std::string_view text) noexcept {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// "+hh:mm" or "-hh:mm" (RFC 3339 § 5.6, time-numoffset).
bool is_offset(std::string_view text) noexcept {
    return text.size() == 6 && (text[0] == '+' || text[0] == '-') && text[3] == ':' && is_digits(text.substr(1, 2)) &&
           is_digits(text.substr(4, 2)) && text.substr(1, 2) <= "23" && text.substr(4, 2) <= "59";
}

bool is_rfc3339(std::string_view text) {
    constexpr std::size_t kWhole = 19;  // "2027-01-04T09:30:00"
    if (text.size() <= kWhole || !parse_utc(std::string(text.substr(0, kWhole)) + "Z")) return false;
    std::string_view rest = text.substr(kWhole);
    if (rest.front() == '.') {
        const std::size_t end = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
        if (end < 2 || end > 10) return false;
        rest.remove_prefix(end);
    }
    return rest == "Z" || is_offset(rest);
}

bool is_signature(std::string_view text) {
    if (text.size() != 88) return false;
    const auto bytes = from_base64(text);
    return bytes && bytes.value().size() == 64;
}

bool is_note(std::string_view text) {
    return !text.empty() && text.size() <= 4096 && from_base64(text).has_value();
}

struct Member {
    std::string_view name;
    std::string AnswerFields::*field;
    bool (*valid)(std::string_view);
};
bool valid_token(std::string_view text) {
    return is_token(text);
}
bool valid_name(std::string_view text) {
    return MessageName::parse(text).has_value();
}
constexpr std::array<Member, 8> kMembers = {{
    {"status", &AnswerFields::status, valid_token},
    {"kvittering", &AnswerFields::kvittering, valid_token},
    {"kode", &AnswerFields::kode, valid_token},
    {"navn", &AnswerFields::navn, valid_name},
    {"sha256", &AnswerFields::sha256, is_sha256_hex},
    {"mottatt", &AnswerFields::mottatt, is_rfc3339},
    {"signatur", &AnswerFields::signatur, is_signature},
    {"sjekkpunkt", &AnswerFields::sjekkpunkt, is_note},
}};

/// Takes the parser's events one by one: a document tree would be built from whatever the other side sends, and its
/// map hides that a member came twice.
class Reader final : public nlohmann::json_sax<json> {
  public:
    [[nodiscard]] AnswerFields take() { return std::move(fields_); }

    bool null() override { return skip(); }
    bool boolean(bool) override { return skip(); }
    bool number_integer(number_integer_t) override { return skip(); }
    bool number_unsigned(number_unsigned_t) override { return skip(); }
    bool number_float(number_float_t, const string_t&) override { return skip(); }
    bool binary(binary_t&) override { return false; }
    bool string(string_t& value) override {
        if (member_ == nullptr) return depth_ > 0;
        std::string& field = fields_.*(member_->field);
        if (!field.empty() || !member_->valid(value)) return false;
        field = std::move(value);
        member_ = nullptr;
        return true;
    }
    bool start_object(std::size_t) override { return enter(); }
    bool start_array(std::size_t) override { return depth_ > 0 && enter(); }
    bool end_object() override { return leave(); }
    bool end_array() override { return leave(); }
    bool key(string_t& name) override {
        if (depth_ != 1) return true;
        for (const Member& member : kMembers) {
            if (member.name == name) member_ = &member;
        }
        return true;
    }
    bool parse_error(std::size_t, const std::string&, const json::exception&) override { return false; }

  private:
    /// A value that is no string: allowed where no named member stands.
    bool skip() { return depth_ > 0 && member_ == nullptr; }
    bool enter() { return member_ == nullptr && ++depth_ <= kMaxAnswerDepth; }
    bool leave() {
        --depth_;
        return true;
    }

    AnswerFields fields_;
    const Member* member_ = nullptr;  ///< whose value comes next
    int depth_ = 0;
};

/// What a receipt of this status must hold for the core to be able to check its signature.
bool complete(int status, const AnswerFields& f) {
    const bool whole = !f.navn.empty() && !f.sha256.empty() && !f.mottatt.empty() && !f.signatur.empty();
    if (status == 422) return whole && f.status == "avvist" && !f.kode.empty();
    return whole && f.status == "mottatt" && !f.kvittering.empty();
}

}  // namespace

Result<AnswerFields> parse_answer(std::string_view body) try {
    if (body.size() > kMaxAnswerBytes) return fail(Code::receipt_invalid, "the answer is too long");
    // The parser takes a NUL for the end of its input, whatever follows.
    const bool has_nul = body.find('\0') != std::string_view::npos;
    Reader reader;
    if (has_nul || !json::sax_parse(body.begin(), body.end(), &reader)) {
        return fail(Code::receipt_invalid, "the answer is not the JSON that was agreed");
    }
    return reader.take();
} catch (const json::exception&) {
    return fail(Code::receipt_invalid, "the answer is not the JSON that was agreed");
}

Verdict judge(const HttpAnswer& answer, UtcTime now) {
    Verdict verdict;
    switch (answer.status) {
        case 200:
        case 201:
        case 422: {
            auto fields = parse_answer(answer.body);
            const bool good = !answer.too_long && fields && complete(answer.status, fields.value());
            verdict.kind = good ? Verdict::Kind::receipt : Verdict::Kind::no_receipt;
            if (good) verdict.fields = std::move(fields).value();
            return verdict;
        }
        case 400:
        case 409:
        case 412:
            // Without a signature in the format the status is all there is; a readable body goes along.
            verdict.kind = Verdict::Kind::receipt;
            if (auto fields = parse_answer(answer.body)) verdict.fields = std::move(fields).value();
            return verdict;
        case 429:
        case 503:
            verdict.kind = Verdict::Kind::wait;
            verdict.retry_after = parse_retry_after(answer.retry_after, now);
            return verdict;
        case 401:
        case 403:
        case 404:
            verdict.kind = Verdict::Kind::access;
            return verdict;
        default:
            return verdict;
    }
}

}  // namespace tpf::forward
