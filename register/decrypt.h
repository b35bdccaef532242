#pragma once
// Opens a pseudonymised message with the register's private key, person by person: what a real register does when it
// takes a message into use.

#include <iosfwd>

#include "base/fs.h"
#include "base/result.h"
#include "base/types.h"
#include "crypto/algorithms.h"
#include "crypto/rsa.h"

namespace tpf::reg {

struct DecryptSettings {
    const crypto::RsaPrivateKey& key;
    crypto::KeyPolicy policy;  ///< what the key may be used for; anything else is an error before it is used
    bool json = false;         ///< one JSON object a line instead of text
};

struct DecryptSummary {
    std::uint64_t persons = 0;  ///< read
    std::uint64_t failed = 0;   ///< of them: not opened, or sealed for another message or position
};

/// Streams; holds one person's data at a time. Each person's data are printed only after their tag verified and their
/// Ref named this message and this position; a person that fails is printed with the reason, and the others follow.
///
/// Text: a line "person N: <pseudonyms or feil E30/E31>", then the data as they are and a line feed, or a line
/// "error: …". JSON: {"person":N,"pseudonym":[…]|"feil":"E30","data":"…"|"error":{"code":"…","detail":"…"}}.
///
/// Errors: the message is not one (then persons before the fault were printed already), or output fails (Code::io).
[[nodiscard]] Result<DecryptSummary> decrypt(FileSystem& fs, const Path& message, const DecryptSettings& settings,
                                             std::ostream& out);

/// What stands first in a person's plaintext (formats.md § 2, "The register layer's plaintext").
[[nodiscard]] std::string ref_text(const MeldingsId& id, std::uint64_t position);

}  // namespace tpf::reg
