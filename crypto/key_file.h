#pragma once
// The senders' key file (formats.md § 5): UTF-16LE with BOM as published, UTF-8 read too. Parsed with RapidXML behind a
// guard of size, depth, encoding and form, since RapidXML alone is lenient.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/types.h"
#include "crypto/algorithms.h"
#include "crypto/rsa.h"

namespace tpf::crypto {

struct PublishedKey {
    KeyId id;
    std::string owner;  ///< "TPF" or a register's name
    std::chrono::sys_days valid_from;
    std::chrono::sys_days valid_to;
    KeyPolicy policy;
    RsaPublicKey key;
};

struct KeyFile {
    std::string version;              ///< @versjon
    std::optional<unsigned> edition;  ///< @utgave
    std::vector<PublishedKey> keys;

    /// `content`: the file's bytes, at most 1 MiB (Code::limit). Code::field_form: "line N: …", for whatever § 5 does
    /// not name, an id twice, an RSA key too short for its profile or under two profiles or owners. Code::encoding: not
    /// valid UTF-8 or UTF-16, or declared as something else. Nothing that the file said is echoed.
    [[nodiscard]] static Result<KeyFile> parse(std::string_view content);
    /// The key of `owner` that is valid on `day` (a Norwegian date) with the latest valid_from; nullptr when there is
    /// none. Keys of a legacy profile are passed over: they are there for other programs, ours seals in `modern` only.
    [[nodiscard]] const PublishedKey* current(std::string_view owner, std::chrono::sys_days day) const;
    /// UTF-16LE with BOM, laid out as in formats.md § 5, without an XML declaration. parse() reads it back.
    [[nodiscard]] std::string write() const;
};

}  // namespace tpf::crypto
