#pragma once
// Norwegian identity numbers: which kinds there are, which are valid under the rules in force (domain.md, "Identity
// numbers"). A number is a type that cannot be printed: there is no conversion to text, and operator<< is deleted.
//
// Sources: Skatteetaten, folkeregister documentation (fødselsnummer, D-nummer, synthetic month + 80, "nytt
// fødselsnummer 2032"); kodeverk 8116/9032 (H-nummer, FH-nummer, DUF-nummer); NAV (NPID month + 20, synthetic + 60).

#include <array>
#include <iosfwd>
#include <optional>
#include <string_view>

#include "base/types.h"

namespace tpf::pseudonym {

enum class NumberKind { fodselsnummer, d_nummer, h_nummer, fh_nummer, duf_nummer, npid };

/// What one register takes, on this installation.
struct NumberRules {
    bool fodselsnummer = true;
    bool d_nummer = true;
    bool h_nummer = false;
    bool fh_nummer = true;
    bool duf_nummer = true;
    bool npid = false;
    /// The relaxed first control digit of 2032 is in force beside the old rule.
    bool rule_2032 = true;
    Installation installation = Installation::production;

    [[nodiscard]] bool takes(NumberKind kind) const noexcept;
};

/// A number that is valid and taken. The digits are wiped when it goes; only the derivation reads them.
class IdentityNumber {
  public:
    ~IdentityNumber();
    IdentityNumber(IdentityNumber&&) noexcept;
    IdentityNumber& operator=(IdentityNumber&&) = delete;
    IdentityNumber(const IdentityNumber&) = delete;
    IdentityNumber& operator=(const IdentityNumber&) = delete;

    [[nodiscard]] NumberKind kind() const noexcept { return kind_; }

    /// Why a person gets no pseudonym: E30 missing, E31 wrong (codes of 8221).
    enum class Fault { missing, wrong };
    struct Judged;
    /// `text`: the trimmed value of Fodselsnummer.
    [[nodiscard]] static Judged judge(std::string_view text, const NumberRules& rules);

  private:
    friend class PseudonymDeriver;
    IdentityNumber(std::string_view digits, NumberKind kind) noexcept;
    [[nodiscard]] std::string_view digits() const noexcept { return {digits_.data(), size_}; }
    std::array<char, 12> digits_{};
    std::size_t size_ = 0;
    NumberKind kind_;
};
std::ostream& operator<<(std::ostream&, const IdentityNumber&) = delete;

struct IdentityNumber::Judged {
    std::optional<IdentityNumber> number;  ///< or
    Fault fault = Fault::wrong;
};

/// Whether `text` holds a run of digits that could be an identity number of any kind, real or synthetic, after dropping
/// what may stand between digits (white space, hyphens, `.`, of any script's width): 11 digits that are valid under any
/// rule, or 12 and more (DUF-nummer, or numbers run together). For text that must hold none.
[[nodiscard]] bool holds_identity_number(std::string_view text) noexcept;

}  // namespace tpf::pseudonym
