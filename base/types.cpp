#include "base/types.h"

#include <sys/random.h>

#include <cstdlib>

namespace tpf {
namespace {

bool all_digits(std::string_view text) noexcept {
    for (const char c : text) {
        if (c < '0' || c > '9') return false;
    }
    return true;
}

/// Organisasjonsnummer: weights 3,2,7,6,5,4,3,2, modulus 11 (Brønnøysundregistrene).
bool organisasjonsnummer_ok(std::string_view text) noexcept {
    static constexpr int kWeights[] = {3, 2, 7, 6, 5, 4, 3, 2};
    if (text.size() != 9 || !all_digits(text)) return false;
    int sum = 0;
    for (std::size_t i = 0; i < 8; ++i) sum += kWeights[i] * (text[i] - '0');
    const int check = (11 - sum % 11) % 11;
    return check != 10 && check == text[8] - '0';
}

bool is_uuid4(std::string_view text) noexcept {
    if (text.size() != 36) return false;
    for (std::size_t i = 0; i < 36; ++i) {
        const char c = text[i];
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-') return false;
        } else if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
            return false;
        }
    }
    return text[14] == '4' && (text[19] == '8' || text[19] == '9' || text[19] == 'a' || text[19] == 'b');
}

}  // namespace

template <class Tag>
Result<Uuid<Tag>> Uuid<Tag>::parse(std::string_view text) {
    if (!is_uuid4(text)) return fail(Code::field_form, "not a UUID version 4 in lower case");
    Uuid id;
    text.copy(id.text_.data(), id.text_.size());
    return id;
}

template <class Tag>
Uuid<Tag> Uuid<Tag>::random() {
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes)) std::abort();
    bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
    bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
    static constexpr char kHex[] = "0123456789abcdef";
    Uuid id;
    std::size_t at = 0;
    for (std::size_t i = 0; i < 16; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) id.text_[at++] = '-';
        id.text_[at++] = kHex[bytes[i] >> 4];
        id.text_[at++] = kHex[bytes[i] & 15];
    }
    return id;
}

template class Uuid<struct MeldingsIdTag>;
template class Uuid<struct SpoolIdTag>;

Result<Avsender> Avsender::create(std::string_view kommunenummer, std::string_view bydelsnummer,
                                  std::string_view organisasjonsnummer) {
    if (kommunenummer.size() != 4 || !all_digits(kommunenummer)) {
        return fail(Code::kommunenummer, "Kommunenummer is not four digits");
    }
    if (bydelsnummer.size() != 2 || !all_digits(bydelsnummer)) {
        return fail(Code::field_form, "Bydelsnummer is not two digits");
    }
    if (!organisasjonsnummer_ok(organisasjonsnummer)) {
        return fail(Code::field_form, "Organisasjonsnummer is not nine digits with a valid check digit");
    }
    std::string text;
    text.append(kommunenummer).append("-").append(bydelsnummer).append("-").append(organisasjonsnummer);
    return Avsender(std::move(text));
}

Result<Avsender> Avsender::parse(std::string_view text) {
    if (text.size() != 17 || text[4] != '-' || text[7] != '-') {
        return fail(Code::field_form, "not a sender KKKK-BB-OOOOOOOOO");
    }
    return create(text.substr(0, 4), text.substr(5, 2), text.substr(8, 9));
}

Result<RegisterName> RegisterName::parse(std::string_view text) {
    if (text.size() < 2 || text.size() > 12) return fail(Code::field_form, "a register's name has 2 to 12 letters A-Z");
    for (const char c : text) {
        if (c < 'A' || c > 'Z') return fail(Code::field_form, "a register's name has 2 to 12 letters A-Z");
    }
    return RegisterName(std::string(text));
}

bool is_token(std::string_view text) noexcept {
    if (text.empty() || text.size() > 64) return false;
    for (const char c : text) {
        const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!letter && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-') return false;
    }
    return true;
}

Result<KeyId> KeyId::parse(std::string_view text) {
    if (!is_token(text)) return fail(Code::field_form, "a key id matches [A-Za-z0-9._-]{1,64}");
    return KeyId(std::string(text));
}

Result<MessageName> MessageName::parse(std::string_view text) {
    if (text.size() != 17 + 1 + 36 || text[17] != '-') return fail(Code::field_form, "not a message name");
    TPF_TRY(auto avsender, Avsender::parse(text.substr(0, 17)));
    TPF_TRY(const auto id, MeldingsId::parse(text.substr(18)));
    return MessageName{std::move(avsender), id};
}

}  // namespace tpf
