#include "crypto/secret.h"

#include <botan/mem_ops.h>
#include <botan/secmem.h>

#include <array>

#include "crypto/random.h"

namespace tpf::crypto {
namespace {

constexpr std::size_t kStackWiped = 64 * 1024;

}  // namespace

struct SecretBytes::Store {
    Botan::secure_vector<std::uint8_t> bytes;
};

SecretBytes::SecretBytes() = default;
SecretBytes::SecretBytes(std::size_t size)
    : store_(std::make_unique<Store>(Store{Botan::secure_vector<std::uint8_t>(size)})) {}
SecretBytes::~SecretBytes() = default;
SecretBytes::SecretBytes(SecretBytes&&) noexcept = default;
SecretBytes& SecretBytes::operator=(SecretBytes&&) noexcept = default;

SecretBytes SecretBytes::copy_of(ByteView bytes) {
    SecretBytes copy;
    copy.store_ = std::make_unique<Store>(Store{Botan::secure_vector<std::uint8_t>(bytes.begin(), bytes.end())});
    return copy;
}

SecretBytes SecretBytes::random(std::size_t size) {
    SecretBytes fresh(size);
    system_generator().randomize(fresh.store_->bytes.data(), size);
    return fresh;
}

SecretBytes SecretBytes::clone() const {
    return copy_of(bytes(SecretToken::access()));
}

std::size_t SecretBytes::size() const noexcept {
    return store_ ? store_->bytes.size() : 0;
}

ByteView SecretBytes::bytes(SecretToken) const noexcept {
    return store_ ? ByteView(store_->bytes.data(), store_->bytes.size()) : ByteView();
}

std::span<std::uint8_t> SecretBytes::writable(SecretToken) noexcept {
    return store_ ? std::span<std::uint8_t>(store_->bytes.data(), store_->bytes.size()) : std::span<std::uint8_t>();
}

void wipe(std::span<std::uint8_t> bytes) noexcept {
    Botan::secure_scrub_memory(bytes.data(), bytes.size());
}

// Never inlined: its room lies below the caller's frame, where the calls before it had theirs.
[[gnu::noinline]] void wipe_stack() noexcept {
    std::array<std::uint8_t, kStackWiped> room;
    wipe(room);
}

}  // namespace tpf::crypto
