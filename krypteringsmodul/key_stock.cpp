#include "krypteringsmodul/key_stock.h"

namespace tpf::krypteringsmodul {

Result<WrappedKey> new_wrapped_key(crypto::KeyWrapper& wrapper) {
    auto key = crypto::ContentKey::random(crypto::ContentCipher::aes256_gcm);
    TPF_TRY(Bytes wrapped, wrapper.wrap(key));
    return WrappedKey{std::move(key), std::move(wrapped)};
}

KeyStock::KeyStock(const RecipientKey& recipient, crypto::KeyTransport transport, unsigned threads, std::size_t most)
    : most_(most) {
    for (unsigned i = 0; i < threads; ++i) {
        threads_.emplace_back(
            [this, recipient, transport](const std::stop_token& stop) { fill(stop, recipient, transport); });
    }
}

KeyStock::~KeyStock() {
    stop();
}

void KeyStock::stop() {
    for (std::jthread& thread : threads_) thread.request_stop();
    threads_.clear();  // joins
}

std::optional<WrappedKey> KeyStock::take() {
    const std::lock_guard lock(mutex_);
    if (keys_.empty()) return std::nullopt;
    WrappedKey key = std::move(keys_.back());
    keys_.pop_back();
    return key;
}

void KeyStock::fill(const std::stop_token& stop, const RecipientKey& recipient, crypto::KeyTransport transport) try {
    crypto::KeyWrapper wrapper(recipient.key, transport);
    while (!stop.stop_requested()) {
        auto key = new_wrapped_key(wrapper);
        if (!key) return;  // whoever needs a key meets the same error, and tells of it
        const std::lock_guard lock(mutex_);
        if (keys_.size() >= most_) return;
        keys_.push_back(std::move(key).value());
    }
} catch (const std::exception&) {
    // No memory for a stock: keys are made one by one where they are needed.
}

}  // namespace tpf::krypteringsmodul
