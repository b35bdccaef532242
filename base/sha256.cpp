#include "base/sha256.h"

#include <openssl/evp.h>

#include <cstdlib>
#include <new>

namespace tpf {
namespace {

EVP_MD_CTX* context_of(void* context) noexcept {
    return static_cast<EVP_MD_CTX*>(context);
}

/// SHA-256 is always there and takes any input: a failure means the process is broken.
void must(int success) noexcept {
    if (success != 1) std::abort();
}

}  // namespace

void Sha256::Free::operator()(void* context) const noexcept {
    EVP_MD_CTX_free(context_of(context));
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
    if (!context_) throw std::bad_alloc();
    must(EVP_DigestInit_ex(context_of(context_.get()), EVP_sha256(), nullptr));
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::uint8_t> bytes) {
    must(EVP_DigestUpdate(context_of(context_.get()), bytes.data(), bytes.size()));
}

void Sha256::update(std::string_view text) {
    must(EVP_DigestUpdate(context_of(context_.get()), text.data(), text.size()));
}

Digest Sha256::finish() {
    Digest digest{};
    must(EVP_DigestFinal_ex(context_of(context_.get()), digest.data(), nullptr));
    must(EVP_DigestInit_ex(context_of(context_.get()), EVP_sha256(), nullptr));
    return digest;
}

Digest sha256(std::span<const std::uint8_t> bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.finish();
}

Digest sha256(std::string_view text) {
    Sha256 hash;
    hash.update(text);
    return hash.finish();
}

}  // namespace tpf
