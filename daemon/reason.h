#pragma once
// The reason that an operator gives for a change.

#include <string_view>

#include "base/result.h"

namespace tpf::daemon {

/// Code::usage, with what to do: 1 to 500 bytes without control characters, and nothing like an identity number, since
/// it stays in the audit log for ever.
[[nodiscard]] Status check_reason(std::string_view reason);

}  // namespace tpf::daemon
