#pragma once
// What a KeyRing is made of. Internal to crypto/: the ring's own sources share it.

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "crypto/key_ring_load.h"

namespace tpf::crypto {

/// Whose keys in a key file are this installation's own; no register is called so.
inline constexpr std::string_view kTpf = "TPF";

/// Readers copy the pointer to the present list under `reading`; the lists themselves never change. Whoever changes the
/// ring holds `changing` from the first look to the last write.
struct KeyRing::State {
    State(FileSystem& fs, const Path& path, SecretBytes passphrase, uid_t owner, TokenPointer token_)
        : token(std::move(token_)), folder(fs, path, std::move(passphrase), owner) {}

    [[nodiscard]] std::shared_ptr<const Keys> keys() const {
        const std::lock_guard lock(reading);
        return present;
    }
    void show(Keys next) {
        auto fresh = std::make_shared<const Keys>(std::move(next));
        const std::lock_guard lock(reading);
        present.swap(fresh);
    }
    [[nodiscard]] RingRecord record_of(const Keys& all) const {
        RingRecord record{kdf, {}, restored, last_published};
        for (const KeyPointer& each : all) record.keys.push_back(each->facts);
        return record;
    }
    /// The ring as `next`: first on disk, then for readers.
    [[nodiscard]] Status become(Keys next) {
        TPF_TRY(folder.write_record(record_of(next)));
        show(std::move(next));
        return ok();
    }
    /// Of a key that is destroyed: its file, or its objects in the token; never another key's under the same name.
    [[nodiscard]] Status remove_secret(const KeyFacts& facts) {
        if (facts.place != KeyPlace::token) return folder.remove_secret(facts);
        if (!token) return fail(Code::no_key, "the key lies in a token, and there is none");
        if (facts.kind == KeyKind::pseudonym) return token->destroy_hmac(facts.id.str(), facts.check_value);
        TPF_TRY(const auto rsa, RsaPublicKey::from_pem(facts.public_pem));
        return token->destroy_rsa(facts.id.str(), rsa);
    }
    [[nodiscard]] Result<bool> has_secret_of(const KeyFacts& facts) {
        if (facts.place != KeyPlace::token) return folder.has_file(facts);
        if (!token) return fail(Code::no_key, "the key lies in a token, and there is none");
        if (facts.kind == KeyKind::pseudonym) return token->has_hmac(facts.id.str(), facts.check_value);
        TPF_TRY(const auto rsa, RsaPublicKey::from_pem(facts.public_pem));
        return token->has_rsa(facts.id.str(), rsa);
    }
    [[nodiscard]] Status add(KeyPointer key) {
        Keys next = *keys();
        next.push_back(std::move(key));
        return become(std::move(next));
    }
    [[nodiscard]] Status check_new(const KeyId& id) const {
        const auto all = keys();
        for (const KeyPointer& key : *all) {
            if (key->facts.id == id) return fail(Code::usage, "the ring has a key " + id.str() + " already");
        }
        return ok();
    }
    /// The key `id` with what `edit` makes of it. Code::not_found, or what `edit` answered.
    [[nodiscard]] Result<KeyFacts> edit(const KeyId& id, const std::function<Status(Key&)>& edit) {
        Keys next = *keys();
        for (KeyPointer& key : next) {
            if (key->facts.id != id) continue;
            auto changed = std::make_shared<Key>(*key);
            TPF_TRY(edit(*changed));
            KeyFacts facts = changed->facts;
            key = std::move(changed);
            TPF_TRY(become(std::move(next)));
            return facts;
        }
        return fail(Code::not_found, "the ring has no key " + id.str(), "`tpfctl keys list` shows what there is");
    }

    const TokenPointer token;  // may be nullptr
    std::mutex changing;
    KeyFolder folder;                                // under `changing`
    std::optional<RingKdf> kdf;                      // under `changing`
    std::optional<RingRestored> restored;            // under `changing`
    std::optional<PublishedEdition> last_published;  // under `changing`
    mutable std::mutex reading;
    std::shared_ptr<const Keys> present = std::make_shared<const Keys>();
};

}  // namespace tpf::crypto
