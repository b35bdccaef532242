#pragma once
// What a request's head says, judged before a byte of its body is read (formats.md § 6). No HTTP library in sight: the
// server hands in the fields as they came.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "base/types.h"
#include "crypto/signature.h"
#include "register/receipt.h"

namespace tpf::reg {

/// One answer, ready to be written. All have a Content-Length, and a JSON body unless it is empty.
struct Answer {
    unsigned status = 500;
    std::string body;
    std::optional<unsigned> retry_after = {};  ///< seconds
    bool allow_post = false;                   ///< 405 names the methods that there are
};
/// `{"status":"feil","kode":"<kode>"}`; nothing of the request is in it.
[[nodiscard]] Answer refusal(unsigned status, std::string_view kode);
/// The same answer with the member `sjekkpunkt`, outside what a receipt's signature covers; empty: as it is.
[[nodiscard]] Answer with_checkpoint(Answer answer, const std::string& note);
/// A refusal that will pass: 429 or 503.
[[nodiscard]] Answer later(unsigned status, std::string_view kode, unsigned seconds);
/// 201, 200 or 422 with the receipt.
[[nodiscard]] Answer with_receipt(unsigned status, const Receipt& receipt);

/// A request's head. Fields that came more than once are joined by ", " (RFC 9110 § 5.3), which none of the grammars
/// below but Content-Digest's takes.
struct RequestHead {
    std::string method;
    std::string target;
    std::string content_type;
    std::string content_encoding;
    std::string idempotency_key;
    std::string content_digest;
    std::string signature;
    std::optional<std::uint64_t> content_length;
    std::string checkpoint{};   ///< TPF-Checkpoint
    std::string consistency{};  ///< TPF-Consistency
};

/// A request whose head is in order: the core vouches for this name with this digest.
struct Delivery {
    MessageName name;
    Digest sha256{};
    std::string sha256_hex;
    std::uint64_t length = 0;
};

/// Who may send what.
struct RequestRules {
    RegisterName reg;
    std::vector<crypto::VerifyKey> core_keys;  ///< any of them may have signed
    std::uint64_t max_bytes;
};

/// Either the delivery or the answer that ends the request: 404, 405, 411, 413, 415, 400 (a field is absent or not of
/// its form), 403 (no core key made this signature).
struct Judged {
    std::optional<Delivery> delivery;
    Answer answer;
};
[[nodiscard]] Judged judge(const RequestHead& head, const RequestRules& rules);

/// The sha-256 member of a Content-Digest (RFC 9530 § 2, a dictionary of byte sequences, RFC 8941 § 3.2); other digests
/// may stand beside it. Nothing when it is absent, stands twice, or the field is malformed.
[[nodiscard]] std::optional<Digest> parse_content_digest(std::string_view value);

}  // namespace tpf::reg
