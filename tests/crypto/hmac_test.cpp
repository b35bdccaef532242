#include "crypto/hmac.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/crypto/outside.h"

namespace tpf::crypto {

TEST_SUITE("crypto/hmac") {
    TEST_CASE("Wycheproof, in one piece and byte by byte, under one key after the other") {
        const auto data = test::wycheproof("hmac_sha256_test.json");
        if (!data) return;
        int cases = 0;
        for (const auto& group : (*data)["testGroups"]) {
            const auto size = group["tagSize"].get<std::size_t>() / 8;
            for (const auto& item : group["tests"]) {
                const Bytes key = test::unhex(item["key"]);
                const Bytes message = test::unhex(item["msg"]);
                const Bytes tag = test::unhex(item["tag"]);
                HmacSha256 mac(SecretBytes::copy_of(key));
                for (const std::size_t step : {std::max<std::size_t>(message.size(), 1), std::size_t{1}}) {
                    for (std::size_t at = 0; at < message.size(); at += step)
                        mac.update(as_text(message).substr(at, step));
                    std::array<std::uint8_t, 32> out{};
                    mac.finish(out);
                    CAPTURE(item["tcId"].get<int>());
                    CHECK(std::equal(tag.begin(), tag.end(), out.begin()) == (item["result"] == "valid"));
                    CHECK(tag.size() == size);
                }
                ++cases;
            }
        }
        CHECK(cases == 174);
    }
}

}  // namespace tpf::crypto
