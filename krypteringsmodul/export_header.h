#pragma once
// The fields that stand before the persons in an export file (formats.md § 1), and what is wrong with them.

#include <array>
#include <bitset>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"
#include "pseudonym/fields.h"

namespace tpf::krypteringsmodul {

struct ExportHeader {
    pseudonym::Meldingstype meldingstype;
    Avsender avsender;
    RegisterName reg;
    std::chrono::sys_days from;
    std::chrono::sys_days to;
    friend bool operator==(const ExportHeader&, const ExportHeader&) = default;
};

/// Gathers the fields while the file is read. What is wrong is remembered and only reported by finish(), since a
/// missing field is what the sender must hear of first: a misspelled name is both an unknown field and a missing one.
/// Not thread-safe.
class HeaderFields {
  public:
    /// Fields in document order; a group stands before what it holds.
    enum Field : std::size_t {
        meldingstype,
        avsender,
        kommunenummer,
        bydelsnummer,
        organisasjonsnummer,
        mottaker,
        reg,
        periode,
        fra,
        til,
        count
    };
    static constexpr std::size_t kTop = count;  ///< the parent of what stands in IPLOS itself

    /// The field of that name in `parent`, or count.
    [[nodiscard]] static std::size_t find(std::size_t parent, std::string_view name) noexcept;
    [[nodiscard]] static bool is_group(std::size_t field) noexcept;
    /// "IPLOS\Avsender\Kommunenummer"; of kTop: "IPLOS".
    [[nodiscard]] static std::string_view path(std::size_t field) noexcept;

    /// A field began.
    void seen(std::size_t field, std::uint64_t line);
    void set(std::size_t field, std::string_view trimmed_value) { values_[field] = trimmed_value; }
    /// Only the first is kept.
    void remember(Error problem);

    /// The first missing field, else the first remembered problem, else the first value that breaks its rule.
    [[nodiscard]] Result<ExportHeader> finish() const;

  private:
    std::bitset<count> seen_;
    std::size_t next_ = 0;  // fields before this one came already
    std::array<std::string, count> values_;
    std::optional<Error> problem_;
};

}  // namespace tpf::krypteringsmodul
