// All of a ring in one piece, and a ring from such a piece. The bundle: parts, each a length of 4 bytes (big-endian)
// and so many bytes. The first is a keyring.json without "kdf"; then, in its order, the secret of each key that has
// one outside of a token: PKCS#8 in clear (PEM), the 32 bytes of a pseudonym key, or of a wrapped one what the token
// opens.

#include <algorithm>

#include "crypto/key_ring_state.h"

namespace tpf::crypto {
namespace {

constexpr std::size_t kLength = 4;

bool has_part(const KeyFacts& facts) {
    return has_secret(facts.kind) && facts.state != KeyState::destroyed && facts.place != KeyPlace::token;
}

SecretBytes in_clear(const Key& key) {
    if (key.facts.place == KeyPlace::wrapped) return SecretBytes::copy_of(key.wrapped->octets());
    if (key.facts.kind == KeyKind::pseudonym) return key.secret->clone();
    return key.facts.kind == KeyKind::message ? key.private_key->pem(SecretBytes()) : key.signing->pem(SecretBytes());
}

SecretBytes join(const std::vector<SecretBytes>& parts) {
    std::size_t size = 0;
    for (const SecretBytes& part : parts) size += kLength + part.size();
    SecretBytes whole(size);
    auto out = whole.writable(SecretToken::access());
    for (const SecretBytes& part : parts) {
        for (std::size_t i = 0; i < kLength; ++i)
            out[i] = static_cast<std::uint8_t>(part.size() >> (8 * (kLength - 1 - i)));
        const ByteView bytes = part.bytes(SecretToken::access());
        std::copy(bytes.begin(), bytes.end(), out.begin() + kLength);
        out = out.subspan(kLength + part.size());
    }
    return whole;
}

auto no_bundle() {
    return fail(Code::field_form, "this is not a key ring's bundle");
}

/// The parts lie in the bundle.
Result<std::vector<ByteView>> divide(const SecretBytes& bundle) {
    std::vector<ByteView> parts;
    ByteView rest = bundle.bytes(SecretToken::access());
    while (!rest.empty()) {
        if (rest.size() < kLength) return no_bundle();
        std::size_t size = 0;
        for (const std::uint8_t byte : rest.first(kLength)) size = size << 8 | byte;
        if (size > rest.size() - kLength) return no_bundle();
        parts.push_back(rest.subspan(kLength, size));
        rest = rest.subspan(kLength + size);
    }
    if (parts.empty()) return no_bundle();
    return parts;
}

struct Bundle {
    RingRecord record;
    std::vector<Key> keys;
};

/// Every key is the one of its check value, or there is no bundle.
Result<Bundle> open_bundle(const SecretBytes& bundle) {
    TPF_TRY(const auto parts, divide(bundle));
    Bundle opened;
    TPF_TRY(opened.record, parse_ring(as_text(parts.front())));
    std::size_t next = 1;
    for (const KeyFacts& facts : opened.record.keys) {
        Key key{facts};
        TPF_TRY(load_public(key));
        if (has_part(facts)) {
            if (next == parts.size()) return no_bundle();
            const ByteView part = parts[next++];
            if (facts.place == KeyPlace::wrapped) {
                key.wrapped =
                    std::make_shared<const WrappedSecret>(nullptr, Bytes(part.begin(), part.end()), facts.check_value);
                opened.keys.push_back(std::move(key));
                continue;
            }
            TPF_TRY(facts.kind == KeyKind::pseudonym ? take_secret(key, SecretBytes::copy_of(part))
                                                     : take_private(key, as_text(part), SecretBytes()));
        }
        opened.keys.push_back(std::move(key));
    }
    if (next != parts.size()) return no_bundle();
    return opened;
}

Status write_key(KeyFolder& folder, const Key& key, const RingKdf& kdf) {
    if (!has_part(key.facts)) return ok();
    if (key.facts.place == KeyPlace::wrapped) return folder.write_wrapped(key.facts, key.wrapped->octets());
    if (key.facts.kind == KeyKind::pseudonym) return folder.write_secret(key.facts, kdf, *key.secret);
    const SecretBytes& phrase = folder.passphrase();
    return folder.write_pem(
        key.facts, key.facts.kind == KeyKind::message ? key.private_key->pem(phrase) : key.signing->pem(phrase));
}

}  // namespace

Result<SecretBytes> KeyRing::bundle() const {
    const std::lock_guard lock(state_->changing);
    const auto keys = state_->keys();
    RingRecord record;
    record.published = state_->last_published;
    for (const KeyPointer& key : *keys) record.keys.push_back(key->facts);
    std::vector<SecretBytes> parts;
    parts.push_back(SecretBytes::copy_of(as_bytes(write_ring(record))));
    try {
        for (const KeyPointer& key : *keys) {
            if (has_part(key->facts)) parts.push_back(in_clear(*key));
        }
    } catch (const std::exception&) {
        return fail(Code::internal, "a key could not be written out");
    }
    return join(parts);
}

Result<std::vector<KeyFacts>> KeyRing::prove(const SecretBytes& bundle) {
    TPF_TRY(auto opened, open_bundle(bundle));
    return std::move(opened.record.keys);
}

Result<std::unique_ptr<KeyRing>> KeyRing::restore(FileSystem& fs, const Path& folder, SecretBytes passphrase,
                                                  const SecretBytes& bundle, const RingRestored& restored) {
    KeyFolder target(fs, folder, passphrase.clone(), ::geteuid());
    TPF_TRY(target.need_passphrase());
    TPF_TRY(const auto present, target.read_record());
    if (!present.keys.empty()) {
        return fail(Code::usage, folder.string() + " holds a key ring already",
                    "move it away first; nothing is overwritten");
    }
    TPF_TRY(auto opened, open_bundle(bundle));
    const RingKdf kdf = RingKdf::fresh();
    try {
        for (const Key& key : opened.keys) {
            TPF_TRY(write_key(target, key, kdf));
        }
    } catch (const std::exception&) {
        return fail(Code::internal, "a key could not be sealed");
    }
    opened.record.kdf = kdf;
    opened.record.restored = restored;
    TPF_TRY(target.write_record(opened.record));
    return open(fs, folder, std::move(passphrase));
}

}  // namespace tpf::crypto
