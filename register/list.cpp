#include "register/list.h"

#include <ostream>

#include "register/store.h"

namespace tpf::reg {

Status list_messages(FileSystem& fs, const Path& store, bool json, std::ostream& out) {
    return for_each_message(fs, store, [&](const StoredMessage& message) -> Status {
        const Receipt& receipt = message.receipt;
        if (json) {
            out << to_record(message);
        } else {
            out << receipt.name << '\t' << to_string(receipt.status) << '\t' << receipt.token << '\t' << receipt.time
                << '\t' << message.persons << '\t' << message.bytes << '\t' << receipt.sha256 << '\n';
        }
        if (!out) return fail(Code::io, "the output cannot be written");
        return ok();
    });
}

}  // namespace tpf::reg
