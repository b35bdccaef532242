#include "crypto/fingerprint.h"

#include <botan/mac.h>

namespace tpf::crypto {
namespace {

constexpr std::size_t kKeySize = 32;
constexpr std::array<std::uint8_t, 12> kNonce{};

}  // namespace

FingerprintKey::FingerprintKey() : key_(SecretBytes::random(kKeySize)) {}

struct Fingerprinter::State {
    std::unique_ptr<Botan::MessageAuthenticationCode> mac;
};

Fingerprinter::Fingerprinter(const FingerprintKey& key)
    : state_(std::make_unique<State>(State{Botan::MessageAuthenticationCode::create_or_throw("GMAC(AES-256)")})) {
    const ByteView bytes = key.key_.bytes(SecretToken::access());
    state_->mac->set_key(bytes.data(), bytes.size());
    state_->mac->start(kNonce.data(), kNonce.size());
}
Fingerprinter::~Fingerprinter() = default;
Fingerprinter::Fingerprinter(Fingerprinter&&) noexcept = default;

void Fingerprinter::update(ByteView bytes) {
    state_->mac->update(bytes.data(), bytes.size());
}

Fingerprint Fingerprinter::finish() {
    Fingerprint fingerprint{};
    state_->mac->final(fingerprint.data());
    return fingerprint;
}

}  // namespace tpf::crypto
