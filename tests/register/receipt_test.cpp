#include "register/receipt.h"

#include <doctest/doctest.h>

#include <set>

#include "base/encoding.h"

using namespace tpf;
using namespace tpf::reg;
using namespace std::string_literals;

namespace {

Receipt example(Receipt::Status status) {
    return {status, "IPLOS-1", "navn", "00ff", "2027-01-04T09:30:00Z", "c2lnbmF0dXI="};
}

}  // namespace

TEST_SUITE("register/receipt") {
    TEST_CASE("JSON as the format writes it, and back") {
        const Receipt received = example(Receipt::Status::received);
        CHECK(
            to_json(received) ==
            R"({"status":"mottatt","kvittering":"IPLOS-1","navn":"navn","sha256":"00ff","mottatt":"2027-01-04T09:30:00Z","signatur":"c2lnbmF0dXI="})");
        const Receipt refused = example(Receipt::Status::refused);
        CHECK(
            to_json(refused) ==
            R"({"status":"avvist","kode":"IPLOS-1","navn":"navn","sha256":"00ff","mottatt":"2027-01-04T09:30:00Z","signatur":"c2lnbmF0dXI="})");
        for (const Receipt& receipt : {received, refused}) {
            const auto read = receipt_from_json(to_json(receipt));
            REQUIRE(read.has_value());
            CHECK(read.value() == receipt);
        }
        for (const char* bad : {"", "{}", "[]", R"({"status":"annet"})", R"({"status":"mottatt","kode":"x"})"}) {
            const auto read = receipt_from_json(bad);
            REQUIRE_MESSAGE(!read.has_value(), bad);
            CHECK(read.error().code() == Code::record_damaged);
        }
    }

    TEST_CASE("the signature covers register, name, digest, status, token and time") {
        const auto reg = RegisterName::parse("IPLOS").value();
        const auto key = crypto::SigningKey::generate();
        Receipt receipt = example(Receipt::Status::received);
        sign(receipt, reg, key);
        const auto signature = from_base64(receipt.signature).value();
        const std::string text =
            "tpf-kvittering-v1\0IPLOS\0navn\0"
            "00ff\0mottatt\0IPLOS-1\0"
            "2027-01-04T09:30:00Z"s;
        CHECK(receipt_text(reg, receipt) == text);
        CHECK(key.verify_key().verify(text, signature));
        receipt.status = Receipt::Status::refused;
        CHECK_FALSE(key.verify_key().verify(receipt_text(reg, receipt), signature));
    }

    TEST_CASE("a kvittering is a token and never the same") {
        const auto reg = RegisterName::parse("ABCDEFGHIJKL").value();
        std::set<std::string> seen;
        for (int i = 0; i < 100; ++i) {
            const std::string kvittering = new_kvittering(reg);
            CHECK(is_token(kvittering));
            CHECK(kvittering.size() == 12 + 1 + 26);
            CHECK(seen.insert(kvittering).second);
        }
    }
}
