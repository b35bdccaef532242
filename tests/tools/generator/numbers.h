#pragma once
// Identity numbers by the rules of domain.md ("Identity numbers"), for tests: each number of a kind once, in an order
// that looks like chance. This is written apart from pseudonym/identity_number.cpp, which it helps to test.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tests/tools/generator/random.h"

namespace tpf::generator {

enum class Kind { fodselsnummer, d_nummer, h_nummer, fh_nummer, duf_nummer, npid };
inline constexpr std::array kAllKinds = {Kind::fodselsnummer, Kind::d_nummer,   Kind::h_nummer,
                                         Kind::fh_nummer,     Kind::duf_nummer, Kind::npid};
[[nodiscard]] std::string_view to_string(Kind kind) noexcept;

/// How fødselsnummer, D-nummer and NPID show that they are nobody's.
enum class Synthetic {
    tenor,    ///< month + 80; NPID: month + 60
    syntpop,  ///< month + 65; no NPID, since its month + 60 could not be told from these
    none,     ///< not at all: such a number may be somebody's
};
/// Which rule the first control digit of fødselsnummer and D-nummer follows.
enum class Rule { old, relaxed_2032, both };

/// How many of each kind, in shares of their sum.
using Mix = std::map<Kind, unsigned>;
/// "mix" (what a register takes by default), "all" (every kind), or one kind's name. Code::usage.
[[nodiscard]] Result<Mix> parse_mix(std::string_view text);

struct NumberOptions {
    std::uint64_t seed = 1;
    Mix mix;
    Synthetic synthetic = Synthetic::tenor;
    Rule rule = Rule::both;  ///< one in ten valid under the 2032 rule only
};

/// Not thread-safe.
class NumberSource {
  public:
    /// Code::usage for options that go ill together.
    [[nodiscard]] static Result<NumberSource> create(const NumberOptions& options);
    /// 11 or 12 digits, never the same twice. Nothing when a kind is used up: after about 30 million of one kind.
    [[nodiscard]] std::optional<std::string> next();
    /// Something that is no number under any rule: wrong control digit, a day that does not exist, too short, zeros,
    /// a letter. Follows on next(), so that the two share their numbers.
    [[nodiscard]] std::optional<std::string> next_wrong();

  private:
    explicit NumberSource(const NumberOptions& options);
    [[nodiscard]] Kind pick() noexcept;
    [[nodiscard]] std::optional<std::string> next_of(Kind kind);
    [[nodiscard]] std::optional<std::string> dated(Kind kind, std::uint64_t candidate) const;
    [[nodiscard]] unsigned month_offset(Kind kind) const noexcept;
    [[nodiscard]] Rule rule_for(Kind kind, std::uint64_t candidate) const noexcept;

    NumberOptions options_;
    Random random_;
    unsigned shares_ = 0;
    std::map<Kind, Permutation> candidates_;
};

}  // namespace tpf::generator
