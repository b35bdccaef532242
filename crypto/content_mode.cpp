#include "crypto/content_mode.h"

#include <botan/cipher_mode.h>
#include <openssl/evp.h>

#include <algorithm>
#include <stdexcept>

namespace tpf::crypto {
namespace {

// What libcrypto is given at once: far below what its int holds.
constexpr std::size_t kMostAtOnce = std::size_t{1} << 24;

void must(bool done) {
    if (!done) throw std::runtime_error("libcrypto refused");
}

/// Fetched once: it costs more than a small message's content.
const EVP_CIPHER* gcm_of(ContentCipher cipher) {
    static EVP_CIPHER* const aes128 = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
    static EVP_CIPHER* const aes256 = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
    return cipher == ContentCipher::aes128_gcm ? aes128 : aes256;
}

class GcmMode final : public ContentMode {
  public:
    GcmMode(const ContentKey& key, bool seals) : seals_(seals), context_(EVP_CIPHER_CTX_new()) {
        const EVP_CIPHER* const cipher = gcm_of(key.cipher);
        const ByteView bytes = key.key.bytes(SecretToken::access());
        must(context_ != nullptr && cipher != nullptr &&
             bytes.size() == static_cast<std::size_t>(EVP_CIPHER_get_key_length(cipher)));
        // The IV's length is GCM's own, 12 bytes.
        must(EVP_CipherInit_ex2(context_.get(), cipher, bytes.data(), nullptr, seals ? 1 : 0, nullptr) == 1);
    }
    void start(ByteView iv) override {
        must(iv.size() == static_cast<std::size_t>(EVP_CIPHER_CTX_get_iv_length(context_.get())));
        must(EVP_CipherInit_ex2(context_.get(), nullptr, nullptr, iv.data(), -1, nullptr) == 1);
    }
    void process(std::uint8_t* bytes, std::size_t size) override {
        while (size != 0) {
            const std::size_t now = std::min(size, kMostAtOnce);
            int out = 0;
            must(EVP_CipherUpdate(context_.get(), bytes, &out, bytes, static_cast<int>(now)) == 1 &&
                 static_cast<std::size_t>(out) == now);
            bytes += now;
            size -= now;
        }
    }
    bool finish(Botan::secure_vector<std::uint8_t>& last) override {
        std::uint8_t none[kTagSize];
        int out = 0;
        if (seals_) {
            process(last.data(), last.size());
            must(EVP_CipherFinal_ex(context_.get(), none, &out) == 1 && out == 0);
            last.resize(last.size() + kTagSize);
            must(control(EVP_CTRL_AEAD_GET_TAG, last.data() + last.size() - kTagSize));
            return true;
        }
        if (last.size() < kTagSize) return false;
        const std::size_t size = last.size() - kTagSize;
        process(last.data(), size);
        must(control(EVP_CTRL_AEAD_SET_TAG, last.data() + size));
        last.resize(size);
        return EVP_CipherFinal_ex(context_.get(), none, &out) == 1 && out == 0;
    }
    [[nodiscard]] std::size_t granule() const noexcept override { return 1; }

  private:
    struct Free {
        void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
    };
    [[nodiscard]] bool control(int what, std::uint8_t* tag) {
        return EVP_CIPHER_CTX_ctrl(context_.get(), what, static_cast<int>(kTagSize), tag) == 1;
    }
    const bool seals_;
    const std::unique_ptr<EVP_CIPHER_CTX, Free> context_;
};

class CbcOpener final : public ContentMode {
  public:
    explicit CbcOpener(const ContentKey& key)
        : mode_(Botan::Cipher_Mode::create_or_throw("AES-256/CBC/NoPadding", Botan::DECRYPTION)) {
        const ByteView bytes = key.key.bytes(SecretToken::access());
        mode_->set_key(bytes.data(), bytes.size());
    }
    void start(ByteView iv) override { mode_->start(iv.data(), iv.size()); }
    void process(std::uint8_t* bytes, std::size_t size) override { mode_->process(bytes, size); }
    bool finish(Botan::secure_vector<std::uint8_t>& last) override {
        mode_->finish(last);
        return true;
    }
    [[nodiscard]] std::size_t granule() const noexcept override { return mode_->update_granularity(); }

  private:
    const std::unique_ptr<Botan::Cipher_Mode> mode_;
};

}  // namespace

std::unique_ptr<ContentMode> make_opener(const ContentKey& key) {
    if (key.cipher == ContentCipher::aes256_cbc) return std::make_unique<CbcOpener>(key);
    return std::make_unique<GcmMode>(key, false);
}

std::unique_ptr<ContentMode> make_sealer(const ContentKey& key) {
    return std::make_unique<GcmMode>(key, true);
}

}  // namespace tpf::crypto
