#include "crypto/pseudonym_mac.h"

namespace tpf::crypto {

Status PseudonymMac::compute(std::initializer_list<std::string_view> parts, std::span<std::uint8_t, 32> mac) {
    if (!own_) return token_->hmac(label_, check_value_, parts, mac);
    for (const std::string_view part : parts) own_->update(part);
    own_->finish(mac);
    return ok();
}

}  // namespace tpf::crypto
