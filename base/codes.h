#pragma once
// The catalogue of codes: every way in which a message or the service can fail, one row each. docs/codes.md is written
// from this table by `tpfctl codes --markdown` and a test compares the two, so they cannot differ.

#include <span>
#include <string_view>

namespace tpf {

/// What a caller does about an error; callers branch on nothing else.
enum class Disposition {
    retry,       ///< not the message's fault: wait and try again (unreadable file, full disk, register away)
    quarantine,  ///< this message can not pass as it is: keep its encrypted bytes, tell the operator and the sender
    stop,        ///< the process must not go on: failed fsync, damaged journal, wrong key
};

enum class Code {
#define TPF_CODE(name, text, disposition, final_, status, apprec, sender, cause, remedy) name,
#include "base/codes.inc"
#undef TPF_CODE
};

/// One row of the catalogue.
struct CodeInfo {
    Code code;
    std::string_view name;  ///< stable text: in the journal, in receipts, in logs; never reused for something else
    Disposition disposition;
    bool final_;                    ///< true: the same bytes can never pass, the sender's receipt says "avvist"
    int apprec_status;              ///< AppRec 1.1 status: 1 OK, 2 Avvist, 3 OK with errors in parts; 0: no AppRec
    std::string_view apprec_error;  ///< OID 2.16.578.1.12.4.1.1.8221, empty when apprec_status is 0
    std::string_view sender;        ///< bokmål, for the sender's receipt; holds nothing of the message
    std::string_view cause;         ///< English, for operators
    std::string_view remedy;        ///< English, for operators
};

/// All rows, in the order of the enum. Static storage.
[[nodiscard]] std::span<const CodeInfo> all_codes() noexcept;
/// The row of `code`. Never fails.
[[nodiscard]] const CodeInfo& info(Code code) noexcept;
/// The row with this stable name, or nullptr.
[[nodiscard]] const CodeInfo* find_code(std::string_view name) noexcept;
[[nodiscard]] std::string_view to_string(Disposition disposition) noexcept;

}  // namespace tpf
