#include "base/second_operator.h"

#include <unistd.h>

namespace tpf {

bool has_name(const Actor& actor) {
    return actor.uid != 0 && actor.uid != ::geteuid() && !actor.name.empty() &&
           actor.name.find(' ') == std::string::npos;
}

bool has_run_out(const OperatorRequest& request, UtcTime now) {
    return now > request.at + kApproveWithin || now < request.at;
}

Status check_second(const OperatorRequest& request, const Actor& second, UtcTime now) {
    if (!has_name(second))
        return fail(Code::denied, "the second operator is a person with a name, not root and not the service itself",
                    "log in as yourself");
    if (request.by.name == second.name || request.by.uid == second.uid)
        return fail(Code::denied, "it was " + second.name + " who asked: another operator has to confirm");
    if (has_run_out(request, now)) {
        return fail(
            Code::usage, "the request of " + format_utc(request.at) + " has run out",
            "ask again, and let the other one confirm within " + std::to_string(kApproveWithin.count()) + " hours");
    }
    return ok();
}

}  // namespace tpf
