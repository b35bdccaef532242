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
    std::string version;               ///< @versjon
    std::optional<unsigned> edition;   ///< @utgave
    std::vector<PublishedKey> keys;

    /// `content`: the file's bytes. Code::field_form (what is wrong and where) or Code::encoding.
    [[nodiscard]] static Result<KeyFile> parse(std::string_view content);
    /// The key of `owner` that is valid on `day` with the latest valid_from; nullptr when there is none.
    [[nodiscard]] const PublishedKey* current(std::string_view owner, std::chrono::sys_days day) const;
    /// UTF-16LE with BOM.
    [[nodiscard]] std::string write() const;
};

}  // namespace tpf::crypto
