// No change of the journal without its audit entry, and no answer that nobody looks at.
#include "queue/journal.h"

using tpf::AuditEntry;

void use(tpf::queue::Journal& journal, const tpf::SpoolId& id, const tpf::queue::Claim& claim,
         const tpf::queue::Quarantine& why, const tpf::queue::RegisterReceipt& receipt,
         const tpf::queue::PassResult& result, const AuditEntry& entry) {
    static_cast<void>(journal.discard(id, entry));
    static_cast<void>(journal.claim(claim, entry));
#if FORBIDDEN == 1  // too few arguments|no matching
    static_cast<void>(journal.claim(claim));
#endif
#if FORBIDDEN == 2  // too few arguments|no matching
    static_cast<void>(journal.commit_pass(id, result, std::nullopt));
#endif
#if FORBIDDEN == 3  // no matching|could not convert|no viable|cannot convert|no default constructor
    static_cast<void>(journal.commit_pass(id, result, std::nullopt, tpf::queue::PassEntries{}));
#endif
#if FORBIDDEN == 4  // too few arguments|no matching
    static_cast<void>(journal.mark_duplicate(id, id, "00"));
#endif
#if FORBIDDEN == 5  // too few arguments|no matching
    static_cast<void>(journal.quarantine(id, why));
#endif
#if FORBIDDEN == 6  // too few arguments|no matching
    static_cast<void>(journal.retry(id, "{}"));
#endif
#if FORBIDDEN == 7  // too few arguments|no matching
    static_cast<void>(journal.discard(id));
#endif
#if FORBIDDEN == 8  // too few arguments|no matching
    static_cast<void>(journal.delivered(id, receipt));
#endif
#if FORBIDDEN == 9  // too few arguments|no matching
    static_cast<void>(journal.payloads_removed(id));
#endif
#if FORBIDDEN == 10  // too few arguments|no matching
    static_cast<void>(journal.note_attempt(id, tpf::Code::io, "why"));
#endif
#if FORBIDDEN == 11  // too few arguments|no matching
    static_cast<void>(journal.answered(id, 1));
#endif
#if FORBIDDEN == 12  // no matching|could not convert|cannot convert|no viable|no default constructor
    static_cast<void>(journal.discard(id, AuditEntry{}));
#endif
#if FORBIDDEN == 13  // no matching|could not convert|cannot convert|no viable|cannot be initialized|void function|initializer list
    static_cast<void>(journal.discard(id, {}));
#endif
#if FORBIDDEN == 14  // nodiscard|unused-result
    journal.discard(id, entry);
#endif
}
