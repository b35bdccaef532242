#pragma once
// AES-256-CBC as XML Encryption has it (xmlenc-core 1.0 § 5.2), sealed: crypto/ only ever opens it.

#include <botan/cipher_mode.h>

#include "crypto/content_cipher.h"

namespace tpf::test {

/// With padding bytes as a careless producer would fill them; the last one is `last`.
inline Bytes cbc(const crypto::ContentKey& key, ByteView plain, std::uint8_t last, std::size_t padding) {
    const auto mode = Botan::Cipher_Mode::create_or_throw("AES-256/CBC/NoPadding", Botan::ENCRYPTION);
    const auto bytes = key.key.bytes(crypto::SecretToken::access());
    mode->set_key(bytes.data(), bytes.size());
    Bytes iv(16, 0x42);
    mode->start(iv);
    Botan::secure_vector<std::uint8_t> text(plain.begin(), plain.end());
    text.insert(text.end(), padding, 0xa5);
    text.back() = last;
    mode->finish(text);
    iv.insert(iv.end(), text.begin(), text.end());
    return iv;
}
inline Bytes cbc(const crypto::ContentKey& key, ByteView plain) {
    const std::size_t padding = 16 - plain.size() % 16;
    return cbc(key, plain, static_cast<std::uint8_t>(padding), padding);
}

}  // namespace tpf::test
