#pragma once
// The one form of an audit entry's bytes (docs/audit-log.md, "Entry"): JSON as RFC 8785 writes it, of a fixed set of
// members. What is hashed is built from the row's columns and read back strictly. Pure functions, thread-safe.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/audit_entry.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/types.h"

namespace tpf::audit {

/// An entry as its row has it.
struct EntryParts {
    std::uint64_t seq = 0;  ///< from 1, without gaps; leaf seq - 1 of the tree
    UtcTime time;
    std::string kind;
    std::string actor;
    std::optional<SpoolId> message;
    std::string fields;  ///< JSON object of texts in its one form: names sorted, no white space
};

/// The form of `fields`. Code::internal: a field twice, a name that is not [a-z0-9_]+, text that is not UTF-8.
[[nodiscard]] Result<std::string> fields_text(const AuditEntry& entry);
/// The bytes of the entry. Code::journal: one of the parts is not in its form.
[[nodiscard]] Result<std::string> canonical_entry(const EntryParts& parts);
/// Back from those bytes. Code::journal: anything that canonical_entry() would not have written.
[[nodiscard]] Result<EntryParts> parse_entry(std::string_view canonical);

}  // namespace tpf::audit
