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
                    REQUIRE(plain_ascii_prefix(text) == (plain ? size : at));
                }
            }
        }
        CHECK(plain_ascii_prefix("") == 0);
    }

    TEST_CASE("line ends in long text do not end the plain start") {
        std::string text;
        for (unsigned line = 0; line < 100; ++line) text += std::string(76, 'A') + "\r\n";
        CHECK(plain_ascii_prefix(text) == text.size());
        CHECK(plain_ascii_prefix(text + "<") == text.size());
    }
}
