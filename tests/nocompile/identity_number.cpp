// An identity number is never printed, logged, turned into text or copied; only the derivation reads its digits.
#include "pseudonym/identity_number.h"

#include <spdlog/spdlog.h>

#include <iostream>
#include <sstream>
#include <string>

#include "base/audit_entry.h"
#include "base/log.h"

void use(const tpf::pseudonym::IdentityNumber& number, tpf::AuditEntry& entry) {
    static_cast<void>(number.kind());
    tpf::log::info("a number was judged", {{"persons", std::uint64_t{1}}});
    entry.with("persons", std::uint64_t{1});
#if FORBIDDEN == 1  // deleted
    std::cout << number;
#endif
#if FORBIDDEN == 2  // deleted
    std::ostringstream out;
    out << number;
#endif
#if FORBIDDEN == 3  // Cannot format an argument|formattable|fallback_formatter
    static_cast<void>(fmt::format("{}", number));
#endif
#if FORBIDDEN == 4  // Cannot format an argument|formattable|fallback_formatter
    spdlog::info("{}", number);
#endif
#if FORBIDDEN == 5  // (could not convert|no matching|no viable|cannot convert)
    tpf::log::info("a number", {{"number", number}});
#endif
#if FORBIDDEN == 6  // no matching
    tpf::log::Field field("number", number);
#endif
#if FORBIDDEN == 7  // no matching|no viable
    std::string text(number);
#endif
#if FORBIDDEN == 8  // cannot convert|no viable|conversion from
    std::string_view text = number;
#endif
#if FORBIDDEN == 9  // private
    static_cast<void>(number.digits());
#endif
#if FORBIDDEN == 10  // deleted
    tpf::pseudonym::IdentityNumber copy(number);
#endif
#if FORBIDDEN == 11  // no matching|cannot convert|no viable
    entry.with("number", number);
#endif
#if FORBIDDEN == 12  // private|no matching
    tpf::pseudonym::IdentityNumber made("13097248022", tpf::pseudonym::NumberKind::fodselsnummer);
#endif
#if FORBIDDEN == 13  // no matching
    static_cast<void>(std::to_string(number));
#endif
}
