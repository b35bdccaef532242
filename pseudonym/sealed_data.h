#pragma once
// What an EncryptedData says of itself, gathered while a SchemaWalker walks it: algorithms, key name, the wrapped key.
// One piece for the TPF layer, for the register layer (which is checked, not opened) and for the register's own
// reading.

#include <optional>
#include <string>
#include <string_view>

#include "base/base64_stream.h"
#include "base/encoding.h"
#include "base/result.h"
#include "crypto/algorithms.h"
#include "pseudonym/formats_schema.h"

namespace tpf::pseudonym {

/// Fed with the walker's events of one EncryptedData (Field::encrypted_data and inside); reused for the next by
/// reset(). Not thread-safe. Errors: algorithm, base64, limit, not_allowed.
class SealedData {
  public:
    void reset();
    /// Events of elements that are not part of an EncryptedData are ignored.
    [[nodiscard]] Status enter(int id, const XmlStart& tag);
    [[nodiscard]] Status leave(int id);
    [[nodiscard]] Status leaf(int id, std::string_view value);
    /// Only Field::wrapped_key; the content is the caller's to read.
    [[nodiscard]] Status stream(int id, std::string_view value);

    // Valid from the start of the content's CipherValue (Field::content) on.
    [[nodiscard]] crypto::ContentCipher cipher() const noexcept { return *cipher_; }
    [[nodiscard]] crypto::KeyTransport transport() const noexcept { return *transport_; }
    [[nodiscard]] const std::string& key_name() const noexcept { return key_name_; }  ///< trimmed, not yet checked
    [[nodiscard]] ByteView wrapped_key() const noexcept { return wrapped_; }

  private:
    std::optional<crypto::ContentCipher> cipher_;
    std::optional<crypto::KeyTransport> transport_;
    std::string transport_uri_;
    std::optional<std::string> digest_uri_;
    std::optional<std::string> mgf_uri_;
    std::string key_name_;
    Base64Decoder decoder_;
    Bytes wrapped_;
    std::size_t wrapped_text_ = 0;  // characters of it
};

}  // namespace tpf::pseudonym
