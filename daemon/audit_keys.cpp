#include "daemon/audit_keys.h"

#include <algorithm>

namespace tpf::daemon {
namespace {

/// Imported under two ids it is one key all the same.
void add(std::vector<audit::NoteKey>& keys, const RegisterName& reg, const crypto::VerifyKey& key) {
    auto made = audit::NoteKey::create(reg.str(), audit::NoteType::cosignature, key.raw());
    if (made && std::find(keys.begin(), keys.end(), made.value()) == keys.end())
        keys.push_back(std::move(made).value());
}

}  // namespace

std::shared_ptr<const audit::NoteSigner> RingSigner::signer() const {
    auto key = ring_.signing_key();
    if (!key) return nullptr;
    return std::make_shared<const audit::SignerWith<crypto::SigningKey>>(std::move(key).value());
}

std::vector<audit::Ed25519Key> log_keys(const crypto::KeyRing& ring) {
    std::vector<audit::Ed25519Key> keys;
    for (const crypto::KeyFacts& facts : ring.list()) {
        if (facts.kind != crypto::KeyKind::signing) continue;
        const auto key = crypto::VerifyKey::from_pem(facts.public_pem);
        if (key) keys.push_back(key.value().raw());
    }
    return keys;
}

std::vector<audit::NoteKey> witness_keys(const crypto::KeyRing& ring, const RegisterName& reg) {
    std::vector<audit::NoteKey> keys;
    for (const crypto::VerifyKey& key : ring.receipt_keys(reg)) add(keys, reg, key);
    return keys;
}

std::vector<audit::NoteKey> former_witness_keys(const crypto::KeyRing& ring, const RegisterName& reg) {
    std::vector<audit::NoteKey> keys;
    for (const crypto::KeyFacts& facts : ring.list()) {
        if (facts.kind != crypto::KeyKind::receipt || facts.reg != reg) continue;
        const auto key = crypto::VerifyKey::from_pem(facts.public_pem);
        if (key) add(keys, reg, key.value());
    }
    return keys;
}

}  // namespace tpf::daemon
