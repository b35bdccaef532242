#include "krypteringsmodul/sealed_text.h"

#include "pseudonym/formats_schema.h"

namespace tpf::krypteringsmodul {
namespace {

std::string attribute(std::string_view name, std::string_view value) {
    return " " + std::string(name) + "=\"" + std::string(value) + "\"";
}

/// EncryptionMethod of the EncryptedKey.
std::string key_method(crypto::KeyTransport transport) {
    const auto uris = crypto::uris(transport);
    std::string out = "<xenc:EncryptionMethod" + attribute("Algorithm", uris.algorithm) + ">";
    if (uris.digest) out += "<ds:DigestMethod" + attribute("Algorithm", *uris.digest) + "/>";
    if (uris.mgf) {
        out +=
            "<xenc11:MGF" + attribute("xmlns:xenc11", pseudonym::kXenc11Uri) + attribute("Algorithm", *uris.mgf) + "/>";
    }
    return out + "</xenc:EncryptionMethod>";
}

}  // namespace

SealedText sealed_text(crypto::KeyTransport transport, const KeyId& key) {
    SealedText text;
    text.before_key = "<xenc:EncryptedData" + attribute("xmlns:xenc", pseudonym::kXencUri) +
                      attribute("Type", pseudonym::kContentType) + "><xenc:EncryptionMethod" +
                      attribute("Algorithm", crypto::uri(crypto::ContentCipher::aes256_gcm)) + "/><ds:KeyInfo" +
                      attribute("xmlns:ds", pseudonym::kDsUri) + "><xenc:EncryptedKey>" + key_method(transport) +
                      "<ds:KeyInfo><ds:KeyName>" + key.str() +
                      "</ds:KeyName></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>";
    text.before_content =
        "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>";
    text.after_content = "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>";
    return text;
}

}  // namespace tpf::krypteringsmodul
