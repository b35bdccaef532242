#include "krypteringsmodul/key_stock.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "krypteringsmodul/person_sealer.h"
#include "tests/krypteringsmodul/stage.h"

namespace tpf::krypteringsmodul {
namespace {

constexpr auto kTransport = crypto::KeyTransport::oaep_sha256_mgf1_sha256;

Bytes bytes_of(const crypto::ContentKey& key) {
    const auto view = key.key.bytes(crypto::SecretToken::access());
    return Bytes(view.begin(), view.end());
}

RecipientKey recipient() {
    return {test::must(KeyId::parse("IPLOS-2026")), test::register_key().public_key()};
}

}  // namespace

TEST_SUITE("krypteringsmodul/key_stock") {
    TEST_CASE("a stock fills up to its limit; each key comes out once and is what the wrapped one opens to") {
        KeyStock stock(recipient(), kTransport, 3, 40);
        std::set<Bytes> keys;
        while (keys.size() < 40) {
            const auto next = stock.take();
            if (!next) continue;
            const auto opened =
                test::must(test::register_key().unwrap(kTransport, crypto::ContentCipher::aes256_gcm, next->wrapped));
            CHECK(bytes_of(opened) == bytes_of(next->key));
            CHECK(keys.insert(bytes_of(next->key)).second);
        }
    }

    TEST_CASE("what a stopped stock holds can still be taken, and no more comes") {
        KeyStock stock(recipient(), kTransport, 2, 10);
        while (!stock.take()) std::this_thread::yield();
        stock.stop();
        std::size_t left = 0;
        while (stock.take()) ++left;
        CHECK(left <= 10);
        CHECK(!stock.take());
    }

    TEST_CASE("persons sealed from a stock, and past its end, share no key") {
        KeyStock stock(recipient(), kTransport, 1, 5);
        while (!stock.take()) std::this_thread::yield();
        PersonSealer sealer(recipient(), kTransport,
                            test::must(MeldingsId::parse("7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11")), &stock);
        std::set<Bytes> keys;
        for (std::uint64_t position = 1; position <= 20; ++position) {
            std::string out;
            REQUIRE(sealer.seal({"01010012345", "<a/>"}, position, out));
            // The first CipherValue is the wrapped key. Wrapped again, the same key would look like another one.
            const std::size_t begin = out.find("<xenc:CipherValue>") + 18;
            const auto wrapped = test::must(from_base64(out.substr(begin, out.find('<', begin) - begin)));
            keys.insert(bytes_of(
                test::must(test::register_key().unwrap(kTransport, crypto::ContentCipher::aes256_gcm, wrapped))));
        }
        CHECK(keys.size() == 20);
    }
}

}  // namespace tpf::krypteringsmodul
