#pragma once
// What tpfctl shows a person of the audit log's answers.

#include <string>

#include "daemon/control_protocol.h"

namespace tpf::daemon {

[[nodiscard]] std::string print_audit_verify(const Json& result);
[[nodiscard]] std::string print_audit_key(const Json& result);
/// Of `audit verify-proof`: what is proved, by whom.
[[nodiscard]] std::string print_proved(const Json& result);

}  // namespace tpf::daemon
