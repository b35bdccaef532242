#include "forward/body.h"

#include <doctest/doctest.h>

#include "base/encoding.h"
#include "tests/forward/outbox_double.h"

namespace {

using namespace tpf;
using forward::Body;
using forward::test::TextFile;

std::string text_of(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
    return text;
}

Body body_of(const std::string& text, std::uint64_t length, const Digest& digest) {
    return Body(std::make_unique<TextFile>(text), length, digest);
}

/// Everything handed out before the end or the error.
struct Read {
    std::string text;
    bool last = false;
    Code code = Code::internal;
};
Read read_all(Body& body) {
    Read read;
    for (;;) {
        const auto piece = body.next();
        if (!piece) {
            read.code = piece.error().code();
            return read;
        }
        read.text += as_text(piece.value().bytes);
        read.last = piece.value().last;
        if (read.last) return read;
    }
}

TEST_SUITE("forward/body") {
    constexpr std::size_t kPiece = Body::kPieceBytes;

    TEST_CASE("whole bodies of every length around a piece") {
        for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kPiece - 1, kPiece, kPiece + 1, 3 * kPiece}) {
            CAPTURE(size);
            const std::string text = text_of(size);
            Body body = body_of(text, size, sha256(text));
            CHECK(read_all(body).last);
            REQUIRE(body.rewind());
            CHECK(read_all(body).text == text);
        }
    }

    TEST_CASE("a wrong digest never gives out the last piece") {
        for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kPiece, kPiece + 1, 3 * kPiece}) {
            CAPTURE(size);
            const std::string text = text_of(size);
            Body body = body_of(text, size, sha256("something else"));
            const Read read = read_all(body);
            CHECK_FALSE(read.last);
            CHECK(read.code == Code::record_damaged);
            CHECK(read.text.size() == (size == 0 ? 0 : (size - 1) / kPiece * kPiece));
        }
    }

    TEST_CASE("a file longer or shorter than the record says") {
        const std::string text = text_of(2 * kPiece);
        for (const std::uint64_t length : {2 * kPiece - 1, 2 * kPiece + 1, kPiece}) {
            CAPTURE(length);
            Body body = body_of(text, length,
                                sha256(std::string_view(text).substr(0, std::min<std::size_t>(length, text.size()))));
            const Read read = read_all(body);
            CHECK_FALSE(read.last);
            CHECK(read.code == Code::record_damaged);
        }
    }
}

}  // namespace
