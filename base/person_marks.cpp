#include "base/person_marks.h"

namespace tpf {
namespace {

constexpr unsigned kPerByte = 4;

unsigned shift_of(std::uint64_t index) noexcept {
    return static_cast<unsigned>(index % kPerByte) * 2;
}

}  // namespace

void PersonMarks::mark(std::uint64_t person, Kode kode) {
    const std::uint64_t index = person - 1;
    if (bits_.size() <= index / kPerByte) bits_.resize(index / kPerByte + 1);
    std::uint8_t& byte = bits_[index / kPerByte];
    byte = static_cast<std::uint8_t>(byte | static_cast<unsigned>(kode) << shift_of(index));
    ++(kode == Kode::e30 ? e30_ : e31_);
}

std::optional<PersonMarks::Marked> PersonMarks::next(std::uint64_t person) const noexcept {
    for (std::uint64_t index = person; index / kPerByte < bits_.size();) {
        const unsigned rest = static_cast<unsigned>(bits_[index / kPerByte]) >> shift_of(index);
        if (rest == 0) {
            index += kPerByte - index % kPerByte;
        } else if ((rest & 3U) == 0) {
            ++index;
        } else {
            return Marked{index + 1, static_cast<Kode>(rest & 3U)};
        }
    }
    return std::nullopt;
}

Result<PersonMarks> PersonMarks::parse(Bytes bytes) {
    PersonMarks marks;
    for (const std::uint8_t byte : bytes) {
        for (unsigned shift = 0; shift < 8; shift += 2) {
            const unsigned value = (static_cast<unsigned>(byte) >> shift) & 3U;
            if (value == 3) return fail(Code::field_form, "a mark that is none");
            if (value != 0) ++(static_cast<Kode>(value) == Kode::e30 ? marks.e30_ : marks.e31_);
        }
    }
    if (!bytes.empty() && bytes.back() == 0) return fail(Code::field_form, "marks that end in nobody");
    marks.bits_ = std::move(bytes);
    return marks;
}

std::string_view to_string(PersonMarks::Kode kode) noexcept {
    return kode == PersonMarks::Kode::e30 ? "E30" : "E31";
}

}  // namespace tpf
