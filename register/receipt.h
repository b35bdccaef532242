#pragma once
// The register's signed answers (formats.md § 6): what it decided about a message, once and for ever.

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"
#include "crypto/signature.h"

namespace tpf::reg {

/// One decision about one name. Never changes after it was stored.
struct Receipt {
    enum class Status {
        received,  ///< "mottatt": the register has the message and answers for it
        refused,   ///< "avvist": these bytes can never be taken
    };
    Status status = Status::received;
    std::string token;      ///< `kvittering` when received, `kode` when refused; `[A-Za-z0-9._-]{1,64}`
    std::string name;       ///< the Idempotency-Key
    std::string sha256;     ///< of the body, 64 lower-case hex digits
    std::string time;       ///< `mottatt`, RFC 3339 UTC in whole seconds
    std::string signature;  ///< base64 of 64 bytes
    friend bool operator==(const Receipt&, const Receipt&) = default;
};

[[nodiscard]] std::string_view to_string(Receipt::Status status) noexcept;

/// What the signature covers: "tpf-kvittering-v1", register, name, sha256, status, token, time, 0x00 between them.
[[nodiscard]] std::string receipt_text(const RegisterName& reg, const Receipt& receipt);
/// Fills in the signature.
void sign(Receipt& receipt, const RegisterName& reg, const crypto::SigningKey& key);

/// The answer's body: JSON with the members in the order of formats.md, no line feed.
[[nodiscard]] std::string to_json(const Receipt& receipt);
/// Reads what to_json wrote, from the store; Code::record_damaged. Other members are ignored.
[[nodiscard]] Result<Receipt> receipt_from_json(std::string_view text);

/// A fresh `kvittering`: "<register>-<26 characters>", 128 random bits in base32.
[[nodiscard]] std::string new_kvittering(const RegisterName& reg);

}  // namespace tpf::reg
