#include "base/base64_stream.h"

#include <doctest/doctest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/encoding.h"

namespace tpf {
namespace {

constexpr std::array kPaths = {Base64Path::scalar, Base64Path::avx2, Base64Path::fastest};

Bytes random_bytes(std::mt19937& random, std::size_t size) {
    Bytes bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    return bytes;
}

/// OpenSSL's encoder: the judge that is not ours.
std::string openssl_base64(const Bytes& bytes) {
    std::string text(bytes.size() / 3 * 4 + 8, '\0');
    const int size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(), static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(size));
    return text;
}

/// Cuts `text` at random places.
std::vector<std::string_view> pieces(std::mt19937& random, std::string_view text, std::size_t longest) {
    std::vector<std::string_view> cut;
    while (!text.empty()) {
        const std::size_t size = std::min<std::size_t>(text.size(), random() % (longest + 1));
        cut.push_back(text.substr(0, size));
        text.remove_prefix(size);
    }
    return cut;
}

/// The decoded bytes, or nothing when it was refused. The output buffer is as small as the contract allows, and
/// guarded.
std::optional<Bytes> decode(Base64Path path, const std::vector<std::string_view>& cut) {
    Base64Decoder decoder(path);
    Bytes all;
    for (const auto piece : cut) {
        Bytes out(Base64Decoder::max_output(piece.size()));
        const auto size = decoder.update(piece, out.data());
        if (!size) return std::nullopt;
        REQUIRE(size.value() <= out.size());
        all.insert(all.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size.value()));
    }
    if (!decoder.finish()) return std::nullopt;
    return all;
}

/// The same, taken in runs as far as they reach and character by character where one ends.
std::optional<Bytes> decode_in_runs(Base64Path path, const std::vector<std::string_view>& cut) {
    Base64Decoder decoder(path);
    Bytes all;
    const auto keep = [&](const Bytes& out, std::size_t size) {
        REQUIRE(size <= out.size());
        all.insert(all.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
    };
    for (std::string_view rest : cut) {
        while (!rest.empty()) {
            Bytes out(Base64Decoder::max_output(rest.size()));
            const auto run = decoder.run(rest, out.data());
            keep(out, run.written);
            rest.remove_prefix(run.taken);
            if (rest.empty()) break;
            const auto size = decoder.update(rest.substr(0, 1), out.data());
            if (!size) return std::nullopt;
            keep(out, size.value());
            rest.remove_prefix(1);
        }
    }
    if (!decoder.finish()) return std::nullopt;
    return all;
}

/// What the validator says of runs, and whether it copied each as it is.
std::optional<std::uint64_t> validate_in_runs(Base64Path path, const std::vector<std::string_view>& cut) {
    Base64Validator counter(path), copier(path);
    for (std::string_view rest : cut) {
        while (!rest.empty()) {
            const std::size_t run = counter.run(rest);
            std::string copy(rest.size() + 1, '~');
            REQUIRE(copier.copy_run(rest, copy.data()) == run);
            CHECK(copy.substr(0, run) == rest.substr(0, run));
            CHECK(copy.substr(run) == std::string(copy.size() - run, '~'));
            rest.remove_prefix(run);
            if (rest.empty()) break;
            const auto one = counter.update(rest.substr(0, 1));
            REQUIRE(copier.update(rest.substr(0, 1)).has_value() == one.has_value());
            if (!one) return std::nullopt;
            rest.remove_prefix(1);
        }
    }
    if (!counter.finish()) return std::nullopt;
    REQUIRE(copier.finish());
    CHECK(copier.decoded_size() == counter.decoded_size());
    return counter.decoded_size();
}

std::optional<std::uint64_t> validate(Base64Path path, const std::vector<std::string_view>& cut) {
    Base64Validator validator(path);
    for (const auto piece : cut) {
        if (!validator.update(piece)) return std::nullopt;
    }
    if (!validator.finish()) return std::nullopt;
    return validator.decoded_size();
}

std::string spaced(std::mt19937& random, const std::string& text, unsigned one_in) {
    std::string out;
    for (const char c : text) {
        while (random() % one_in == 0) out += " \t\r\n"[random() % 4];
        out += c;
    }
    return out;
}

}  // namespace

