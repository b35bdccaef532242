#include "crypto/check_value.h"

#include <botan/pem.h>

#include "base/sha256.h"
#include "crypto/hmac.h"

namespace tpf::crypto {
namespace {

constexpr std::size_t kBytes = 8;

std::string of_public_pem(const std::string& pem) {
    const auto der = Botan::PEM_Code::decode_check_label(pem, "PUBLIC KEY");
    return hex(ByteView(sha256(ByteView(der))).first(kBytes));
}

}  // namespace

std::string check_value(const RsaPublicKey& key) {
    return of_public_pem(key.pem());
}
std::string check_value(const VerifyKey& key) {
    return of_public_pem(key.pem());
}

std::string check_value(const SecretBytes& key) {
    HmacSha256 mac(key);
    mac.update(kCheckText);
    std::array<std::uint8_t, 32> out{};
    mac.finish(out);
    return check_value_of(out);
}

std::string check_value_of(std::span<const std::uint8_t, 32> mac) {
    return hex(ByteView(mac).first(kBytes));
}

}  // namespace tpf::crypto
