#include "pseudonym/identity_number.h"

#include <algorithm>

#include "crypto/secret.h"
#include "pseudonym/utf8.h"

namespace tpf::pseudonym {
namespace {

bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

using Digits = std::array<int, 11>;

Digits to_digits(std::string_view text) noexcept {
    Digits d{};
    for (std::size_t i = 0; i < 11; ++i) d[i] = text[i] - '0';
    return d;
}

/// ASCII, Arabic-Indic, extended Arabic-Indic and fullwidth digits; -1: none.
int digit_value(std::uint32_t c) noexcept {
    for (const std::uint32_t zero : {0x30U, 0x660U, 0x6f0U, 0xff10U}) {
        if (c >= zero && c <= zero + 9) return static_cast<int>(c - zero);
    }
    return -1;
}

/// What people and programs put between digits: white space of all widths, hyphens and dashes, full stop, marks without
/// a width.
bool is_separator(std::uint32_t c) noexcept {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '-' || c == '.' || c == 0xa0 || c == 0xad ||
           c == 0xb7 || c == 0x1680 || (c >= 0x2000 && c <= 0x206f) || c == 0x2212 || c == 0x3000 || c == 0xfe58 ||
           c == 0xfe63 || c == 0xfeff || c == 0xff0d || c == 0xff0e;
}

/// (weighted sum + control digit) mod 11 of both control digits.
struct Residues {
    int k1;
    int k2;
};
Residues residues(const Digits& d) noexcept {
    static constexpr int kWeights1[] = {3, 7, 6, 1, 8, 9, 4, 5, 2, 1};
    static constexpr int kWeights2[] = {5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1};
    int sum1 = 0;
    int sum2 = 0;
    for (std::size_t i = 0; i < 10; ++i) sum1 += kWeights1[i] * d[i];
    for (std::size_t i = 0; i < 11; ++i) sum2 += kWeights2[i] * d[i];
    return {sum1 % 11, sum2 % 11};
}

/// The individual number no longer tells the century: 29 February exists in every year divisible by 4.
bool day_exists(int day, int month, int year) noexcept {
    static constexpr int kDays[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1 || day > kDays[month - 1]) return false;
    return month != 2 || day != 29 || year % 4 == 0;
}

/// One way to read eleven digits. Some months can be read in two ways (+60 and +65 overlap), so there can be several.
struct Reading {
    NumberKind kind;
    bool synthetic;
    bool marked;  // the kind has synthetic forms, so one without the mark is a real number
};

/// All readings under which the digits are valid; `rule_2032` as in NumberRules.
struct Readings {
    std::array<Reading, 4> items{};
    std::size_t count = 0;
    void add(Reading reading) noexcept { items[count++] = reading; }
};

Readings read_number(std::string_view text, bool rule_2032) noexcept {
    Readings out;
    const Digits d = to_digits(text);
    const Residues r = residues(d);
    const bool old_rule = r.k1 == 0 && r.k2 == 0;
    const bool relaxed = r.k1 <= 3 && r.k2 == 0;
    if (d[0] >= 8) {
        if (old_rule) out.add({NumberKind::fh_nummer, false, false});
        return out;
    }
    const int first_day = d[0] * 10 + d[1];
    const bool plus40 = first_day > 40;
    const int day = plus40 ? first_day - 40 : first_day;
    const int month = d[2] * 10 + d[3];
    const int year = d[4] * 10 + d[5];
    const NumberKind dated = plus40 ? NumberKind::d_nummer : NumberKind::fodselsnummer;
    const auto exists = [&](int added) { return day_exists(day, month - added, year); };
    const bool person = old_rule || (rule_2032 && relaxed);
    if (person && exists(0)) out.add({dated, false, true});
    if (person && (exists(80) || exists(65))) out.add({dated, true, true});
    if (old_rule && !plus40 && exists(20)) out.add({NumberKind::npid, false, true});
    if (old_rule && !plus40 && exists(60)) out.add({NumberKind::npid, true, true});
    // Some issuers do not compute control digits, so none are asked for. Test persons (Dolly) look the same.
    if (exists(40)) out.add({NumberKind::h_nummer, false, false});
    return out;
}

}  // namespace

bool NumberRules::takes(NumberKind kind) const noexcept {
    switch (kind) {
        case NumberKind::fodselsnummer:
            return fodselsnummer;
        case NumberKind::d_nummer:
            return d_nummer;
        case NumberKind::h_nummer:
            return h_nummer;
        case NumberKind::fh_nummer:
            return fh_nummer;
        case NumberKind::duf_nummer:
            return duf_nummer;
        case NumberKind::npid:
            return npid;
    }
    return false;
}

IdentityNumber::IdentityNumber(std::string_view digits, NumberKind kind) noexcept : size_(digits.size()), kind_(kind) {
    digits.copy(digits_.data(), digits_.size());
}

IdentityNumber::IdentityNumber(IdentityNumber&& other) noexcept
    : digits_(other.digits_), size_(other.size_), kind_(other.kind_) {}

IdentityNumber::~IdentityNumber() {
    crypto::wipe({reinterpret_cast<std::uint8_t*>(digits_.data()), digits_.size()});
}

IdentityNumber::Judged IdentityNumber::judge(std::string_view text, const NumberRules& rules) {
    if (text.empty()) return {std::nullopt, Fault::missing};
    if (!std::all_of(text.begin(), text.end(), is_digit)) return {std::nullopt, Fault::wrong};
    if (text.size() == 12 && rules.duf_nummer) return {IdentityNumber(text, NumberKind::duf_nummer), {}};
    if (text.size() != 11) return {std::nullopt, Fault::wrong};
    const Readings readings = read_number(text, rules.rule_2032);
    for (std::size_t i = 0; i < readings.count; ++i) {
        const Reading& reading = readings.items[i];
        const bool wanted = !reading.marked || reading.synthetic == (rules.installation == Installation::test);
        if (wanted && rules.takes(reading.kind)) return {IdentityNumber(text, reading.kind), {}};
    }
    return {std::nullopt, Fault::wrong};
}

bool holds_identity_number(std::string_view text) noexcept {
    std::array<char, 12> window{};  // the last digits of the run
    std::size_t run = 0;
    bool found = false;
    for (std::size_t i = 0; i < text.size() && !found;) {
        Utf8Char next = decode_utf8(text.substr(i));
        if (next.size == 0) next = {0, 1, false};
        i += next.size;
        if (const int digit = digit_value(next.code_point); digit >= 0) {
            std::rotate(window.begin(), window.begin() + 1, window.end());
            window[11] = static_cast<char>('0' + digit);
            ++run;
            found = run >= 12 || (run == 11 && read_number({window.data() + 1, 11}, true).count > 0);
        } else if (!is_separator(next.code_point)) {
            run = 0;
        }
    }
    crypto::wipe({reinterpret_cast<std::uint8_t*>(window.data()), window.size()});
    return found;
}

}  // namespace tpf::pseudonym
