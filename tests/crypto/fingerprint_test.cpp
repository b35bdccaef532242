#include "crypto/fingerprint.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace tpf::crypto {
namespace {

Fingerprint fingerprint(const FingerprintKey& key, const Bytes& bytes, std::size_t step) {
    Fingerprinter fingerprinter(key);
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        fingerprinter.update(ByteView(bytes).subspan(at, std::min(step, bytes.size() - at)));
    }
    return fingerprinter.finish();
}

}  // namespace

TEST_SUITE("crypto/fingerprint") {
    TEST_CASE("the same bytes, however they are cut; any changed bit, and any other length, is another fingerprint") {
        const FingerprintKey key;
        Bytes bytes(1000);
        for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 7);
        const auto whole = fingerprint(key, bytes, bytes.size());
        for (const std::size_t step : {1U, 15U, 16U, 17U, 333U}) CHECK(fingerprint(key, bytes, step) == whole);
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            Bytes changed = bytes;
            changed[i] ^= 1;
            CHECK(fingerprint(key, changed, 64) != whole);
        }
        Bytes longer = bytes;
        longer.push_back(0);
        CHECK(fingerprint(key, longer, 64) != whole);
        CHECK(fingerprint(key, Bytes(bytes.begin(), bytes.end() - 1), 64) != whole);
    }

    TEST_CASE("another key, another fingerprint") {
        const Bytes bytes(100, 1);
        CHECK(fingerprint(FingerprintKey(), bytes, 100) != fingerprint(FingerprintKey(), bytes, 100));
    }
}

}  // namespace tpf::crypto
