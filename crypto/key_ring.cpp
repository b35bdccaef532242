#include "crypto/key_ring.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <tuple>
#include <utility>

#include "crypto/check_value.h"
#include "crypto/key_file.h"
#include "crypto/key_folder.h"
#include "crypto/key_ring_json.h"

namespace tpf::crypto {
namespace {

constexpr std::size_t kMinLegacyRsaBits = 2048;
constexpr std::size_t kMaxRsaBits = 16384;
constexpr std::string_view kTpf = "TPF";

/// One key, ready for use. Which of the members are there follows from the kind; none but `entry` once destroyed.
struct Key {
    RingEntry entry;
    std::optional<RsaPublicKey> rsa;
    std::optional<VerifyKey> verify;
    std::shared_ptr<const RsaPrivateKey> unwrapper;
    std::optional<SigningKey> signing;
    std::shared_ptr<const SecretBytes> secret;

    [[nodiscard]] const KeyFacts& facts() const noexcept { return entry.facts; }
    [[nodiscard]] bool usable() const noexcept {
        return facts().state == KeyState::active || facts().state == KeyState::accepting;
    }
};
using KeyPointer = std::shared_ptr<const Key>;
using Keys = std::vector<KeyPointer>;

auto usage(std::string detail) {
    return fail(Code::usage, std::move(detail));
}

auto not_the_key(const KeyFacts& facts) {
    return fail(Code::wrong_key, "the key file of " + facts.id.str() + " does not hold the key that the ring names");
}

Status check_rsa(std::size_t bits, const KeyPolicy& policy) {
    const std::size_t least = policy.is_legacy() ? kMinLegacyRsaBits : kMinModernRsaBits;
    if (bits >= least && bits <= kMaxRsaBits) return ok();
    return usage("an RSA key of profile " + std::string(policy.profile()) + " has at least " + std::to_string(least) +
                 " bits");
}

Status check_dates(std::chrono::sys_days from, std::chrono::sys_days to) {
    if (from <= to) return ok();
    return usage("the key's validity ends before it begins");
}

Status load_public(Key& key) {
    const KeyFacts& facts = key.facts();
    std::string check;
    if (has_validity(facts.kind)) {
        TPF_TRY(key.rsa, RsaPublicKey::from_pem(key.entry.public_pem));
        TPF_TRY(check_rsa(key.rsa->bits(), facts.policy));
        check = check_value(*key.rsa);
    } else {
        TPF_TRY(key.verify, VerifyKey::from_pem(key.entry.public_pem));
        check = check_value(*key.verify);
    }
    if (check != facts.check_value) return fail(Code::wrong_key, "it is not the key that its check value names");
    return ok();
}

Status load_pseudonym_key(Key& key, KeyFolder& folder, const std::optional<RingKdf>& kdf) {
    if (!kdf) return fail(Code::config, "keyring.json: a pseudonym key without \"kdf\"");
    TPF_TRY(auto secret, folder.read_secret(key.facts(), *kdf));
    if (check_value(secret) != key.facts().check_value) return not_the_key(key.facts());
    key.secret = std::make_shared<const SecretBytes>(std::move(secret));
    return ok();
}

/// Opens what its file held, and checks that it is the key that the ring names.
Status open_private(Key& key, const std::string& pem, const SecretBytes& passphrase) {
    const KeyFacts& facts = key.facts();
    if (facts.kind == KeyKind::message) {
        TPF_TRY(auto opened, RsaPrivateKey::from_pem(pem, passphrase));
        if (check_value(opened.public_key()) != facts.check_value) return not_the_key(facts);
        key.unwrapper = std::make_shared<const RsaPrivateKey>(std::move(opened));
    } else {
        TPF_TRY(auto opened, SigningKey::from_pem(pem, passphrase));
        if (check_value(opened.verify_key()) != facts.check_value) return not_the_key(facts);
        key.signing = std::move(opened);
    }
    return ok();
}

/// Opens the keys of a ring, which takes a scrypt each for private ones, on all cores.
class Loading {
  public:
    Loading(KeyFolder& folder, const std::optional<RingKdf>& kdf) : folder_(folder), kdf_(kdf) {}

