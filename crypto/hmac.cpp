#include "crypto/hmac.h"

#include <botan/mac.h>

namespace tpf::crypto {

struct HmacSha256::State {
    std::unique_ptr<Botan::MessageAuthenticationCode> mac;
};

HmacSha256::HmacSha256(const SecretBytes& key)
    : state_(std::make_unique<State>(State{Botan::MessageAuthenticationCode::create_or_throw("HMAC(SHA-256)")})) {
    const ByteView bytes = key.bytes(SecretToken::access());
    state_->mac->set_key(bytes.data(), bytes.size());
}
HmacSha256::~HmacSha256() = default;
HmacSha256::HmacSha256(HmacSha256&&) noexcept = default;
HmacSha256& HmacSha256::operator=(HmacSha256&&) noexcept = default;

void HmacSha256::update(std::string_view bytes) {
    state_->mac->update(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

void HmacSha256::finish(std::span<std::uint8_t, 32> mac) {
    state_->mac->final(mac.data());
}

}  // namespace tpf::crypto
