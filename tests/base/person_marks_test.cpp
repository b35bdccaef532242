#include "base/person_marks.h"

#include <doctest/doctest.h>

#include <vector>

using namespace tpf;
using Kode = PersonMarks::Kode;

namespace {

std::vector<PersonMarks::Marked> all(const PersonMarks& marks) {
    std::vector<PersonMarks::Marked> list;
    for (auto one = marks.next(0); one; one = marks.next(one->person)) list.push_back(*one);
    return list;
}

}  // namespace

TEST_SUITE("base/person_marks") {
    TEST_CASE("nobody") {
        const PersonMarks marks;
        CHECK(marks.empty());
        CHECK(marks.bytes().empty());
        CHECK_FALSE(marks.next(0));
        CHECK_FALSE(marks.next(7));
    }

    TEST_CASE("every place in a byte, and far apart") {
        const std::vector<PersonMarks::Marked> wanted = {{1, Kode::e30}, {2, Kode::e31},   {4, Kode::e30},
                                                         {5, Kode::e31}, {400, Kode::e30}, {10'000'000, Kode::e31}};
        PersonMarks marks;
        for (const auto& one : wanted) marks.mark(one.person, one.kode);
        CHECK(all(marks) == wanted);
        CHECK(marks.count() == wanted.size());
        CHECK(marks.next(4)->person == 5);
        const auto parsed = PersonMarks::parse(Bytes(marks.bytes().begin(), marks.bytes().end()));
        REQUIRE(parsed);
        CHECK(parsed.value() == marks);
    }

    TEST_CASE("the documented bytes") {
        PersonMarks marks;
        marks.mark(2, Kode::e31);
        marks.mark(3, Kode::e30);
        marks.mark(5, Kode::e30);
        CHECK(Bytes(marks.bytes().begin(), marks.bytes().end()) == Bytes{0x18, 0x01});
    }

    TEST_CASE("the bound: two bits a person, however many are marked") {
        PersonMarks marks;
        for (std::uint64_t person = 1; person <= 1'000'000; ++person) {
            marks.mark(person, person % 2 == 0 ? Kode::e30 : Kode::e31);
        }
        CHECK(marks.count() == 1'000'000);
        CHECK(marks.bytes().size() == 250'000);
    }

    TEST_CASE("bytes that are none") {
        CHECK_FALSE(PersonMarks::parse({0x03}));
        CHECK_FALSE(PersonMarks::parse({0x01, 0xc0}));
        CHECK_FALSE(PersonMarks::parse({0x01, 0x00}));
        CHECK(PersonMarks::parse({}));
    }
}