    /// The first fault in the ring's order is told.
    [[nodiscard]] Result<Keys> load(std::vector<RingEntry> entries) {
        std::vector<std::shared_ptr<Key>> keys;
        for (RingEntry& entry : entries) {
            keys.push_back(std::make_shared<Key>(Key{std::move(entry), {}, {}, {}, {}, {}}));
            TPF_TRY(read(*keys.back()));
        }
        open_all();
        for (const Private& one : private_) {
            if (!one.opened) return fail(one.opened.error());
        }
        return Keys(keys.begin(), keys.end());
    }

  private:
    struct Private {
        Key* key;
        std::string pem;
        Status opened = ok();
    };

    Status read(Key& key) {
        const KeyFacts& facts = key.facts();
        if (facts.kind != KeyKind::pseudonym) {
            if (const auto loaded = load_public(key); !loaded) {
                return fail(Code::wrong_key, "key " + facts.id.str() + ": " + loaded.error().detail());
            }
        }
        if (facts.state == KeyState::destroyed || !has_secret(facts.kind)) return ok();
        TPF_TRY(folder_.need_passphrase());
        if (facts.kind == KeyKind::pseudonym) {
            private_.push_back({&key, {}});
            return ok();
        }
        TPF_TRY(auto pem, folder_.read_pem(facts));
        private_.push_back({&key, std::move(pem)});
        return ok();
    }

    void open_all() {
        std::atomic<std::size_t> next = 0;
        const auto work = [&] {
            for (std::size_t i = next++; i < private_.size(); i = next++) {
                Private& one = private_[i];
                if (one.key->facts().kind != KeyKind::pseudonym)
                    one.opened = open_private(*one.key, one.pem, folder_.passphrase());
            }
        };
        std::vector<std::jthread> others;
        const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
        for (std::size_t i = 1; i < std::min(cores, private_.size()); ++i) others.emplace_back(work);
        // All pseudonym keys are sealed under one key that the folder derives once.
        for (Private& one : private_) {
            if (one.key->facts().kind == KeyKind::pseudonym) one.opened = load_pseudonym_key(*one.key, folder_, kdf_);
        }
        work();
    }

    KeyFolder& folder_;
    const std::optional<RingKdf>& kdf_;
    std::vector<Private> private_;
};

}  // namespace

// Readers copy the pointer to the present list under `reading`; the lists themselves never change. Whoever changes the
// ring holds `changing` from the first look to the last write.
struct KeyRing::State {
    State(FileSystem& fs, const Path& path, SecretBytes passphrase) : folder(fs, path, std::move(passphrase)) {}

    [[nodiscard]] std::shared_ptr<const Keys> keys() const {
        const std::lock_guard lock(reading);
        return present;
    }
    void show(Keys next) {
        auto fresh = std::make_shared<const Keys>(std::move(next));
        const std::lock_guard lock(reading);
        present.swap(fresh);
    }
    /// The ring with `key` added: first on disk, then for readers.
    [[nodiscard]] Status add(KeyPointer key) {
        Keys next = *keys();
        next.push_back(std::move(key));
        RingRecord record{kdf, {}};
        for (const KeyPointer& each : next) record.keys.push_back(each->entry);
        TPF_TRY(folder.write_record(record));
        show(std::move(next));
        return ok();
    }
    [[nodiscard]] Status check_new(const KeyId& id) const {
        const auto all = keys();
        for (const KeyPointer& key : *all) {
            if (key->facts().id == id) return usage("the ring has a key " + id.str() + " already");
        }
        return ok();
    }

