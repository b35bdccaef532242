#include "pseudonym/utf8.h"

#include <doctest/doctest.h>

#include <string>

using namespace tpf::pseudonym;

TEST_SUITE("pseudonym/utf8") {
    TEST_CASE("the plain start ends at each byte that means something else, wherever it stands") {
        for (unsigned byte = 0; byte < 256; ++byte) {
            const char c = static_cast<char>(byte);
            const bool plain = c == '\t' || c == '\n' || c == '\r' ||
                               (byte >= 0x20 && byte < 0x80 && c != '<' && c != '&' && c != ']');
            for (std::size_t size = 1; size < 200; size += 7) {
                for (std::size_t at = 0; at < size; ++at) {
                    std::string text(size, 'x');
                    text[at] = c;
                    REQUIRE(plain_prefix(text) == (plain ? size : at));
                }
            }
        }
        CHECK(plain_prefix("") == 0);
    }

    TEST_CASE("letters of two bytes are plain when they are whole and between U+00C0 and U+00FF") {
        for (unsigned lead = 0x80; lead < 256; ++lead) {
            for (unsigned follow = 0; follow < 256; follow += 3) {
                const bool plain = lead == 0xc3 && follow >= 0x80 && follow < 0xc0;
                for (std::size_t at = 0; at < 70; ++at) {
                    std::string text(72, 'x');
                    text[at] = static_cast<char>(lead);
                    text[at + 1] = static_cast<char>(follow);
                    REQUIRE(plain_prefix(text) == (plain ? text.size() : at));
                    REQUIRE(plain_prefix(text.substr(0, at + 1)) == at);
                }
            }
        }
        std::string letters;
        while (letters.size() < 200) {
            letters += "\xc3\xa6\xc3\xb8\xc3\xa5";
            CHECK(plain_prefix(letters) == letters.size());
            CHECK(plain_prefix("x" + letters) == letters.size() + 1);
            CHECK(plain_prefix(letters + "\xa5") == letters.size());
            CHECK(plain_prefix(letters + "\xc3\xc3") == letters.size());
        }
    }

    TEST_CASE("line ends in long text do not end the plain start") {
        std::string text;
        for (unsigned line = 0; line < 100; ++line) text += std::string(76, 'A') + "\r\n";
        CHECK(plain_prefix(text) == text.size());
        CHECK(plain_prefix(text + "<") == text.size());
    }
}
