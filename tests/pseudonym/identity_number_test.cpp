#include "pseudonym/identity_number.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/vectors.h"

using namespace tpf;
using namespace tpf::pseudonym;

namespace {

constexpr int kWeights1[] = {3, 7, 6, 1, 8, 9, 4, 5, 2, 1, 0};
constexpr int kWeights2[] = {5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1};

int residue(std::string_view digits, const int (&weights)[11]) {
    int sum = 0;
    for (std::size_t i = 0; i < 11; ++i) sum += weights[i] * (digits[i] - '0');
    return sum % 11;
}

/// The nine first digits with the last two so that the residues are these; empty when no digits give them.
std::string with_residues(std::string_view nine, int k1, int k2) {
    for (int last = 0; last < 100; ++last) {
        std::string number(nine);
        number += static_cast<char>('0' + last / 10);
        number += static_cast<char>('0' + last % 10);
        if (residue(number, kWeights1) == k1 && residue(number, kWeights2) == k2) return number;
    }
    return {};
}

/// A number with `six` in front (date, shifted as the kind wants) and the residues wanted.
std::string number_like(std::string_view six, int k1 = 0, int k2 = 0) {
    for (int individual = 100; individual < 1000; ++individual) {
        const std::string number = with_residues(std::string(six) + std::to_string(individual), k1, k2);
        if (!number.empty()) return number;
    }
    return {};
}

NumberRules all_kinds() {
    NumberRules rules;
    rules.h_nummer = true;
    rules.npid = true;
    return rules;
}
NumberRules on_test(NumberRules rules) {
    rules.installation = Installation::test;
    return rules;
}
NumberRules before_2032(NumberRules rules) {
    rules.rule_2032 = false;
    return rules;
}

std::string judge(std::string_view text, const NumberRules& rules) {
    static constexpr std::array<const char*, 6> kNames = {"fodselsnummer", "d", "h", "fh", "duf", "npid"};
    const auto judged = IdentityNumber::judge(text, rules);
    if (judged.number) return kNames[static_cast<std::size_t>(judged.number->kind())];
    return judged.fault == IdentityNumber::Fault::missing ? "E30" : "E31";
}

/// What a dated number of `kind` is judged as: "production/test".
std::string both(std::string_view text, const NumberRules& rules) {
    return judge(text, rules) + "/" + judge(text, on_test(rules));
}

TEST_SUITE("pseudonym/identity_number") {
    TEST_CASE("published test numbers: residues and verdicts under both rule sets") {
        const auto rows = test::read_tsv("identity-numbers.tsv");
        if (rows.empty()) return test::skipped("identity-numbers.tsv");
        CHECK(rows.size() >= 28);
        for (const auto& row : rows) {
            const std::string& number = row.at(0);
            CAPTURE(number);
            CHECK(residue(number, kWeights1) == std::stoi(row.at(1)));
            CHECK(residue(number, kWeights2) == std::stoi(row.at(2)));
            // Whatever the installation: which one takes it depends on the month, not on the control digits.
            const auto taken = [&](NumberRules rules) {
                rules.h_nummer = false;  // takes any control digits
                return judge(number, rules) != "E31" || judge(number, on_test(rules)) != "E31";
            };
            // Months 41 to 60 are no one's but the H-nummer's, whatever the control digits.
            const int month = std::stoi(number.substr(2, 2));
            const bool dated = number[0] >= '8' || month <= 40 || month > 60;
            CHECK(taken(before_2032(all_kinds())) == (dated && row.at(3) == "old"));
            CHECK(taken(all_kinds()) == (dated && (row.at(3) == "old" || row.at(3) == "2032")));
            CHECK((judge(number, all_kinds()) == "h") == (number[0] < '8' && month > 40 && month <= 52));
        }
    }

    TEST_CASE("every kind, on a production and a test installation") {
        const NumberRules rules = all_kinds();
        CHECK(both(number_like("130972"), rules) == "fodselsnummer/E31");
        CHECK(both(number_like("530972"), rules) == "d/E31");
        CHECK(both(number_like("138972"), rules) == "E31/fodselsnummer");  // Tenor: month + 80
        CHECK(both(number_like("538972"), rules) == "E31/d");
        CHECK(both(number_like("137472"), rules) == "E31/fodselsnummer");  // SyntPop: month + 65
        CHECK(both(number_like("537472"), rules) == "E31/d");
        CHECK(both(number_like("132972"), rules) == "npid/E31");
        CHECK(both(number_like("136272"), rules) == "E31/npid");  // month + 60, no + 65 month
        CHECK(both(number_like("134972"), rules) == "h/h");
        CHECK(both(number_like("134972", 5, 5), rules) == "h/h");  // issuers without control digits
        CHECK(both(number_like("813097"), rules) == "fh/fh");
        CHECK(both(number_like("999999"), rules) == "fh/fh");
        CHECK(both("202012345678", rules) == "duf/duf");
    }

    TEST_CASE("a register takes the kinds it is set to take") {
        const NumberRules rules;  // as formats.md § 4 has them by default
        CHECK(judge(number_like("130972"), rules) == "fodselsnummer");
        CHECK(judge(number_like("530972"), rules) == "d");
        CHECK(judge(number_like("813097"), rules) == "fh");
        CHECK(judge("202012345678", rules) == "duf");
        CHECK(judge(number_like("134972"), rules) == "E31");
        CHECK(judge(number_like("132972"), rules) == "E31");
        NumberRules none;
        none.fodselsnummer = none.d_nummer = none.fh_nummer = none.duf_nummer = false;
        for (const std::string& number : {number_like("130972"), number_like("530972"), number_like("813097"),
                                          number_like("134972"), number_like("132972"), std::string("202012345678")}) {
            CHECK(judge(number, none) == "E31");
        }
    }

    TEST_CASE("the rule of 2032: fødselsnummer and D-nummer, synthetic ones included, and nothing else") {
        for (const int k1 : {1, 2, 3}) {
            CAPTURE(k1);
            CHECK(both(number_like("130972", k1, 0), all_kinds()) == "fodselsnummer/E31");
            CHECK(both(number_like("530972", k1, 0), all_kinds()) == "d/E31");
            CHECK(both(number_like("138972", k1, 0), all_kinds()) == "E31/fodselsnummer");
            CHECK(both(number_like("537472", k1, 0), all_kinds()) == "E31/d");
            CHECK(both(number_like("132972", k1, 0), all_kinds()) == "E31/E31");
            CHECK(both(number_like("136272", k1, 0), all_kinds()) == "E31/E31");
            CHECK(both(number_like("813097", k1, 0), all_kinds()) == "E31/E31");
            CHECK(both(number_like("130972", k1, 0), before_2032(all_kinds())) == "E31/E31");
            CHECK(both(number_like("538972", k1, 0), before_2032(all_kinds())) == "E31/E31");
        }
        for (int k1 = 4; k1 < 11; ++k1) CHECK(both(number_like("130972", k1, 0), all_kinds()) == "E31/E31");
        for (int k2 = 1; k2 < 11; ++k2) {
            CHECK(both(number_like("130972", 0, k2), all_kinds()) == "E31/E31");
            CHECK(both(number_like("130972", 1, k2), all_kinds()) == "E31/E31");
        }
    }

    TEST_CASE("an impossible day or month is refused, a date to come is not") {
        const NumberRules rules;
        for (const char* date : {"010100", "310199", "290200", "290204", "290296", "300401", "311250", "310798"}) {
            CHECK_MESSAGE(judge(number_like(date), rules) == "fodselsnummer", date);
        }
        for (const char* date : {"000150", "320150", "300250", "290201", "290250", "310450", "310650", "310950",
                                 "311150", "010050", "011350"}) {
            CHECK_MESSAGE(judge(number_like(date), rules) == "E31", date);
        }
        CHECK(judge(number_like("690204"), rules) == "d");
        CHECK(judge(number_like("690201"), rules) == "E31");
        CHECK(judge(number_like("720150"), rules) == "E31");
        CHECK(judge(number_like("400150"), rules) == "E31");
        for (const char* day : {"298204", "296704"}) CHECK(both(number_like(day), rules) == "E31/fodselsnummer");
        for (const char* day : {"298201", "296701"}) CHECK(both(number_like(day), rules) == "E31/E31");
    }

    TEST_CASE("missing and wrong are told apart; nothing but 11 or 12 ASCII digits is a number") {
        const NumberRules rules = all_kinds();
        CHECK(judge("", rules) == "E30");
        for (const std::string_view text :
             {"0", "1309724802", "130972 48022", "130972-48022", "13097248022a", "a3097248022", "+13097248022",
              "1309724802\xc2\xb2", "\xd9\xa1\xd9\xa3", "1309724802222", "ukjent", "00000000000", "99999999999x"}) {
            CHECK_MESSAGE(judge(text, rules) == "E31", text);
        }
        CHECK(judge("00000000000", rules) == "E31");
    }

    TEST_CASE("text that must hold no identity number") {
        for (const std::string_view text :
             {"13097248022", "x13097248022y", "130972 48022", "1 3 0 9 7 2 4 8 0 2 2", "130972-48022", "130972.48022",
              "130972\xc2\xa0"
              "48022",
              "13\t09\r72\n48022", "53097248016", "202012345678", "2020 1234 5678", "Kari 13097248022 Nordmann",
              "5130972480221", "30108299939"}) {
            CHECK_MESSAGE(holds_identity_number(text), text);
        }
        CHECK(holds_identity_number(number_like("134972", 7, 7)));
        CHECK(holds_identity_number(number_like("132972")));
        CHECK(holds_identity_number(number_like("138972")));
        CHECK(holds_identity_number(number_like("813097")));
        CHECK(holds_identity_number("2026-01-01 " + number_like("137472")));
        // As office programs and the web write them: thin, figure and zero-width spaces, other hyphens, other digits.
        for (const std::string_view between :
             {"\xe2\x80\xaf", "\xe2\x80\x89", "\xe2\x80\x87", "\xe2\x80\x8b", "\xe2\x80\x91", "\xe2\x80\x93",
              "\xe2\x88\x92", "\xe3\x80\x80", "\xc2\xad"}) {
            CHECK(holds_identity_number("Ola 130972" + std::string(between) + "48022"));
        }
        CHECK(holds_identity_number("130972\xef\xbc\x94\xef\xbc\x98\xef\xbc\x90\xef\xbc\x92\xef\xbc\x92"));
        CHECK(holds_identity_number("2012 3456 7890 1"));  // a DUF-nummer and a digit more
        for (const std::string_view text :
             {"", "1309724802", "13097248023", "130972/48022", "130972a48022", "974761076", "2026-12-31", "+4799999999",
              "1309724802\xe2\x82\xac"
              "2",
              "130972\xc2"
              "48022"}) {
            CHECK_MESSAGE(!holds_identity_number(text), text);
        }
    }
}

}  // namespace