    std::mutex changing;
    KeyFolder folder;            // under `changing`
    std::optional<RingKdf> kdf;  // under `changing`
    mutable std::mutex reading;
    std::shared_ptr<const Keys> present = std::make_shared<const Keys>();
};

namespace {

KeyFacts new_facts(const KeyRing::GenerateRequest& request, std::size_t bits, std::string check, UtcTime now) {
    KeyFacts facts{request.id,          request.kind, KeyState::active, request.reg, request.version, {}, {},
                   KeyPolicy::modern(), bits,         std::move(check), now};
    if (has_validity(request.kind)) {
        facts.valid_from = request.valid_from;
        facts.valid_to = request.valid_to;
        facts.policy = request.policy;
    }
    return facts;
}

Status check_request(const KeyRing::GenerateRequest& request, const Keys& keys) {
    if (!has_secret(request.kind)) return usage("a key of this kind is imported, not generated");
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
    for (const KeyPointer& key : keys) {
        const KeyFacts& facts = key->facts();
        if (request.kind == KeyKind::pseudonym && facts.kind == KeyKind::pseudonym && facts.reg == request.reg &&
            facts.version == request.version) {
            return usage("the ring has version " + std::to_string(request.version) + " of this register already");
        }
    }
    return ok();
}

Result<KeyPointer> make_message_key(const KeyRing::GenerateRequest& request, UtcTime now, KeyFolder& folder) {
    auto made = RsaPrivateKey::generate(request.bits);
    auto rsa = made.public_key();
    RingEntry entry{new_facts(request, rsa.bits(), check_value(rsa), now), rsa.pem()};
    TPF_TRY(folder.write_pem(entry.facts, made.pem(folder.passphrase())));
    auto shared = std::make_shared<const RsaPrivateKey>(std::move(made));
    return std::make_shared<const Key>(Key{std::move(entry), std::move(rsa), {}, std::move(shared), {}, {}});
}

Result<KeyPointer> make_signing_key(const KeyRing::GenerateRequest& request, UtcTime now, KeyFolder& folder) {
    auto made = SigningKey::generate();
    const auto verify = made.verify_key();
    RingEntry entry{new_facts(request, 256, check_value(verify), now), verify.pem()};
    TPF_TRY(folder.write_pem(entry.facts, made.pem(folder.passphrase())));
    return std::make_shared<const Key>(Key{std::move(entry), {}, verify, {}, std::move(made), {}});
}

Result<KeyPointer> make_pseudonym_key(const KeyRing::GenerateRequest& request, UtcTime now, KeyFolder& folder,
                                      const RingKdf& kdf) {
    auto made = SecretBytes::random(32);
    RingEntry entry{new_facts(request, 256, check_value(made), now), {}};
    TPF_TRY(folder.write_secret(entry.facts, kdf, made));
    auto shared = std::make_shared<const SecretBytes>(std::move(made));
    return std::make_shared<const Key>(Key{std::move(entry), {}, {}, {}, {}, std::move(shared)});
}

RingKdf fresh_kdf() {
    RingKdf kdf;
    const auto salt = SecretBytes::random(16);
    const ByteView bytes = salt.bytes(SecretToken::access());
    kdf.salt.assign(bytes.begin(), bytes.end());
    return kdf;
}

/// A register's key that the TPF could open, or one RSA key under two profiles, would undo what the profiles are for.
Status check_sharing(const KeyFacts& fresh, const Keys& keys) {
    for (const KeyPointer& key : keys) {
        const KeyFacts& facts = key->facts();
        if (facts.check_value != fresh.check_value) continue;
        if (facts.kind != fresh.kind) return usage("this is the key " + facts.id.str() + ", which is of another kind");
        if (facts.policy != fresh.policy) return usage("this is the key " + facts.id.str() + ", of another profile");
    }
    return ok();
}

PublishedKey published(const Key& key) {
    const KeyFacts& facts = key.facts();
    return {facts.id, facts.reg ? facts.reg->str() : std::string(kTpf), facts.valid_from, facts.valid_to, facts.policy,
            *key.rsa};
}

}  // namespace

KeyRing::KeyRing(std::unique_ptr<State> state) : state_(std::move(state)) {}
KeyRing::~KeyRing() = default;

Result<std::unique_ptr<KeyRing>> KeyRing::open(FileSystem& fs, const Path& folder, SecretBytes passphrase) {
    auto state = std::make_unique<State>(fs, folder, std::move(passphrase));
    TPF_TRY(auto record, state->folder.read_record());
    state->kdf = record.kdf;
    state->folder.report_strangers(record);
    TPF_TRY(auto keys, Loading(state->folder, record.kdf).load(std::move(record.keys)));
    state->show(std::move(keys));
    return std::unique_ptr<KeyRing>(new KeyRing(std::move(state)));
}

std::vector<KeyFacts> KeyRing::list() const {
    std::vector<KeyFacts> all;
    const auto keys = state_->keys();
    for (const KeyPointer& key : *keys) all.push_back(key->facts());
    return all;
}

Result<KeyFacts> KeyRing::generate(const GenerateRequest& request, UtcTime now) {
    const std::lock_guard lock(state_->changing);
    TPF_TRY(state_->folder.need_passphrase());
    TPF_TRY(state_->check_new(request.id));
    TPF_TRY(check_request(request, *state_->keys()));
    try {
        if (request.kind == KeyKind::pseudonym && !state_->kdf) state_->kdf = fresh_kdf();
        TPF_TRY(auto key, request.kind == KeyKind::message ? make_message_key(request, now, state_->folder)
                          : request.kind == KeyKind::signing
                              ? make_signing_key(request, now, state_->folder)
                              : make_pseudonym_key(request, now, state_->folder, *state_->kdf));
        KeyFacts facts = key->facts();
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
    KeyFacts facts{request.id, request.kind, KeyState::active, request.reg, 0, {}, {}, KeyPolicy::modern(), 256,
                   {},         now};
    Key key{{std::move(facts), {}}, {}, {}, {}, {}, {}};
    KeyFacts& filled = key.entry.facts;
    if (request.kind == KeyKind::register_) {
        TPF_TRY(key.rsa, RsaPublicKey::from_pem(request.pem));
        TPF_TRY(check_rsa(key.rsa->bits(), request.policy));
        filled.valid_from = request.valid_from;
        filled.valid_to = request.valid_to;
        filled.policy = request.policy;
        filled.bits = key.rsa->bits();
        filled.check_value = check_value(*key.rsa);
        key.entry.public_pem = key.rsa->pem();
    } else {
        TPF_TRY(key.verify, VerifyKey::from_pem(request.pem));
        filled.check_value = check_value(*key.verify);
        key.entry.public_pem = key.verify->pem();
    }
    TPF_TRY(check_sharing(filled, *state_->keys()));
    KeyFacts answer = filled;
    TPF_TRY(state_->add(std::make_shared<const Key>(std::move(key))));
    return answer;
}

Result<KeyRing::MessageKey> KeyRing::message_key(const KeyId& id) const {
    const auto keys = state_->keys();
    for (const KeyPointer& key : *keys) {
        const KeyFacts& facts = key->facts();
        if (facts.kind != KeyKind::message || facts.id != id || facts.state == KeyState::prepared) continue;
        if (!key->usable()) return fail(Code::key_expired, "the key is " + std::string(to_string(facts.state)));
        return MessageKey{key->unwrapper, facts.policy, key->rsa->modulus_bytes()};
    }
    return fail(Code::unknown_key);
}

bool KeyRing::has_message_key() const {
    const auto keys = state_->keys();
    return std::any_of(keys->begin(), keys->end(),
                       [](const KeyPointer& key) { return key->facts().kind == KeyKind::message && key->usable(); });
}

Result<HmacSha256> KeyRing::pseudonym_mac(const RegisterName& reg, unsigned version) const {
    const auto keys = state_->keys();
    for (const KeyPointer& key : *keys) {
        const KeyFacts& facts = key->facts();
        if (facts.kind == KeyKind::pseudonym && facts.reg == reg && facts.version == version && key->usable()) {
            return HmacSha256(*key->secret);
        }
    }
    return fail(Code::no_key, "no pseudonym key of version " + std::to_string(version) + " for register " + reg.str());
}

Result<SigningKey> KeyRing::signing_key() const {
    const auto keys = state_->keys();
    for (auto key = keys->rbegin(); key != keys->rend(); ++key) {
        if ((*key)->facts().kind == KeyKind::signing && (*key)->facts().state == KeyState::active) {
            return *(*key)->signing;
        }
    }
    return fail(Code::no_key, "no active signing key");
}

std::vector<KeyRing::RegisterKey> KeyRing::register_keys(const RegisterName& reg) const {
    std::vector<RegisterKey> all;
    const auto keys = state_->keys();
    for (const KeyPointer& key : *keys) {
        const KeyFacts& facts = key->facts();
        if (facts.kind != KeyKind::register_ || facts.reg != reg || facts.state == KeyState::destroyed) continue;
        all.push_back({facts.id, key->rsa->modulus_bytes(), facts.policy});
    }
    return all;
}

std::vector<VerifyKey> KeyRing::receipt_keys(const RegisterName& reg) const {
    std::vector<VerifyKey> all;
    const auto keys = state_->keys();
    for (const KeyPointer& key : *keys) {
        if (key->facts().kind == KeyKind::receipt && key->facts().reg == reg && key->usable()) {
            all.push_back(*key->verify);
        }
    }
    return all;
}

Result<std::string> KeyRing::publish(unsigned edition, UtcTime now) const {
    const auto today = norwegian_date(now);
    KeyFile file{{}, edition, {}};
    const auto keys = state_->keys();
    for (const KeyPointer& key : *keys) {
        const KeyFacts& facts = key->facts();
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

}  // namespace tpf::crypto
