#pragma once
// One pass of a content cipher over one message: AES-GCM (NIST SP 800-38D) by OpenSSL's libcrypto, which takes half of
// the time of Botan's, and AES-CBC (SP 800-38A, padding left to the caller) by Botan. Internal to crypto/.

#include <botan/secmem.h>

#include <memory>

#include "crypto/content_cipher.h"

namespace tpf::crypto {

/// Works in place. What it holds of the key is overwritten when it goes. Not thread-safe. Every call may throw
/// std::exception: the library refused, and nothing that came out may be used.
class ContentMode {
  public:
    static constexpr std::size_t kTagSize = 16;
    virtual ~ContentMode() = default;
    /// Once, before anything else.
    virtual void start(ByteView iv) = 0;
    /// A multiple of granule() bytes.
    virtual void process(std::uint8_t* bytes, std::size_t size) = 0;
    /// The rest: sealing appends the tag; opening takes it off. False: the tag is wrong, or there is no whole block.
    [[nodiscard]] virtual bool finish(Botan::secure_vector<std::uint8_t>& last) = 0;
    [[nodiscard]] virtual std::size_t granule() const noexcept = 0;
};

[[nodiscard]] std::unique_ptr<ContentMode> make_opener(const ContentKey& key);
/// GCM only.
[[nodiscard]] std::unique_ptr<ContentMode> make_sealer(const ContentKey& key);

}  // namespace tpf::crypto
