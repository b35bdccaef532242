#include "tests/tools/generator/numbers.h"

#include <numeric>

namespace tpf::generator {
namespace {

constexpr unsigned kDaysInFourYears = 1461;
constexpr std::uint64_t kDays = 25 * kDaysInFourYears;  // years 00 to 99, every fourth a leap year
constexpr std::uint64_t kIndividualNumbers = 1000;
constexpr unsigned kFirstDufYear = 1990;
constexpr std::uint64_t kDufYears = 36;
constexpr std::uint64_t kDufSerials = 1'000'000;

std::uint64_t candidates_of(Kind kind) {
    if (kind == Kind::fh_nummer) return 200'000'000;  // 8 or 9, and eight digits
    if (kind == Kind::duf_nummer) return kDufYears * kDufSerials;
    return kDays * kIndividualNumbers;
}

void put(std::string& text, std::size_t at, std::uint64_t value, std::size_t digits) {
    for (std::size_t i = digits; i-- > 0; value /= 10) text[at + i] = static_cast<char>('0' + value % 10);
}

struct Date {
    unsigned day;
    unsigned month;
    unsigned year;
};
Date date_of(unsigned ordinal) {
    static constexpr unsigned kMonths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned rest = ordinal % kDaysInFourYears;
    unsigned year = ordinal / kDaysInFourYears * 4;
    for (unsigned length = 366; rest >= length; length = 365) {
        rest -= length;
        ++year;
    }
    for (unsigned month = 1;; ++month) {
        const unsigned length = kMonths[month - 1] + (month == 2 && year % 4 == 0 ? 1 : 0);
        if (rest < length) return {rest + 1, month, year};
        rest -= length;
    }
}

unsigned weighted(std::string_view digits, const unsigned* weights, std::size_t count) {
    unsigned sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += weights[i] * static_cast<unsigned>(digits[i] - '0');
    return sum % 11;
}

/// Sets the last two of eleven digits so that (sum + k1) mod 11 is `residue`, and k2's is 0. False: no such digits.
bool set_control_digits(std::string& number, unsigned residue) {
    static constexpr unsigned kWeights1[] = {3, 7, 6, 1, 8, 9, 4, 5, 2};
    static constexpr unsigned kWeights2[] = {5, 4, 3, 2, 7, 6, 5, 4, 3, 2};
    const unsigned k1 = (residue + 11 - weighted(number, kWeights1, 9)) % 11;
    if (k1 == 10) return false;
    number[9] = static_cast<char>('0' + k1);
    const unsigned k2 = (11 - weighted(number, kWeights2, 10)) % 11;
    if (k2 == 10) return false;
    number[10] = static_cast<char>('0' + k2);
    return true;
}

bool set_control_digits(std::string& number, Rule rule, std::uint64_t chance) {
    if (rule == Rule::old) return set_control_digits(number, 0);
    for (unsigned i = 0; i < 3; ++i) {
        if (set_control_digits(number, 1 + static_cast<unsigned>((chance + i) % 3))) return true;
    }
    return false;
}

std::string fh_nummer(std::uint64_t candidate) {
    std::string number(11, '0');
    put(number, 0, 800'000'000 + candidate, 9);
    return set_control_digits(number, 0) ? number : std::string();
}

/// The year of registration, a serial number, and two control digits that nobody is known to check.
std::string duf_nummer(std::uint64_t candidate) {
    std::string number(12, '0');
    put(number, 0, kFirstDufYear + candidate / kDufSerials, 4);
    put(number, 4, candidate % kDufSerials, 6);
    put(number, 10, mix(candidate) % 100, 2);
    return number;
}

}  // namespace

std::string_view to_string(Kind kind) noexcept {
    switch (kind) {
        case Kind::fodselsnummer:
            return "fodselsnummer";
        case Kind::d_nummer:
            return "d-nummer";
        case Kind::h_nummer:
            return "h-nummer";
        case Kind::fh_nummer:
            return "fh-nummer";
        case Kind::duf_nummer:
            return "duf-nummer";
        case Kind::npid:
            return "npid";
    }
    return {};
}

Result<Mix> parse_mix(std::string_view text) {
    Mix mix = {{Kind::fodselsnummer, 92}, {Kind::d_nummer, 4}, {Kind::fh_nummer, 2}, {Kind::duf_nummer, 2}};
    if (text == "mix") return mix;
    if (text == "all") {
        mix[Kind::h_nummer] = 2;
        mix[Kind::npid] = 2;
        return mix;
    }
    for (const Kind kind : kAllKinds) {
        if (text == to_string(kind)) return Mix{{kind, 1}};
    }
    return fail(Code::usage, "kinds: mix, all, fodselsnummer, d-nummer, h-nummer, fh-nummer, duf-nummer or npid");
}

Result<NumberSource> NumberSource::create(const NumberOptions& options) {
    if (options.synthetic == Synthetic::syntpop && options.mix.contains(Kind::npid)) {
        return fail(Code::usage, "SyntPop numbers and synthetic NPID cannot be told apart; take tenor");
    }
    return NumberSource(options);
}

NumberSource::NumberSource(const NumberOptions& options) : options_(options), random_(options.seed) {
    for (const auto& [kind, share] : options_.mix) {
        shares_ += share;
        candidates_.emplace(kind, Permutation(candidates_of(kind), mix(options.seed) + static_cast<unsigned>(kind)));
    }
}

Kind NumberSource::pick() noexcept {
    unsigned at = random_.below(shares_);
    for (const auto& [kind, share] : options_.mix) {
        if (at < share) return kind;
        at -= share;
    }
    return Kind::fodselsnummer;
}

unsigned NumberSource::month_offset(Kind kind) const noexcept {
    if (kind == Kind::h_nummer) return 40;
    if (kind == Kind::npid) return options_.synthetic == Synthetic::none ? 20 : 60;
    if (options_.synthetic == Synthetic::none) return 0;
    return options_.synthetic == Synthetic::tenor ? 80 : 65;
}

Rule NumberSource::rule_for(Kind kind, std::uint64_t candidate) const noexcept {
    const bool may_be_relaxed = kind == Kind::fodselsnummer || kind == Kind::d_nummer;
    if (!may_be_relaxed) return Rule::old;
    if (options_.rule != Rule::both) return options_.rule;
    return mix(candidate ^ options_.seed) % 10 == 0 ? Rule::relaxed_2032 : Rule::old;
}

std::optional<std::string> NumberSource::dated(Kind kind, std::uint64_t candidate) const {
    const Date date = date_of(static_cast<unsigned>(candidate / kIndividualNumbers));
    const std::uint64_t chance = mix(candidate + options_.seed);
    std::string number(11, '0');
    put(number, 0, date.day + (kind == Kind::d_nummer ? 40 : 0), 2);
    put(number, 2, date.month + month_offset(kind), 2);
    put(number, 4, date.year, 2);
    put(number, 6, candidate % kIndividualNumbers, 3);
    if (kind == Kind::h_nummer && chance % 5 == 0) {
        put(number, 9, chance / 5 % 100, 2);  // an issuer that does not compute control digits
        return number;
    }
    if (!set_control_digits(number, rule_for(kind, candidate), chance)) return std::nullopt;
    return number;
}

std::optional<std::string> NumberSource::next_of(Kind kind) {
    Permutation& candidates = candidates_.at(kind);
    while (const auto candidate = candidates.next()) {
        if (kind == Kind::duf_nummer) return duf_nummer(*candidate);
        auto number = kind == Kind::fh_nummer ? fh_nummer(*candidate) : dated(kind, *candidate);
        if (number && !number->empty()) return number;
    }
    return std::nullopt;
}

std::optional<std::string> NumberSource::next() {
    return next_of(pick());
}

std::optional<std::string> NumberSource::next_wrong() {
    candidates_.try_emplace(Kind::fodselsnummer, candidates_of(Kind::fodselsnummer), mix(options_.seed));
    auto number = next_of(Kind::fodselsnummer);
    if (!number) return std::nullopt;
    switch (random_.below(5)) {
        case 0:
            number->pop_back();
            break;
        case 1:
            (*number)[5] = 'O';
            break;
        case 2:
            number->assign(11, '0');
            break;
        case 3:
            put(*number, 0, 32 + random_.below(8), 2);  // no such day, as fødselsnummer or D-nummer
            if (set_control_digits(*number, 0)) break;
            [[fallthrough]];
        default:
            put(*number, 10, static_cast<unsigned>((*number)[10] - '0') + 1 + random_.below(9), 1);
    }
    return number;
}

}  // namespace tpf::generator
