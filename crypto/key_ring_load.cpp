#include "crypto/key_ring_load.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "base/log.h"
#include "crypto/check_value.h"

namespace tpf::crypto {
namespace {

constexpr std::size_t kMaxRsaBits = 16384;

auto not_the_key(const KeyFacts& facts) {
    return fail(Code::wrong_key, "the key file of " + facts.id.str() + " does not hold the key that the ring names");
}

/// Opening one ring's keys.
class Loading {
  public:
    Loading(KeyFolder& folder, const RingRecord& record, const TokenPointer& token)
        : folder_(folder), kdf_(record.kdf), token_(token) {}

    [[nodiscard]] std::vector<LoadedKey> load(const std::vector<KeyFacts>& all) {
        for (const KeyFacts& facts : all) {
            auto key = std::make_shared<Key>(Key{facts});
            loaded_.push_back({key, read(*key)});
        }
        open_private();
        return std::move(loaded_);
    }

  private:
    struct Private {
        std::size_t at;  // in loaded_
        std::string pem;
    };

    Status read(Key& key) {
        const KeyFacts& facts = key.facts;
        if (const auto loaded = load_public(key); !loaded) {
            return fail(Code::wrong_key, "key " + facts.id.str() + ": " + loaded.error().detail());
        }
        if (facts.state == KeyState::destroyed || !has_secret(facts.kind)) return ok();
        if (facts.place == KeyPlace::token) return take_from_token(key, token_);
        if (facts.place == KeyPlace::wrapped) {
            TPF_TRY(auto octets, folder_.read_wrapped(facts));
            key.wrapped = std::make_shared<const WrappedSecret>(token_, std::move(octets), facts.check_value);
            TPF_TRY(key.wrapped->open());
            return ok();
        }
        TPF_TRY(folder_.need_passphrase());
        if (facts.kind == KeyKind::pseudonym) {
            pseudonym_.push_back(loaded_.size());
            return ok();
        }
        TPF_TRY(auto pem, folder_.read_pem(facts));
        private_.push_back({loaded_.size(), std::move(pem)});
        return ok();
    }

    Status open_pseudonym(Key& key) {
        if (!kdf_) return fail(Code::config, "keyring.json: a pseudonym key without \"kdf\"");
        TPF_TRY(auto secret, folder_.read_secret(key.facts, *kdf_));
        return take_secret(key, std::move(secret));
    }

    void open_private() {
        std::atomic<std::size_t> next = 0;
        const auto work = [&] {
            for (std::size_t i = next++; i < private_.size(); i = next++) {
                LoadedKey& one = loaded_[private_[i].at];
                one.opened = take_private(*one.key, private_[i].pem, folder_.passphrase());
            }
            wipe_stack();
        };
        std::vector<std::jthread> others;
        const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
        for (std::size_t i = 1; i < std::min(cores, private_.size() + pseudonym_.size()); ++i)
            others.emplace_back(work);
        // All pseudonym keys are sealed under one key that the folder derives once.
        for (const std::size_t at : pseudonym_) loaded_[at].opened = open_pseudonym(*loaded_[at].key);
        work();
    }

    KeyFolder& folder_;
    const std::optional<RingKdf>& kdf_;
    const TokenPointer& token_;
    std::vector<LoadedKey> loaded_;
    std::vector<Private> private_;
    std::vector<std::size_t> pseudonym_;
};

}  // namespace

Status check_rsa(std::size_t bits, const KeyPolicy& policy) {
    const std::size_t least = min_rsa_bits(policy);
    if (bits >= least && bits <= kMaxRsaBits) return ok();
    return fail(Code::usage, "an RSA key of profile " + std::string(policy.profile()) + " has at least " +
                                 std::to_string(least) + " bits");
}

Status load_public(Key& key) {
    const KeyFacts& facts = key.facts;
    if (facts.kind == KeyKind::pseudonym) return ok();
    std::string check;
    if (has_validity(facts.kind)) {
        TPF_TRY(key.rsa, RsaPublicKey::from_pem(facts.public_pem));
        TPF_TRY(check_rsa(key.rsa->bits(), facts.policy));
        check = check_value(*key.rsa);
    } else {
        TPF_TRY(key.verify, VerifyKey::from_pem(facts.public_pem));
        check = check_value(*key.verify);
    }
    if (check != facts.check_value) return fail(Code::wrong_key, "it is not the key that its check value names");
    return ok();
}

Status take_private(Key& key, std::string_view pem, const SecretBytes& passphrase) {
    if (key.facts.kind == KeyKind::message) {
        TPF_TRY(auto opened, RsaPrivateKey::from_pem(pem, passphrase));
        if (check_value(opened.public_key()) != key.facts.check_value) return not_the_key(key.facts);
        key.private_key = std::make_shared<const RsaPrivateKey>(std::move(opened));
        key.unwrapper = key.private_key;
    } else {
        TPF_TRY(auto opened, SigningKey::from_pem(pem, passphrase));
        if (check_value(opened.verify_key()) != key.facts.check_value) return not_the_key(key.facts);
        key.signing = std::move(opened);
    }
    return ok();
}

Status take_secret(Key& key, SecretBytes secret) {
    if (check_value(secret) != key.facts.check_value) return not_the_key(key.facts);
    key.secret = std::make_shared<const SecretBytes>(std::move(secret));
    return ok();
}

Status take_from_token(Key& key, const TokenPointer& token) {
    const KeyFacts& facts = key.facts;
    if (!token) return fail(Code::no_key, "the key " + facts.id.str() + " lies in a token, and there is none");
    if (facts.kind == KeyKind::message) {
        key.unwrapper = std::make_shared<const TokenUnwrapper>(token, facts.id.str(), *key.rsa);
        TPF_TRY(const RsaPublicKey there, token->find_rsa(facts.id.str()));
        return check_value(there) == facts.check_value ? ok() : Status(not_the_key(facts));
    }
    TPF_TRY(const std::string there, token->hmac_check_value(facts.id.str()));
    return there == facts.check_value ? ok() : Status(not_the_key(facts));
}

std::vector<LoadedKey> load_keys(KeyFolder& folder, const RingRecord& record, const TokenPointer& token) {
    return Loading(folder, record, token).load(record.keys);
}

Result<Keys> load_all_keys(KeyFolder& folder, const RingRecord& record, const TokenPointer& token) {
    Keys keys;
    for (LoadedKey& one : load_keys(folder, record, token)) {
        const bool away = !one.opened && one.opened.error().code() == Code::no_key;
        if (away && one.key->facts.place != KeyPlace::file) {
            log::warning("a key is not there yet",
                         {{"key", one.key->facts.id.str()}, {"error", one.opened.error().detail()}});
        } else if (!one.opened) {
            return fail(one.opened.error());
        }
        keys.push_back(std::move(one.key));
    }
    return keys;
}

}  // namespace tpf::crypto
