#pragma once
// The grammars of a message's values (formats.md § 0) that base/types.h does not hold, for whoever writes or reads
// them. `value` is trimmed already. Errors are Code::field_form (Code::identity_leak where an identity number was
// found), and never hold the value.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"

namespace tpf::pseudonym {

enum class Meldingstype { iplos, kpr };
[[nodiscard]] Result<Meldingstype> parse_meldingstype(std::string_view value);
[[nodiscard]] std::string_view to_string(Meldingstype type) noexcept;

/// One `@` with something on both sides, at most 254 characters, no control characters, no run of 11 or more digits.
[[nodiscard]] Status check_epost(std::string_view value);
/// 1 to 200 characters, no control characters, no run of 11 or more digits.
[[nodiscard]] Status check_navn(std::string_view value);
/// `(\+47|0047)?[0-9]{8}`; returns it without the white space between its digits.
[[nodiscard]] Result<std::string> parse_mobiltelefon(std::string_view value);

inline constexpr std::uint64_t kMaxPersons = 10'000'000;
/// Decimal without leading zeros, 0 to kMaxPersons.
[[nodiscard]] Result<std::uint64_t> parse_antall(std::string_view value);

/// A namespace name or prefix that is carried on to the register: of the characters of a URI (RFC 3986 § 2) and without
/// anything like an identity number, since it is the one place where free text could ride along.
[[nodiscard]] Status check_binding(std::string_view prefix, std::string_view uri);

/// What stands in clear around the TPF layer and is repeated in Hode.
struct ClearHeader {
    MeldingsId meldings_id;
    Meldingstype meldingstype;
    Avsender avsender;
    RegisterName reg;
    friend bool operator==(const ClearHeader&, const ClearHeader&) = default;
};

/// Gathers a ClearHeader from a SchemaWalker's leaves (Field::meldings_id … Field::reg), in any of the formats.
class HeaderFields {
  public:
    /// True: the field is one of the header's and was taken. Codes: kommunenummer, field_form.
    [[nodiscard]] Result<bool> take(int id, std::string_view value);
    /// Precondition: the schema has seen to it that all fields came.
    [[nodiscard]] Result<ClearHeader> header() const;

  private:
    std::optional<MeldingsId> meldings_id_;
    std::optional<Meldingstype> meldingstype_;
    std::string kommunenummer_;
    std::string bydelsnummer_;
    std::optional<Avsender> avsender_;
    std::optional<RegisterName> reg_;
};

}  // namespace tpf::pseudonym
