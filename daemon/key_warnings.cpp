#include "daemon/key_warnings.h"

namespace tpf::daemon {
namespace {

using crypto::KeyFacts;
using crypto::KeyKind;
using crypto::KeyState;

bool ends(const KeyFacts& key) {
    return key.kind == KeyKind::message || key.kind == KeyKind::register_;
}

/// The key that takes this one's place: one that is active before one that is only prepared.
const KeyFacts* successor(const KeyFacts& key, const std::vector<KeyFacts>& all) {
    const KeyFacts* found = nullptr;
    for (const KeyFacts& other : all) {
        if (other.kind != key.kind || other.reg != key.reg || other.policy != key.policy) continue;
        if (other.valid_to <= key.valid_to) continue;
        if (other.state == KeyState::active) return &other;
        if (other.state == KeyState::prepared) found = &other;
    }
    return found;
}

std::string about_successor(const KeyFacts& key, const std::vector<KeyFacts>& all) {
    const KeyFacts* next = successor(key, all);
    if (next == nullptr) {
        return key.kind == KeyKind::message
                   ? "no successor is prepared: `tpfctl keys generate --kind message --prepared`"
                   : "no successor is there: get the register's new key and `tpfctl keys import` it";
    }
    if (next->state == KeyState::prepared)
        return "its successor " + next->id.str() + " is prepared: `tpfctl keys activate` it, then publish";
    return "its successor " + next->id.str() + " is active, for senders from " + format_date(next->valid_from);
}

std::string about_end(const KeyFacts& key, std::chrono::sys_days today) {
    const auto left = (key.valid_to - today).count();
    if (left < 0) return "ended on " + format_date(key.valid_to);
    return "ends on " + format_date(key.valid_to) + ", in " + std::to_string(left) + (left == 1 ? " day" : " days");
}

}  // namespace

std::vector<std::string> key_warnings(const KeyFacts& key, const std::vector<KeyFacts>& all, UtcTime now) {
    std::vector<std::string> warnings;
    const auto today = norwegian_date(now);
    if (ends(key) && key.state == KeyState::active && key.valid_to - today <= kWarnAhead)
        warnings.push_back(about_end(key, today) + "; " + about_successor(key, all));
    if (crypto::is_suspended(key)) {
        warnings.push_back("suspended after " + std::to_string(key.failures) +
                           " messages that did not open; messages under it wait: look at who sent them, then `tpfctl "
                           "keys resume " +
                           key.id.str() + "`");
    }
    if (key.destroy_request && now <= key.destroy_request->at + crypto::kConfirmWithin) {
        warnings.push_back(key.destroy_request->by.name + " wants it destroyed (" + key.destroy_request->by.reason +
                           "); another operator confirms until " +
                           format_utc(key.destroy_request->at + crypto::kConfirmWithin) + ": `tpfctl keys destroy " +
                           key.id.str() + " --confirm`");
    }
    return warnings;
}

}  // namespace tpf::daemon
