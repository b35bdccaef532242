#pragma once
// Which persons of a message got no pseudonym, and why: two bits a person, so that a message in which all are marked is
// bounded too: 250 kB for a million persons, 2.5 MB for the format's 10,000,000 (twice that while it grows).

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/encoding.h"
#include "base/result.h"

namespace tpf {

/// A value. Positions count from 1.
class PersonMarks {
  public:
    /// AppRec codes (8221): number missing, number wrong.
    enum class Kode : std::uint8_t { e30 = 1, e31 = 2 };
    struct Marked {
        std::uint64_t person = 0;
        Kode kode = Kode::e31;
        friend bool operator==(const Marked&, const Marked&) = default;
    };

    /// `person` from 1, each at most once.
    void mark(std::uint64_t person, Kode kode);
    [[nodiscard]] std::uint64_t count() const noexcept { return e30_ + e31_; }
    [[nodiscard]] std::uint64_t count(Kode kode) const noexcept { return kode == Kode::e30 ? e30_ : e31_; }
    [[nodiscard]] bool empty() const noexcept { return count() == 0; }
    /// The first marked person after `person`; next(0) is the first of all.
    [[nodiscard]] std::optional<Marked> next(std::uint64_t person) const noexcept;

    /// Person n in bits 2((n-1) mod 4) of byte (n-1)/4, up to the last marked one. Empty: nobody.
    [[nodiscard]] ByteView bytes() const noexcept { return bits_; }
    /// What bytes() gave. Code::field_form: a value that is no Kode, or a last byte that marks nobody.
    [[nodiscard]] static Result<PersonMarks> parse(Bytes bytes);
    friend bool operator==(const PersonMarks&, const PersonMarks&) = default;

  private:
    Bytes bits_;
    std::uint64_t e30_ = 0;
    std::uint64_t e31_ = 0;
};
[[nodiscard]] std::string_view to_string(PersonMarks::Kode kode) noexcept;  ///< "E30", "E31"

}  // namespace tpf
