#pragma once
// The text of an EncryptedData as the krypteringsmodul writes it (formats.md § 2): what stands before the wrapped key,
// between it and the content, and after the content. Self-contained: every prefix is declared in it.
//
// xmlns:xenc stands on EncryptedData, xmlns:ds on its KeyInfo, xmlns:xenc11 on MGF; the message's root declares i
// alone.

#include <string>
#include <string_view>

#include "base/types.h"
#include "crypto/algorithms.h"

namespace tpf::krypteringsmodul {

struct SealedText {
    std::string before_key;
    std::string_view before_content;
    std::string_view after_content;
};

/// For content sealed with AES-256-GCM under the key of that id.
[[nodiscard]] SealedText sealed_text(crypto::KeyTransport transport, const KeyId& key);

}  // namespace tpf::krypteringsmodul
