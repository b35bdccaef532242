#pragma once
// One share of a backup's key on paper: a sheet of text that a person can keep, read aloud and type in again. 32 bytes
// in three lines; each line ends in a checksum of its own, and the whole sheet is under a digest.
// docs/key-management.md has the format.

#include <array>
#include <chrono>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace tpf::crypto {

/// What each share and the backup file say of themselves.
struct BackupFacts {
    std::string installation;  ///< its name
    std::chrono::sys_days date;
    std::string id;          ///< 16 hex digits: check value of the backup's key
    unsigned threshold = 0;  ///< 2 … shares
    unsigned shares = 0;     ///< 2 … kMaxShares
    friend bool operator==(const BackupFacts&, const BackupFacts&) = default;
};
inline constexpr unsigned kMaxShares = 50;
inline constexpr std::size_t kShareSize = 32;
inline constexpr unsigned kShareLines = 3;
/// 2 <= threshold <= shares <= kMaxShares; Code::usage.
[[nodiscard]] Status check_numbers(unsigned threshold, unsigned shares);

struct KeyShare {
    BackupFacts facts;
    unsigned number;  ///< 1 … shares
    SecretBytes value;
};

/// The sheet, UTF-8.
[[nodiscard]] SecretBytes print_share(const KeyShare& share);
/// Reads what print_share wrote, also retyped: either case, other spacing, O for 0, I and L for 1; lines around it are
/// ignored. Code::field_form, "line 2: …" or which part of the head is missing or wrong.
[[nodiscard]] Result<KeyShare> parse_share(std::string_view sheet);

/// One of the three lines, without its number. Code::field_form: wrong length, a character that never occurs, or a
/// typing error somewhere in it (any one character, any two neighbours exchanged: always found).
[[nodiscard]] Status check_share_line(unsigned line, std::string_view text);
/// From three lines that are good each for itself. Code::field_form when they do not belong together: a line of another
/// share, or another number.
[[nodiscard]] Result<KeyShare> share_of_lines(const BackupFacts& facts, unsigned number,
                                              const std::array<std::string, kShareLines>& lines);

}  // namespace tpf::crypto
