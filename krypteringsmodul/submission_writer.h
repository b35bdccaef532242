#pragma once
// Writes a submission (formats.md § 2): the clear header, and the TPF layer sealed while it is written.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/base64_stream.h"
#include "base/clock.h"
#include "base/fs.h"
#include "crypto/content_cipher.h"
#include "krypteringsmodul/export_header.h"
#include "krypteringsmodul/person_sealer.h"

namespace tpf::krypteringsmodul {

/// Checked values, as they are written.
struct Contact {
    std::string epost;
    std::string navn;
    std::string mobiltelefon;
};

/// What a submission says beside its persons.
struct SubmissionFacts {
    MeldingsId meldings_id;
    ExportHeader header;
    Contact contact;
    UtcTime created;
    std::uint64_t persons = 0;
};

/// begin(), any number of write(), finish(). Errors are the sender's texts. Not thread-safe, but may change threads.
class SubmissionWriter {
  public:
    /// `out` outlives the object; it is not synced here.
    SubmissionWriter(File& out, const RecipientKey& recipient, crypto::KeyTransport transport);
    [[nodiscard]] Status begin(const SubmissionFacts& facts);
    /// More of the TPF layer's plaintext.
    [[nodiscard]] Status write(std::string_view plaintext);
    [[nodiscard]] Status finish();

  private:
    void encode_sealed();
    Status flush();

    File& out_;
    RecipientKey recipient_;
    crypto::KeyTransport transport_;
    SealedText text_;
    crypto::ContentKey key_;
    crypto::ContentEncryptor encryptor_;
    Base64Encoder encoder_;
    Bytes sealed_;
    std::string pending_;  // text on its way to the file
};

}  // namespace tpf::krypteringsmodul
