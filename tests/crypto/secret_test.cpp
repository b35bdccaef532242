#include "crypto/secret.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <ostream>
#include <set>
#include <string>
#include <type_traits>

namespace tpf::crypto {
namespace {

template <class T>
concept Streamable = requires(std::ostream& out, const T& value) {
    out << value;
};

static_assert(!Streamable<SecretBytes>, "a secret must not be printable");
static_assert(!fmt::is_formattable<SecretBytes>::value, "a secret must not be formattable");
static_assert(!std::is_copy_constructible_v<SecretBytes> && !std::is_copy_assignable_v<SecretBytes>);
static_assert(!std::is_constructible_v<std::string, SecretBytes>);

std::string text_of(const SecretBytes& secret) {
    return std::string(as_text(secret.bytes(SecretToken::access())));
}

}  // namespace

TEST_SUITE("crypto/secret") {
    TEST_CASE("made, moved, cloned") {
        auto a = SecretBytes::copy_of(as_bytes("hemmelig"));
        const auto b = a.clone();
        CHECK(text_of(b) == "hemmelig");
        const auto c = std::move(a);
        CHECK(text_of(c) == "hemmelig");
        CHECK(a.size() == 0);  // NOLINT(bugprone-use-after-move): a moved-from secret is empty, as the header says
        CHECK(a.bytes(SecretToken::access()).empty());
        CHECK(SecretBytes().size() == 0);
        CHECK(text_of(SecretBytes(3)) == std::string(3, '\0'));
    }

    TEST_CASE("writable bytes are the object's own") {
        SecretBytes a(2);
        a.writable(SecretToken::access())[1] = 7;
        CHECK(a.bytes(SecretToken::access())[1] == 7);
        CHECK(SecretBytes().writable(SecretToken::access()).empty());
    }

    TEST_CASE("random secrets have their size and differ") {
        std::set<std::string> seen;
        for (int i = 0; i < 1000; ++i) {
            const auto secret = SecretBytes::random(32);
            CHECK(secret.size() == 32);
            seen.insert(text_of(secret));
        }
        CHECK(seen.size() == 1000);
    }

    TEST_CASE("wiping leaves zeros") {
        Bytes bytes(100, 7);
        wipe(bytes);
        CHECK(bytes == Bytes(100, 0));
        wipe({});
    }
}

}  // namespace tpf::crypto
