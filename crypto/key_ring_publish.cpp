// The senders' key file, and which edition of it was the last.

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/encoding.h"
#include "base/sha256.h"
#include "crypto/key_file.h"
#include "crypto/key_ring_state.h"

namespace tpf::crypto {
namespace {

PublishedKey published(const Key& key) {
    const KeyFacts& facts = key.facts;
    return {facts.id, facts.reg ? facts.reg->str() : std::string(kTpf), facts.valid_from, facts.valid_to, facts.policy,
            *key.rsa};
}

/// What the senders may use from `today` on.
Result<std::string> key_file(const Keys& keys, unsigned edition, std::chrono::sys_days today) {
    KeyFile file{{}, edition, {}};
    for (const KeyPointer& key : keys) {
        const KeyFacts& facts = key->facts;
        if (has_validity(facts.kind) && facts.state == KeyState::active && facts.valid_to >= today) {
            file.keys.push_back(published(*key));
        }
    }
    const auto order = [](const PublishedKey& key) { return std::tuple(key.owner != kTpf, key.owner, key.valid_from); };
    std::stable_sort(file.keys.begin(), file.keys.end(),
                     [&](const PublishedKey& a, const PublishedKey& b) { return order(a) < order(b); });
    const auto last =
        std::find_if(file.keys.rbegin(), file.keys.rend(), [](const PublishedKey& key) { return key.owner == kTpf; });
    if (last == file.keys.rend()) return fail(Code::no_key, "no active message key to publish");
    file.version = format_date(last->valid_from).substr(0, 4);
    return file.write();
}

}  // namespace

Result<KeyRing::PublishedFile> KeyRing::publish(std::optional<unsigned> edition, UtcTime now) {
    const std::lock_guard lock(state_->changing);
    const auto& last = state_->last_published;
    const unsigned next = last ? last->edition + 1 : 1;
    const unsigned wanted = edition.value_or(next);
    if (wanted == 0 || wanted > kMaxEdition)
        return fail(Code::usage, "the edition is a number from 1 to " + std::to_string(kMaxEdition));
    if (wanted > next && wanted - next > kMaxEditionStep) {
        return fail(Code::usage, "edition " + std::to_string(wanted) + " is more than " +
                                     std::to_string(kMaxEditionStep) + " above the next one, " + std::to_string(next));
    }
    TPF_TRY(auto content, key_file(*state_->keys(), wanted, norwegian_date(now)));
    const PublishedEdition made{wanted, hex(sha256(content))};
    if (last && (wanted < last->edition || (wanted == last->edition && made != *last))) {
        return fail(Code::usage,
                    "edition " + std::to_string(last->edition) + " was published already, with other content",
                    "leave --edition out: the next one is " + std::to_string(next));
    }
    const auto before = std::exchange(state_->last_published, made);
    if (const Status kept = state_->become(*state_->keys()); !kept) {
        state_->last_published = before;
        return fail(kept.error());
    }
    return PublishedFile{std::move(content), made};
}

}  // namespace tpf::crypto
