#pragma once
// A register's answer (formats.md § 6), read strictly. The bytes come from outside: they may be anything.
//
// Nothing here is trusted: the signature is checked by the core, which alone knows the register's receipt key. What is
// kept is only what the format names and only in its form, so no free text of an answer reaches a receipt or a log.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace tpf::forward {

/// The most of an answer's body that is read, bytes. A longer one is not understood.
inline constexpr std::size_t kMaxAnswerBytes = 64 * 1024;

/// The members that formats.md § 6 names; empty: not there.
struct AnswerFields {
    std::string status;      ///< token `[A-Za-z0-9._-]{1,64}`
    std::string kvittering;  ///< token
    std::string kode;        ///< token
    std::string navn;        ///< an Idempotency-Key's form, as MessageName::parse reads it
    std::string sha256;      ///< 64 lower-case hex digits
    std::string mottatt;     ///< RFC 3339 with seconds, as it was written: the signature covers the text
    std::string signatur;    ///< base64 of 64 bytes
    std::string sjekkpunkt;  ///< base64 of 1 to 3072 bytes: the checkpoint of our audit log that the register holds
    friend bool operator==(const AnswerFields&, const AnswerFields&) = default;
};

/// Reads an answer's body: one JSON object (RFC 8259, UTF-8), at most kMaxAnswerBytes long and kMaxAnswerDepth deep.
/// A named member is a string of its form and occurs once; other members are skipped, whatever they hold. Anything else
/// is Code::receipt_invalid; the error's text holds nothing of the body.
[[nodiscard]] Result<AnswerFields> parse_answer(std::string_view body);
inline constexpr int kMaxAnswerDepth = 16;

/// The head of an HTTP answer and its body: what judge() looks at.
struct HttpAnswer {
    int status = 0;
    std::string retry_after;  ///< the field's value; empty: absent
    std::string body;
    bool too_long = false;  ///< the body was longer than kMaxAnswerBytes; `body` is then empty
};

/// What an answer means for the message.
struct Verdict {
    enum class Kind {
        receipt,     ///< 200, 201, 400, 409, 412, 422: goes to the core, which decides
        wait,        ///< 429, 503: the register asks for time; the message is not the reason
        access,      ///< 401, 403, 404: the register does not know us, or we do not know its address: alarm, then later
        no_receipt,  ///< 200, 201 or 422 without an answer that can be one: alarm, then later
        other,       ///< any other status, redirects among them: later
    };
    Kind kind = Kind::other;
    AnswerFields fields;  ///< receipt only; all empty when a 400, 409 or 412 said nothing readable
    std::optional<std::chrono::seconds> retry_after;  ///< wait only; never negative, not bounded from above
};
/// `now` is what an HTTP-date in Retry-After is held against.
[[nodiscard]] Verdict judge(const HttpAnswer& answer, UtcTime now);

/// Retry-After (RFC 9110 § 10.2.3): seconds, or an HTTP-date in one of its three forms (§ 5.6.7). A date gone by is 0;
/// a number too large for any use is cut to a year. Nothing when it is neither.
[[nodiscard]] std::optional<std::chrono::seconds> parse_retry_after(std::string_view value, UtcTime now);

}  // namespace tpf::forward
