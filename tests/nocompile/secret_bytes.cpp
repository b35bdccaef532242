// Key bytes are never printed, logged, copied by accident or read without a token that a review can grep for.
#include "crypto/secret.h"

#include <fmt/format.h>

#include <iostream>
#include <string>

#include "base/audit_entry.h"
#include "base/log.h"
#include "crypto/content_cipher.h"

void use(const tpf::crypto::SecretBytes& secret, tpf::crypto::SecretBytes& other, tpf::AuditEntry& entry,
         const tpf::crypto::ContentKey& key) {
    static_cast<void>(secret.size());
    static_cast<void>(secret.bytes(tpf::crypto::SecretToken::access()));
    other = secret.clone();
#if FORBIDDEN == 1  // deleted
    std::cout << secret;
#endif
#if FORBIDDEN == 2  // Cannot format an argument|formattable|fallback_formatter
    static_cast<void>(fmt::format("{}", secret));
#endif
#if FORBIDDEN == 4  // no matching
    tpf::log::Field field("key", secret);
#endif
#if FORBIDDEN == 5  // no matching|cannot convert|no viable
    entry.with("key", secret);
#endif
#if FORBIDDEN == 6  // deleted
    tpf::crypto::SecretBytes copy(secret);
#endif
#if FORBIDDEN == 7  // deleted
    other = secret;
#endif
#if FORBIDDEN == 8  // no matching|no viable|too few arguments
    static_cast<void>(secret.bytes());
#endif
#if FORBIDDEN == 9  // private|could not convert|no viable|no matching
    static_cast<void>(secret.bytes(tpf::crypto::SecretToken{}));
#endif
#if FORBIDDEN == 10  // private|could not convert|no viable|calling a private
    static_cast<void>(secret.bytes({}));
#endif
#if FORBIDDEN == 11  // no matching|no viable
    std::string text(secret);
#endif
#if FORBIDDEN == 12  // deleted
    tpf::crypto::ContentKey copy(key);
#endif
#if FORBIDDEN == 13  // no match|invalid operands
    std::cout << key;
#endif
#if FORBIDDEN == 14  // no match|invalid operands
    static_cast<void>(secret == other);
#endif
}
