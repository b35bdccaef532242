#pragma once
// What no operator does alone: one asks, and within a day another one, a person with a name, approves. This is the
// rule. A key that is to be destroyed keeps its request in the key ring (crypto/key_ring.h), all else that takes two in
// daemon/proposals.h.

#include <sys/types.h>

#include <chrono>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace tpf {

/// Who asked for something, as the kernel says, and why.
struct Actor {
    std::string name;
    std::string reason;
    uid_t uid = 0;
};
struct OperatorRequest {
    UtcTime at;
    Actor by;
};
inline constexpr std::chrono::hours kApproveWithin{24};

/// Is it a person? Not root, and not a uid that the system knows no user of ("uid N": daemon/users.h).
[[nodiscard]] bool has_name(const Actor& actor);
/// Older than kApproveWithin, or of a time that has not come.
[[nodiscard]] bool has_run_out(const OperatorRequest& request, UtcTime now);
/// May `second` approve what `request` asks for? Code::denied: root or somebody without a name, or the operator who
/// asked, by name or by uid. Code::usage: the request has run out.
[[nodiscard]] Status check_second(const OperatorRequest& request, const Actor& second, UtcTime now);

}  // namespace tpf
