#include "base/encoding.h"

#include <doctest/doctest.h>

namespace tpf {

TEST_SUITE("base/encoding") {
    TEST_CASE("hex is written in lower case and read in either") {
        const Bytes bytes{0x00, 0x01, 0x7f, 0x80, 0xab, 0xff};
        CHECK(hex(bytes) == "00017f80abff");
        CHECK(from_hex("00017f80abff").value() == bytes);
        CHECK(from_hex("00017F80ABFF").value() == bytes);
        CHECK(from_hex("").value().empty());
    }

    TEST_CASE("anything but pairs of hex digits is refused") {
        for (const char* bad : {"0", "0g", "g0", " 0", "0x", "00 ", "ÿÿ"}) {
            CHECK(from_hex(bad).error().code() == Code::field_form);
        }
    }

    // RFC 4648 § 10.
    TEST_CASE("base64: the vectors of RFC 4648") {
        const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                               {"f", "Zg=="},
                                                               {"fo", "Zm8="},
                                                               {"foo", "Zm9v"},
                                                               {"foob", "Zm9vYg=="},
                                                               {"fooba", "Zm9vYmE="},
                                                               {"foobar", "Zm9vYmFy"}};
        for (const auto& [plain, text] : vectors) {
            CHECK(base64(as_bytes(plain)) == text);
            CHECK(as_text(from_base64(text).value()) == plain);
        }
    }

    TEST_CASE("short base64 values take no white space, no missing padding, no spare bits") {
        for (const char* bad : {"Zg=", "Zg", "Z", "Zg= =", "Zg==\n", " Zg==", "Zh==", "Zm9=", "Zg===", "====", "=",
                                "Zg==Zg==", "Zm9v!", "Zm9-", "Zm9_"}) {
            CAPTURE(bad);
            CHECK(from_base64(bad).error().code() == Code::base64);
        }
    }
}

}  // namespace tpf
