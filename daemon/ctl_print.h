#pragma once
// What tpfctl shows a person of the core's answers. `--json` prints the answers themselves instead.

#include <string>

#include "daemon/control_protocol.h"

namespace tpf::daemon {

[[nodiscard]] std::string print_status(const Json& result);
[[nodiscard]] std::string print_check(const Json& result);
[[nodiscard]] std::string print_list(const Json& result);
[[nodiscard]] std::string print_message(const Json& result);
[[nodiscard]] std::string print_keys(const Json& result);
/// One key, with its history and what to do about it.
[[nodiscard]] std::string print_key(const Json& result);
[[nodiscard]] std::string print_backup(const Json& result);
[[nodiscard]] std::string print_restore(const Json& result);
[[nodiscard]] std::string print_key_check(const Json& result);
/// What is damaged and where, and the next command.
[[nodiscard]] std::string print_journal_check(const Json& result);
[[nodiscard]] std::string print_rebuild(const Json& result);
[[nodiscard]] std::string print_audit(const Json& result);
/// "name: value" lines, in the answer's order.
[[nodiscard]] std::string print_plain(const Json& result);
/// docs/codes.md: the catalogue.
[[nodiscard]] std::string codes_markdown();
/// The same, a list of objects.
[[nodiscard]] Json codes_json();

}  // namespace tpf::daemon
