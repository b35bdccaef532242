// A key's life: who may bring it from which state into which, and what a check of all keys finds.

#include <algorithm>

#include "crypto/key_ring_state.h"

namespace tpf::crypto {
namespace {

Status check_change(const KeyFacts& facts, KeyState to) {
    const std::string is = facts.id.str() + " is " + std::string(to_string(facts.state));
    if (facts.state == to) return fail(Code::usage, is + " already");
    if (facts.state == KeyState::destroyed) return fail(Code::usage, is + ": its secret is gone");
    if (to == KeyState::accepting && !has_accepting(facts.kind)) {
        return fail(Code::usage, "nothing arrives under a key of kind " + std::string(to_string(facts.kind)),
                    "retire it when it is no longer used");
    }
    if (to == KeyState::accepting && facts.state == KeyState::prepared)
        return fail(Code::usage, is + ": nobody has it", "`tpfctl keys activate` publishes it and takes it into use");
    if (to != KeyState::active && to != KeyState::accepting && to != KeyState::retired)
        return fail(Code::usage, "a key cannot be brought into that state");
    return ok();
}

Status check_destroy(const KeyFacts& facts, const KeyRing::NeededFor& needed_for) {
    if (facts.state != KeyState::retired && facts.state != KeyState::prepared) {
        return fail(Code::usage, facts.id.str() + " is " + std::string(to_string(facts.state)),
                    facts.state == KeyState::destroyed ? "nothing is left to be done"
                                                       : "`tpfctl keys retire` it first, and see that all goes on");
    }
    TPF_TRY(const std::string why, needed_for(facts));
    if (!why.empty()) return fail(Code::usage, facts.id.str() + " is still needed: " + why);
    return ok();
}

Status check_confirmation(const KeyFacts& facts, const KeyActor& actor, UtcTime now) {
    if (facts.destroy_request) return check_second(*facts.destroy_request, actor, now);
    return fail(Code::usage, "nobody asked for " + facts.id.str() + " to be destroyed",
                "the first operator gives the command without --confirm");
}

void enter(Key& key, KeyState to, const KeyActor& actor, UtcTime now) {
    key.facts.state = to;
    key.facts.history.push_back({to, now, actor.name, actor.reason});
    key.facts.destroy_request.reset();
}

}  // namespace

Result<KeyFacts> KeyRing::change(const KeyId& id, KeyState to, const KeyActor& actor, UtcTime now) {
    const std::lock_guard lock(state_->changing);
    return state_->edit(id, [&](Key& key) -> Status {
        TPF_TRY(check_change(key.facts, to));
        enter(key, to, actor, now);
        return ok();
    });
}

bool is_suspended(const KeyFacts& facts) noexcept {
    return facts.failures >= kMostFailures;
}

Result<bool> KeyRing::note_failure(const KeyId& id, const BeforeSuspension& before_suspension) {
    const auto counts = [&] {
        const auto keys = state_->keys();
        return std::any_of(keys->begin(), keys->end(), [&](const KeyPointer& key) {
            const KeyFacts& facts = key->facts;
            return facts.id == id && facts.kind == KeyKind::message && facts.policy.is_legacy() && !is_suspended(facts);
        });
    };
    // Before the lock: a worker does not wait for an operator's change because of a message under a modern key.
    if (!counts()) return false;
    const std::lock_guard lock(state_->changing);
    if (!counts()) return false;
    TPF_TRY(const KeyFacts facts, state_->edit(id, [&](Key& key) -> Status {
        ++key.facts.failures;
        return is_suspended(key.facts) ? before_suspension(key.facts) : ok();
    }));
    return is_suspended(facts);
}

Result<KeyFacts> KeyRing::resume(const KeyId& id) {
    const std::lock_guard lock(state_->changing);
    return state_->edit(id, [](Key& key) -> Status {
        if (key.facts.failures == 0) return fail(Code::usage, key.facts.id.str() + " has no failures to forget");
        key.facts.failures = 0;
        return ok();
    });
}

Result<KeyFacts> KeyRing::request_destroy(const KeyId& id, const KeyActor& actor, const NeededFor& needed_for,
                                          UtcTime now) {
    const std::lock_guard lock(state_->changing);
    return state_->edit(id, [&](Key& key) -> Status {
        TPF_TRY(check_destroy(key.facts, needed_for));
        key.facts.destroy_request = DestroyRequest{now, actor};
        return ok();
    });
}

Result<KeyFacts> KeyRing::confirm_destroy(const KeyId& id, const KeyActor& actor, const NeededFor& needed_for,
                                          UtcTime now) {
    const std::lock_guard lock(state_->changing);
    TPF_TRY(KeyFacts facts, state_->edit(id, [&](Key& key) -> Status {
        TPF_TRY(check_confirmation(key.facts, actor, now));
        TPF_TRY(check_destroy(key.facts, needed_for));
        enter(key, KeyState::destroyed, actor, now);
        key.unwrapper.reset();
        key.private_key.reset();
        key.wrapped.reset();
        key.signing.reset();
        key.secret.reset();
        return ok();
    }));
    // The ring first: a file without its key is removed at the next start, a key without its file would stop it.
    if (has_secret(facts.kind)) {
        TPF_TRY(state_->remove_secret(facts));
    }
    return facts;
}

Result<KeyRing::CheckReport> KeyRing::check() const {
    const std::lock_guard lock(state_->changing);
    KeyFolder folder = state_->folder.anew();
    TPF_TRY(const auto record, folder.read_record());
    CheckReport report;
    report.as_loaded = write_ring(record) == write_ring(state_->record_of(*state_->keys()));
    report.strangers = folder.strangers(record);
    for (const LoadedKey& one : load_keys(folder, record, state_->token)) {
        report.keys.push_back({one.key->facts.id, one.key->facts.state, std::nullopt});
        const KeyFacts& facts = one.key->facts;
        if (!one.opened) {
            report.keys.back().fault = one.opened.error();
        } else if (facts.state == KeyState::destroyed && has_secret(facts.kind)) {
            const auto remains = state_->has_secret_of(facts);
            if (!remains) {
                report.keys.back().fault =
                    Error(Code::no_key, "it is destroyed, but whether the token still has it is unknown",
                          "`tpfctl keys check` again, when the token is there");
            } else if (remains.value()) {
                report.keys.back().fault =
                    Error(Code::io, "it is destroyed, but its secret is still there", "restart tpfd");
            }
        }
    }
    return report;
}

Status KeyRing::announce_restore(const std::function<Status(const RingRestored&)>& record) {
    const std::lock_guard lock(state_->changing);
    if (!state_->restored) return ok();
    TPF_TRY(record(*state_->restored));
    state_->restored.reset();
    return state_->become(*state_->keys());
}

}  // namespace tpf::crypto
