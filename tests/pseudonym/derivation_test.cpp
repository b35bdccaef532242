#include "pseudonym/derivation.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "base/encoding.h"
#include "tests/support/submission_builder.h"
#include "tests/support/vectors.h"

using namespace tpf;
using namespace tpf::pseudonym;

namespace {

PseudonymDeriver deriver(const std::string& key_hex, unsigned version, std::string_view domain) {
    const Bytes key = test::must(from_hex(key_hex));
    return {crypto::HmacSha256(crypto::SecretBytes::copy_of(key)), version, domain};
}

/// H-nummer taken; the installation is the one that takes `number`.
std::string pseudonym(PseudonymDeriver& deriver, std::string_view number, std::string_view organisation) {
    NumberRules rules;
    rules.h_nummer = true;
    if (!IdentityNumber::judge(number, rules).number) rules.installation = Installation::test;
    const auto judged = IdentityNumber::judge(number, rules);
    REQUIRE(judged.number);
    std::string out = "x";
    REQUIRE(deriver.append(*judged.number, organisation, out).has_value());
    return out.substr(1);
}

constexpr const char* kKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

TEST_SUITE("pseudonym/derivation") {
    TEST_CASE("known answers from outside") {
        const auto rows = test::read_tsv("pseudonyms.tsv");
        if (rows.empty()) return test::skipped("pseudonyms.tsv");
        CHECK(rows.size() >= 16);
        for (const auto& row : rows) {
            auto keyed = deriver(row.at(0), static_cast<unsigned>(std::stoul(row.at(2))), row.at(1));
            const std::string identity = row.at(3);
            const std::size_t colon = identity.find(':');
            const std::string organisation = colon == std::string::npos ? "974761076" : identity.substr(colon + 1);
            CHECK_MESSAGE(pseudonym(keyed, identity.substr(0, colon), organisation) == row.at(4), identity);
        }
    }

    TEST_CASE("an H-nummer means something only within the enterprise that issued it") {
        auto keyed = deriver(kKey, 1, "IPLOS");
        // Python: hmac.new(bytes(range(32)), b"tpf-pseudonym-v1\0IPLOS\x0013527248013:974761076", "sha256")
        CHECK(pseudonym(keyed, "13527248013", "974761076") == "1-wrszwheuviuq4cuvg26tdsz5xapmmmhy");
        CHECK(pseudonym(keyed, "13527248013", "974761076") != pseudonym(keyed, "13527248013", "971032081"));
        CHECK(pseudonym(keyed, "13097248022", "974761076") == pseudonym(keyed, "13097248022", "971032081"));
    }

    TEST_CASE("one deriver, many numbers: each answer stands alone") {
        auto keyed = deriver(kKey, 1, "IPLOS");
        const std::string first = pseudonym(keyed, "13097248022", "974761076");
        CHECK(first == "1-a2zvgphbpxjt6iz2hfthifyui6sxg4y2");
        CHECK(pseudonym(keyed, "53097248016", "974761076") == "1-afm52qt4umrozpahuharfxghwil7iwvx");
        CHECK(pseudonym(keyed, "13097248022", "974761076") == first);
    }

    TEST_CASE("key, version and domain each make another pseudonym") {
        auto plain = deriver(kKey, 1, "IPLOS");
        auto domain = deriver(kKey, 1, "KPR");
        auto key = deriver("ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 1, "IPLOS");
        auto version = deriver(kKey, 12, "IPLOS");
        std::set<std::string> seen;
        for (PseudonymDeriver* each : {&plain, &domain, &key, &version}) {
            seen.insert(pseudonym(*each, "13097248022", "974761076"));
        }
        CHECK(seen.size() == 4);
        CHECK(pseudonym(version, "13097248022", "974761076") == "12-a2zvgphbpxjt6iz2hfthifyui6sxg4y2");
    }
}

}  // namespace