TEST_SUITE("base/base64_stream") {
    TEST_CASE("every path encodes as OpenSSL does, whatever the split") {
        std::mt19937 random(1);
        for (std::size_t size = 0; size < 400; ++size) {
            const Bytes bytes = random_bytes(random, size);
            const std::string expected = openssl_base64(bytes);
            for (const auto path : kPaths) {
                Base64Encoder encoder(path);
                std::string text;
                for (const auto piece : pieces(random, as_text(bytes), 1 + random() % 90)) {
                    std::string out(Base64Encoder::max_output(piece.size()), '\0');
                    out.resize(encoder.update(as_bytes(piece), out.data()));
                    text += out;
                }
                char last[4];
                text.append(last, encoder.finish(last));
                CHECK(text == expected);
                CHECK(encoder.finish(last) == 0);
            }
        }
    }

    TEST_CASE("every path decodes what OpenSSL encoded, whatever the split and the white space") {
        std::mt19937 random(2);
        for (std::size_t size = 0; size < 400; ++size) {
            const Bytes bytes = random_bytes(random, size);
            const std::string text = openssl_base64(bytes);
            for (const unsigned one_in : {1000000U, 70U, 3U}) {
                const std::string with_space = spaced(random, text, one_in);
                const auto cut = pieces(random, with_space, 1 + random() % 150);
                for (const auto path : kPaths) {
                    CHECK(decode(path, cut) == bytes);
                    CHECK(validate(path, cut) == bytes.size());
                    CHECK(decode_in_runs(path, cut) == bytes);
                    CHECK(validate_in_runs(path, cut) == bytes.size());
                }
            }
        }
    }

    TEST_CASE("every character at every place of a long text: all paths judge alike, and as the alphabet says") {
        const std::string good(192, 'Q');
        for (std::size_t at = 0; at < good.size(); ++at) {
            for (int c = 0; c < 256; ++c) {
                std::string text = good;
                text[at] = static_cast<char>(c);
                const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
                const bool expected = alphabet.find(static_cast<char>(c)) != std::string::npos;
                for (const auto path : kPaths) {
                    const auto bytes = decode(path, {text});
                    // A padding character is fine at the very end, where "QQQ=" has spare bits that are zero.
                    const bool last_pad = c == '=' && at + 1 == text.size();
                    CHECK(bytes.has_value() == (expected || last_pad));
                    CHECK(validate(path, {text}).has_value() == bytes.has_value());
                    CHECK(decode_in_runs(path, {text}) == bytes);
                    CHECK(validate_in_runs(path, {text}).has_value() == bytes.has_value());
                    Base64Validator counter(path);
                    const bool stands = expected || (counter.run(text) == at);
                    CHECK(stands);
                }
            }
        }
    }

    TEST_CASE("damaged texts: all paths, decoder and validator give one verdict") {
        std::mt19937 random(3);
        int refused = 0;
        for (int round = 0; round < 20000; ++round) {
            std::string text = spaced(random, openssl_base64(random_bytes(random, random() % 120)), 40);
            for (auto changes = random() % 3; changes > 0 && !text.empty(); --changes) {
                const auto at = random() % text.size();
                if (random() % 2 == 0) {
                    text[at] = "=Aa/ \n-\xff\0z"[random() % 10];
                } else {
                    text.erase(at, 1);
                }
            }
            const auto cut = pieces(random, text, 1 + random() % 64);
            const auto first = decode(Base64Path::scalar, cut);
            if (!first) ++refused;
            CHECK(decode(Base64Path::scalar, {text}) == first);
            CHECK(decode(Base64Path::avx2, cut) == first);
            for (const auto path : {Base64Path::scalar, Base64Path::avx2}) {
                const auto counted = validate(path, cut);
                CHECK(counted.has_value() == first.has_value());
                CHECK(decode_in_runs(path, cut) == first);
                CHECK(validate_in_runs(path, cut) == counted);
                if (counted && first) CHECK(*counted == first->size());
            }
        }
        CHECK(refused > 1000);
    }

    TEST_CASE("padding closes the text, spare bits are zero, a group is whole") {
        for (const char* good : {"", " \r\n\t", "Zg==", "Z g = = \n", "Zm8=\n", "Zm9v"}) {
            CAPTURE(good);
            CHECK(decode(Base64Path::fastest, {good}).has_value());
        }
        for (const char* bad : {"=", "Z=", "Z===", "Zh==", "Zm9=", "Zg==Zg==", "Zg==A", "Zg=A", "Z", "Zg", "Zm9",
                                "Zg=", "Zg===", "Zm8=="}) {
            CAPTURE(bad);
            CHECK_FALSE(decode(Base64Path::fastest, {bad}).has_value());
            CHECK_FALSE(validate(Base64Path::fastest, {bad}).has_value());
        }
    }

    TEST_CASE("a reset object begins anew") {
        Base64Decoder decoder;
        std::uint8_t out[64];
        REQUIRE(decoder.update("Zg==", out).has_value());
        decoder.reset();
        CHECK(decoder.update("Zm9v", out).value() == 3);
        CHECK(decoder.finish().has_value());
        Base64Validator validator;
        REQUIRE(validator.update("Zg").has_value());
        validator.reset();
        CHECK(validator.finish().has_value());
        CHECK(validator.decoded_size() == 0);
    }
}

}  // namespace tpf
