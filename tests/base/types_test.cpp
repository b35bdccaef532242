#include "base/types.h"

#include <doctest/doctest.h>

#include <set>

namespace tpf {

TEST_SUITE("base/types") {
    TEST_CASE("a UUID is version 4, variant 1, lower case") {
        CHECK(MeldingsId::parse("7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11").value().str() ==
              "7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11");
        for (const char* bad : {"", "7F1C0C2E-6C3B-4F0E-9A35-0C6A3F4D2B11", "7f1c0c2e-6c3b-1f0e-9a35-0c6a3f4d2b11",
                                "7f1c0c2e-6c3b-4f0e-ca35-0c6a3f4d2b11", "7f1c0c2e-6c3b-4f0e-7a35-0c6a3f4d2b11",
                                "7f1c0c2e6c3b4f0e9a350c6a3f4d2b11", "7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b1",
                                "7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b111", "7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b1g",
                                "../../../../../../../../../../../etc", "7f1c0c2e-6c3b-4f0e-9a35/0c6a3f4d2b11"}) {
            CAPTURE(bad);
            CHECK(MeldingsId::parse(bad).error().code() == Code::field_form);
        }
    }

    TEST_CASE("random UUIDs parse and differ") {
        std::set<std::string> seen;
        for (int i = 0; i < 1000; ++i) {
            const auto id = SpoolId::random();
            CHECK(SpoolId::parse(id.view()).value() == id);
            seen.insert(id.str());
        }
        CHECK(seen.size() == 1000);
    }

    TEST_CASE("a sender is kommunenummer, bydelsnummer and a valid organisasjonsnummer") {
        // 974761076 is Skatteetaten's own number in Enhetsregisteret.
        const auto sender = Avsender::parse("0301-00-974761076").value();
        CHECK(sender.kommunenummer() == "0301");
        CHECK(sender.bydelsnummer() == "00");
        CHECK(sender.organisasjonsnummer() == "974761076");
        CHECK(sender == Avsender::create("0301", "00", "974761076").value());
        CHECK(Avsender::create("301", "00", "974761076").error().code() == Code::kommunenummer);
        CHECK(Avsender::create("03a1", "00", "974761076").error().code() == Code::kommunenummer);
        CHECK(Avsender::create("0301", "0", "974761076").error().code() == Code::field_form);
        CHECK(Avsender::create("0301", "00", "974761077").error().code() == Code::field_form);
        CHECK(Avsender::create("0301", "00", "97476107").error().code() == Code::field_form);
        for (const char* bad :
             {"", "0301-00-97476107", "0301_00-974761076", "0301-00_974761076", "0301-00-9747610766"}) {
            CHECK_FALSE(Avsender::parse(bad).has_value());
        }
    }

    TEST_CASE("registers and key ids keep to their grammars") {
        CHECK(RegisterName::parse("IPLOS").value().str() == "IPLOS");
        for (const char* bad : {"", "K", "kpr", "IPLOS1", "ABCDEFGHIJKLM", "KP R", "ÆØ"}) {
            CHECK_FALSE(RegisterName::parse(bad).has_value());
        }
        CHECK(KeyId::parse("TPF-2026_a.b").value().str() == "TPF-2026_a.b");
        for (const std::string& bad : {std::string(), std::string(65, 'a'), std::string("a b"), std::string("a/b"),
                                       std::string("a\0b", 3), std::string("å")}) {
            CHECK_FALSE(KeyId::parse(bad).has_value());
        }
        CHECK(is_token(std::string(64, 'a')));
    }

    TEST_CASE("a message's name goes to text and back") {
        const std::string text = "0301-00-974761076-7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11";
        CHECK(MessageName::parse(text).value().str() == text);
        CHECK_FALSE(MessageName::parse(text + "1").has_value());
        CHECK_FALSE(MessageName::parse(text.substr(1)).has_value());
        CHECK_FALSE(MessageName::parse("0301-00-974761076_7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11").has_value());
    }
}

}  // namespace tpf
