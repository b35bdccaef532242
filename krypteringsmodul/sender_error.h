#pragma once
// What the sender is told when a run stops: one line of bokmål on standard error. Within this folder an Error's detail
// is that line, whole; errors of other folders (English, for operators) are translated where they are met.

#include <string>
#include <string_view>

#include "base/result.h"

namespace tpf::krypteringsmodul {

// The old program's texts, to the letter; senders and their help desks know them.
inline constexpr std::string_view kNoExport = "IPLOS datafil mangler";
inline constexpr std::string_view kNoOutput = "Kryptert IPLOS fil mangler";
inline constexpr std::string_view kNoKeyFile = "Nøkkelfil mangler";
inline constexpr std::string_view kNoContact = "E-post adresse/Navn/MobilTelefonnr mangler";
inline constexpr std::string_view kExportNotOpened = "IPLOS filen kunne ikke åpnes.";
inline constexpr std::string_view kNoIplos = "Feltet \"IPLOS\" mangler";
inline constexpr std::string_view kWrongVersion =
    "Ugyldig versjonsnummer for IPLOS meldingen. Kontakt leverandøren av fagsystemet som genererte IPLOS meldingen";

/// `path` begins at `IPLOS\`. The code says what kind of trouble it is, for tests and callers; the sender sees the
/// text.
[[nodiscard]] Error missing_field(std::string_view path);
[[nodiscard]] Error mismatched_tags(std::string_view start, std::uint64_t start_line, std::string_view end,
                                    std::uint64_t end_line);
/// One of the fixed texts above.
[[nodiscard]] Error told(Code code, std::string_view text);
/// "Feil: " and `text`, for whatever the old program had no words for.
[[nodiscard]] Error feil(Code code, std::string_view text);
/// " (linje N)"
[[nodiscard]] std::string on_line(std::uint64_t line);
/// A tag's name as it may be shown: not where someone put an identity number into it.
[[nodiscard]] std::string shown(std::string_view tag_name);

/// An error of reading or writing a file, in bokmål. `what` begins the sentence: "Den krypterte filen kunne ikke
/// skrives".
[[nodiscard]] Error file_error(const Error& error, std::string_view what);

}  // namespace tpf::krypteringsmodul
