#include "krypteringsmodul/person_sealer.h"

#include "base/base64_stream.h"
#include "crypto/content_cipher.h"
#include "pseudonym/formats_schema.h"
#include "pseudonym/xml_text.h"

namespace tpf::krypteringsmodul {
namespace {

using pseudonym::append_element;

void append_base64(ByteView bytes, std::string& out) {
    const std::size_t at = out.size();
    out.resize(at + Base64Encoder::max_output(bytes.size()));
    Base64Encoder encoder;
    std::size_t size = encoder.update(bytes, out.data() + at);
    size += encoder.finish(out.data() + at + size);
    out.resize(at + size);
}

}  // namespace

PersonSealer::PersonSealer(const RecipientKey& recipient, crypto::KeyTransport transport, const MeldingsId& meldings_id,
                           KeyStock* stock)
    : stock_(stock),
      wrapper_(recipient.key, transport),
      text_(sealed_text(transport, recipient.id)),
      reference_("<i:Ref xmlns:i=\"" + std::string(pseudonym::kInnsendingUri) + "\" meldingsId=\"" + meldings_id.str() +
                 "\" person=\"") {}

Result<WrappedKey> PersonSealer::next_key() {
    if (stock_ != nullptr) {
        if (auto kept = stock_->take()) return std::move(*kept);
    }
    return new_wrapped_key(wrapper_);
}

Status PersonSealer::seal(const ExportPerson& person, std::uint64_t position, std::string& out) {
    TPF_TRY(const WrappedKey key, next_key());
    sealed_.clear();
    crypto::ContentEncryptor encryptor(key.key);
    TPF_TRY(encryptor.update(as_bytes(reference_ + std::to_string(position) + "\"/>"), sealed_));
    TPF_TRY(encryptor.update(as_bytes(person.content), sealed_));
    TPF_TRY(encryptor.finish(sealed_));

    out += "<i:Person>";
    append_element("i:Fodselsnummer", person.number, out);
    out += text_.before_key;
    append_base64(key.wrapped, out);
    out += text_.before_content;
    append_base64(sealed_, out);
    out += text_.after_content;
    out += "</i:Person>";
    return ok();
}

}  // namespace tpf::krypteringsmodul
