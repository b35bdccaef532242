#include "crypto/key_ring.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "crypto/check_value.h"
#include "crypto/key_ring_state.h"

namespace tpf::crypto {
namespace {

auto usage(std::string detail) {
    return fail(Code::usage, std::move(detail));
}

Status check_dates(std::chrono::sys_days from, std::chrono::sys_days to) {
    if (from <= to) return ok();
    return usage("the key's validity ends before it begins");
}

/// A new key is in use or prepared for it.
Status check_first_state(KeyState state) {
    if (state == KeyState::active || state == KeyState::prepared) return ok();
    return usage("a new key is active or prepared");
}

std::vector<KeyChange> first_change(KeyState state, const KeyActor& actor, UtcTime now) {
    if (actor.name.empty()) return {};
    return {{state, now, actor.name, actor.reason}};
}

KeyFacts new_facts(const KeyRing::GenerateRequest& request, std::size_t bits, std::string check, UtcTime now) {
    KeyFacts facts{request.id,          request.kind, request.state,    request.reg, request.version, {}, {},
                   KeyPolicy::modern(), bits,         std::move(check), now};
    facts.history = first_change(request.state, request.actor, now);
    facts.place = request.place;
    if (has_validity(request.kind)) {
        facts.valid_from = request.valid_from;
        facts.valid_to = request.valid_to;
        facts.policy = request.policy;
    }
    return facts;
}

/// Two registers, or two versions, under one key would be linked.
Status check_existing(const KeyRing::GenerateRequest& request, const Keys& keys) {
    if (request.kind != KeyKind::pseudonym || request.place == KeyPlace::token)
        return usage("only a pseudonym key in a file, or wrapped by a token, is taken in as it is");
    if (request.existing->size() != kPseudonymKeyBytes) return usage("a pseudonym key has 32 bytes");
    const std::string check = check_value(*request.existing);
    for (const KeyPointer& key : keys) {
        if (key->facts.check_value == check) return usage("this is the key " + key->facts.id.str());
    }
    return ok();
}

Status check_request(const KeyRing::GenerateRequest& request, const Keys& keys) {
    if (!has_secret(request.kind)) return usage("a key of this kind is imported, not generated");
    TPF_TRY(check_first_state(request.state));
    if (request.id.str() == kWrappingLabel) return usage("that is the name of the token's own wrapping key");
    if (!may_lie(request.kind, request.place))
        return usage("a key of this kind does not lie there: message keys in file or token, pseudonym keys anywhere");
    if (request.kind == KeyKind::message) {
        TPF_TRY(check_rsa(request.bits, request.policy));
        TPF_TRY(check_dates(request.valid_from, request.valid_to));
    }
    if (request.reg.has_value() != has_register(request.kind)) {
        return usage(request.reg ? "a key of this kind belongs to no register" : "a pseudonym key needs a register");
    }
    if ((request.version != 0) != (request.kind == KeyKind::pseudonym)) {
        return usage("a pseudonym key, and no other, has a version from 1");
    }
    if (request.existing) {
        TPF_TRY(check_existing(request, keys));
    }
    for (const KeyPointer& key : keys) {
        const KeyFacts& facts = key->facts;
        if (request.kind == KeyKind::pseudonym && facts.kind == KeyKind::pseudonym && facts.reg == request.reg &&
            facts.version == request.version) {
            return usage("the ring has version " + std::to_string(request.version) + " of this register already");
        }
    }
    return ok();
}

Result<KeyPointer> make_in_token(const KeyRing::GenerateRequest& request, UtcTime now, const TokenPointer& token) {
    const std::string label = request.id.str();
    if (request.kind == KeyKind::message) {
        TPF_TRY(auto rsa, token->generate_rsa(label, request.bits));
        Key key{new_facts(request, rsa.bits(), check_value(rsa), now)};
        key.facts.public_pem = rsa.pem();
        key.unwrapper = std::make_shared<const TokenUnwrapper>(token, label, rsa);
        key.rsa = std::move(rsa);
        return std::make_shared<const Key>(std::move(key));
    }
    TPF_TRY(token->generate_hmac(label));
    TPF_TRY(const std::string check, token->hmac_check_value(label));
    return std::make_shared<const Key>(Key{new_facts(request, 256, check, now)});
}

SecretBytes pseudonym_secret(const KeyRing::GenerateRequest& request) {
    return request.existing ? request.existing->clone() : SecretBytes::random(kPseudonymKeyBytes);
}

Result<KeyPointer> make_wrapped(const KeyRing::GenerateRequest& request, UtcTime now, KeyFolder& folder,
                                const TokenPointer& token) {
    const auto made = pseudonym_secret(request);
    Key key{new_facts(request, 256, check_value(made), now)};
    TPF_TRY(auto octets, WrappedSecret::wrap(*token, made));
    TPF_TRY(folder.write_wrapped(key.facts, octets));
    key.wrapped = std::make_shared<const WrappedSecret>(token, std::move(octets), key.facts.check_value);
    TPF_TRY(key.wrapped->open());
    return std::make_shared<const Key>(std::move(key));
}

Result<KeyPointer> make_message_key(const KeyRing::GenerateRequest& request, RsaPrivateKey made, UtcTime now,
                                    KeyFolder& folder) {
    auto rsa = made.public_key();
    Key key{new_facts(request, rsa.bits(), check_value(rsa), now)};
    key.facts.public_pem = rsa.pem();
    TPF_TRY(folder.write_pem(key.facts, made.pem(folder.passphrase())));
    key.rsa = std::move(rsa);
    key.private_key = std::make_shared<const RsaPrivateKey>(std::move(made));
    key.unwrapper = key.private_key;
    return std::make_shared<const Key>(std::move(key));
}

Result<KeyPointer> make_signing_key(const KeyRing::GenerateRequest& request, UtcTime now, KeyFolder& folder) {
    auto made = SigningKey::generate();
    const auto verify = made.verify_key();
    Key key{new_facts(request, 256, check_value(verify), now)};
    key.facts.public_pem = verify.pem();
    TPF_TRY(folder.write_pem(key.facts, made.pem(folder.passphrase())));
    key.verify = verify;
    key.signing = std::move(made);
    return std::make_shared<const Key>(std::move(key));
}

Result<KeyPointer> make_pseudonym_key(const KeyRing::GenerateRequest& request, UtcTime now, KeyFolder& folder,
                                      const RingKdf& kdf) {
    auto made = pseudonym_secret(request);
    Key key{new_facts(request, 256, check_value(made), now)};
    TPF_TRY(folder.write_secret(key.facts, kdf, made));
    key.secret = std::make_shared<const SecretBytes>(std::move(made));
    return std::make_shared<const Key>(std::move(key));
}

/// A register's key that the TPF could open, or one RSA key under two profiles, would undo what the profiles are for.
Status check_sharing(const KeyFacts& fresh, const Keys& keys) {
    for (const KeyPointer& key : keys) {
        const KeyFacts& facts = key->facts;
        if (facts.check_value != fresh.check_value) continue;
        if (facts.kind != fresh.kind) return usage("this is the key " + facts.id.str() + ", which is of another kind");
        if (facts.policy != fresh.policy) return usage("this is the key " + facts.id.str() + ", of another profile");
    }
    return ok();
}

}  // namespace

KeyRing::KeyRing(std::unique_ptr<State> state) : state_(std::move(state)) {}
KeyRing::~KeyRing() = default;

Result<std::unique_ptr<KeyRing>> KeyRing::open(FileSystem& fs, const Path& folder, SecretBytes passphrase, uid_t owner,
                                               std::shared_ptr<const Pkcs11Token> token) {
    auto state = std::make_unique<State>(fs, folder, std::move(passphrase), owner, std::move(token));
    TPF_TRY(const auto record, state->folder.read_record());
    state->kdf = record.kdf;
    state->restored = record.restored;
    state->last_published = record.published;
    for (const std::string& name : state->folder.strangers(record))
        log::warning("a file in the key folder that no key of the ring names", {{"path", (folder / name).string()}});
    TPF_TRY(auto keys, load_all_keys(state->folder, record, state->token));
    for (const KeyFacts& facts : record.keys) {
        if (facts.state != KeyState::destroyed || !has_secret(facts.kind)) continue;
        const Status removed = state->remove_secret(facts);
        if (removed) continue;
        if (facts.place != KeyPlace::token) return fail(removed.error());
        log::warning("a destroyed key could not be removed from the token: it is tried again at the next start",
                     {{"key", facts.id.str()}, {"error", removed.error().text()}});
    }
    state->show(std::move(keys));
    return std::unique_ptr<KeyRing>(new KeyRing(std::move(state)));
}

UtcTime in_state_since(const KeyFacts& facts) {
    return facts.history.empty() ? facts.created : facts.history.back().at;
}

std::vector<KeyFacts> KeyRing::list() const {
    std::vector<KeyFacts> all;
    const auto keys = state_->keys();
    for (const KeyPointer& key : *keys) all.push_back(key->facts);
    return all;
}

Result<KeyFacts> KeyRing::generate(const GenerateRequest& request, UtcTime now) {
    const auto may_be_made = [&]() -> Status {
        TPF_TRY(state_->folder.need_passphrase());
        TPF_TRY(state_->check_new(request.id));
        TPF_TRY(check_request(request, *state_->keys()));
        if (request.place == KeyPlace::file || state_->token) return ok();
        return fail(Code::usage, "there is no token", "`uri` in [pkcs11] of the configuration names one");
    };
    try {
        std::optional<RsaPrivateKey> rsa;
        if (request.kind == KeyKind::message && request.place == KeyPlace::file) {
            {
                const std::lock_guard lock(state_->changing);
                TPF_TRY(may_be_made());
            }
            rsa = RsaPrivateKey::generate(request.bits);  // a large one takes minutes: nobody waits for it
        }
        const std::lock_guard lock(state_->changing);
        TPF_TRY(may_be_made());
        const bool needs_kdf = request.kind == KeyKind::pseudonym && request.place == KeyPlace::file;
        if (needs_kdf && !state_->kdf) state_->kdf = RingKdf::fresh();
        TPF_TRY(auto key,
                request.place == KeyPlace::token     ? make_in_token(request, now, state_->token)
                : request.place == KeyPlace::wrapped ? make_wrapped(request, now, state_->folder, state_->token)
                : request.kind == KeyKind::message   ? make_message_key(request, std::move(*rsa), now, state_->folder)
                : request.kind == KeyKind::signing   ? make_signing_key(request, now, state_->folder)
                                                     : make_pseudonym_key(request, now, state_->folder, *state_->kdf));
        KeyFacts facts = key->facts;
        TPF_TRY(state_->add(std::move(key)));
        return facts;
    } catch (const std::exception&) {
        return fail(Code::internal, "the key could not be made");
    }
}

Result<KeyFacts> KeyRing::import(const ImportRequest& request, UtcTime now) {
    const std::lock_guard lock(state_->changing);
    if (has_secret(request.kind)) return usage("a key of this kind is generated, not imported");
    TPF_TRY(state_->check_new(request.id));
    if (request.reg.str() == kTpf) return usage("no register is called TPF: that name means this installation");
    TPF_TRY(check_dates(request.valid_from, request.valid_to));
    TPF_TRY(check_first_state(request.state));
    Key key{{request.id, request.kind, request.state, request.reg, 0, {}, {}, KeyPolicy::modern(), 256, {}, now}};
    KeyFacts& filled = key.facts;
    filled.history = first_change(request.state, request.actor, now);
    if (request.kind == KeyKind::register_) {
        TPF_TRY(key.rsa, RsaPublicKey::from_pem(request.pem));
        TPF_TRY(check_rsa(key.rsa->bits(), request.policy));
        filled.valid_from = request.valid_from;
        filled.valid_to = request.valid_to;
        filled.policy = request.policy;
        filled.bits = key.rsa->bits();
        filled.check_value = check_value(*key.rsa);
        filled.public_pem = key.rsa->pem();
    } else {
        TPF_TRY(key.verify, VerifyKey::from_pem(request.pem));
        filled.check_value = check_value(*key.verify);
        filled.public_pem = key.verify->pem();
    }
    TPF_TRY(check_sharing(filled, *state_->keys()));
    KeyFacts answer = filled;
    TPF_TRY(state_->add(std::make_shared<const Key>(std::move(key))));
    return answer;
}

Result<KeyRing::MessageKey> KeyRing::message_key(const KeyId& id) const {
    const auto keys = state_->keys();
    for (const KeyPointer& key : *keys) {
        const KeyFacts& facts = key->facts;
        if (facts.kind != KeyKind::message || facts.id != id || facts.state == KeyState::prepared) continue;
        if (!key->usable()) return fail(Code::key_expired, "the key is " + std::string(to_string(facts.state)));
        if (is_suspended(facts)) {
            return fail(Code::no_key, "the legacy key " + id.str() + " is suspended: too many messages did not open",
                        "look at what came and from whom; then `tpfctl keys resume`");
        }
        if (!key->unwrapper) return fail(Code::no_key, "the key lies in a token, and there is none");
        return MessageKey{key->unwrapper, facts.policy, key->rsa->modulus_bytes()};
    }
    return fail(Code::unknown_key);
}

bool KeyRing::has_message_key() const {
    const auto keys = state_->keys();
    return std::any_of(keys->begin(), keys->end(),
                       [](const KeyPointer& key) { return key->facts.kind == KeyKind::message && key->usable(); });
}

Result<PseudonymMac> KeyRing::pseudonym_mac(const RegisterName& reg, unsigned version, bool retired_too) const {
    const auto keys = state_->keys();
    for (const KeyPointer& key : *keys) {
        const KeyFacts& facts = key->facts;
        const bool usable = key->usable() || (retired_too && facts.state == KeyState::retired);
        if (facts.kind != KeyKind::pseudonym || facts.reg != reg || facts.version != version || !usable) continue;
        if (facts.place == KeyPlace::file) return PseudonymMac(HmacSha256(*key->secret));
        if (!state_->token) return fail(Code::no_key, "the key lies in a token, and there is none");
        if (facts.place == KeyPlace::token) return PseudonymMac(state_->token, facts.id.str(), facts.check_value);
        TPF_TRY(const auto secret, key->wrapped->open());
        return PseudonymMac(HmacSha256(*secret));
    }
    return fail(Code::no_key, "no pseudonym key of version " + std::to_string(version) + " for register " + reg.str());
}

Result<SigningKey> KeyRing::signing_key() const {
    const auto keys = state_->keys();
    const Key* last = nullptr;
    for (const KeyPointer& key : *keys) {
        if (key->facts.kind != KeyKind::signing || key->facts.state != KeyState::active) continue;
        if (last == nullptr || in_state_since(key->facts) >= in_state_since(last->facts)) last = key.get();
    }
    if (last == nullptr) return fail(Code::no_key, "no active signing key");
    return *last->signing;
}

std::vector<KeyRing::RegisterKey> KeyRing::register_keys(const RegisterName& reg) const {
    std::vector<RegisterKey> all;
    const auto keys = state_->keys();
    for (const KeyPointer& key : *keys) {
        const KeyFacts& facts = key->facts;
        if (facts.kind != KeyKind::register_ || facts.reg != reg || !key->usable()) continue;
        all.push_back({facts.id, key->rsa->modulus_bytes(), facts.policy});
    }
    return all;
}

std::vector<VerifyKey> KeyRing::receipt_keys(const RegisterName& reg) const {
    std::vector<VerifyKey> all;
    const auto keys = state_->keys();
    for (const KeyPointer& key : *keys) {
        if (key->facts.kind == KeyKind::receipt && key->facts.reg == reg && key->usable()) {
            all.push_back(*key->verify);
        }
    }
    return all;
}

}  // namespace tpf::crypto
