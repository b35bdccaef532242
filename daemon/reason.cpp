#include "daemon/reason.h"

#include "pseudonym/identity_number.h"
#include "queue/records.h"

namespace tpf::daemon {

Status check_reason(std::string_view reason) {
    if (!queue::is_reason(reason)) {
        return fail(Code::usage, "the reason is empty, longer than 500 bytes or has control characters",
                    "give --reason \"why\"");
    }
    if (pseudonym::holds_identity_number(reason)) {
        return fail(Code::usage, "the reason holds something like an identity number",
                    "name the message by its id instead");
    }
    return ok();
}

}  // namespace tpf::daemon
