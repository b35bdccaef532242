#include "pseudonym/fields.h"

#include <algorithm>

#include "pseudonym/formats_schema.h"
#include "pseudonym/identity_number.h"
#include "pseudonym/utf8.h"

namespace tpf::pseudonym {
namespace {

bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

bool has_long_digit_run(std::string_view value) noexcept {
    std::size_t run = 0;
    for (const char c : value) {
        run = is_digit(c) ? run + 1 : 0;
        if (run >= 11) return true;
    }
    return false;
}

/// Counts characters; control characters (C0, DEL, C1) are Code::field_form.
Result<std::size_t> count_characters(std::string_view value, const char* field) {
    std::size_t count = 0;
    for (std::size_t at = 0; at < value.size(); ++count) {
        const Utf8Char next = decode_utf8(value.substr(at));
        const bool control = next.code_point < 0x20 || (next.code_point >= 0x7f && next.code_point <= 0x9f);
        if (next.size == 0 || control) return fail(Code::field_form, std::string(field) + " has control characters");
        at += next.size;
    }
    return count;
}

Status check_free_text(std::string_view value, const char* field, std::size_t max) {
    TPF_TRY(const std::size_t count, count_characters(value, field));
    if (count == 0 || count > max) {
        return fail(Code::field_form,
                    std::string(field) + " does not have 1 to " + std::to_string(max) + " characters");
    }
    if (holds_identity_number(value)) {
        return fail(Code::identity_leak, "something like an identity number in " + std::string(field));
    }
    if (has_long_digit_run(value))
        return fail(Code::field_form, std::string(field) + " has a run of 11 or more digits");
    return ok();
}

}  // namespace

Result<Meldingstype> parse_meldingstype(std::string_view value) {
    if (value == "IPLOS") return Meldingstype::iplos;
    if (value == "KPR") return Meldingstype::kpr;
    return fail(Code::field_form, "Meldingstype is neither IPLOS nor KPR");
}

std::string_view to_string(Meldingstype type) noexcept {
    return type == Meldingstype::iplos ? "IPLOS" : "KPR";
}

Status check_epost(std::string_view value) {
    TPF_TRY(check_free_text(value, "Epost", 254));
    const bool one = std::count(value.begin(), value.end(), '@') == 1;
    if (!one || value.front() == '@' || value.back() == '@') {
        return fail(Code::field_form, "Epost does not have one @ with something on both sides");
    }
    return ok();
}

Status check_navn(std::string_view value) {
    return check_free_text(value, "Navn", 200);
}

Result<std::string> parse_mobiltelefon(std::string_view value) {
    std::string digits;
    for (const char c : value) {
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n') digits += c;
        if (digits.size() > 12) break;
    }
    std::string_view number = digits;
    if (number.substr(0, 3) == "+47") {
        number.remove_prefix(3);
    } else if (number.size() == 12 && number.substr(0, 4) == "0047") {
        // Twelve digits, but no DUF-nummer: that begins with a year.
        number.remove_prefix(4);
    }
    if (number.size() != 8 || !std::all_of(number.begin(), number.end(), is_digit)) {
        return fail(Code::field_form, "Mobiltelefon is not eight digits, with or without +47");
    }
    return digits;
}

Result<std::uint64_t> parse_antall(std::string_view value) {
    const bool form = !value.empty() && value.size() <= 8 && std::all_of(value.begin(), value.end(), is_digit) &&
                      (value.size() == 1 || value.front() != '0');
    std::uint64_t number = 0;
    for (const char c : value.substr(0, form ? value.size() : 0))
        number = number * 10 + static_cast<std::uint64_t>(c - '0');
    if (!form || number > kMaxPersons)
        return fail(Code::field_form, "AntallPersoner is not a number from 0 to 10000000");
    return number;
}

Result<bool> HeaderFields::take(int id, std::string_view value) {
    switch (id) {
        case Field::meldings_id: {
            TPF_TRY(meldings_id_, MeldingsId::parse(value));
            return true;
        }
        case Field::meldingstype: {
            TPF_TRY(meldingstype_, parse_meldingstype(value));
            return true;
        }
        case Field::kommunenummer:
            kommunenummer_ = value;
            return true;
        case Field::bydelsnummer:
            bydelsnummer_ = value;
            return true;
        case Field::organisasjonsnummer: {
            TPF_TRY(avsender_, Avsender::create(kommunenummer_, bydelsnummer_, value));
            return true;
        }
        case Field::reg: {
            TPF_TRY(reg_, RegisterName::parse(value));
            return true;
        }
        default:
            return false;
    }
}

Result<ClearHeader> HeaderFields::header() const {
    if (!meldings_id_ || !meldingstype_ || !avsender_ || !reg_) return fail(Code::header, "a header field is missing");
    return ClearHeader{*meldings_id_, *meldingstype_, *avsender_, *reg_};
}

Status check_binding(std::string_view prefix, std::string_view uri) {
    static constexpr std::string_view kUriMarks = "-._~:/?#[]@!$&'()*+,;=%";
    if (uri.size() > 1024) return fail(Code::limit, "a namespace name is too long");
    for (const char c : uri) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !is_digit(c) && kUriMarks.find(c) == std::string_view::npos) {
            return fail(Code::not_allowed, "a namespace name that is not a URI");
        }
    }
    if (holds_identity_number(uri) || holds_identity_number(prefix)) {
        return fail(Code::identity_leak, "something like an identity number in a namespace declaration");
    }
    return ok();
}

}  // namespace tpf::pseudonym
