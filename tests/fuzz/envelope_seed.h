#pragma once
// The fixed parts of the envelope's fuzz target: key, outer document and TPF layer, kept small so that runs are fast.

#include <string>
#include <string_view>

#include "base/encoding.h"
#include "crypto/content_cipher.h"

namespace tpf::fuzz {

inline constexpr std::size_t kWrappedBytes = 9;  // "AAAAAAAAAAAA"

[[nodiscard]] inline Bytes content_key(std::size_t size) {
    return Bytes(size, 0x17);
}

inline constexpr std::string_view kSeedHeader =
    "<i:MeldingsId>7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11</i:MeldingsId><i:Meldingstype>IPLOS</i:Meldingstype>"
    "<i:Avsender><i:Kommunenummer>0301</i:Kommunenummer><i:Bydelsnummer>00</i:Bydelsnummer>"
    "<i:Organisasjonsnummer>974761076</i:Organisasjonsnummer></i:Avsender>"
    "<i:Mottaker><i:Register>IPLOS</i:Register></i:Mottaker>";

inline constexpr std::string_view kSeedLayer =
    "<i:Hode><i:MeldingsId>7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11</i:MeldingsId><i:Meldingstype>IPLOS</i:Meldingstype>"
    "<i:Avsender><i:Kommunenummer>0301</i:Kommunenummer><i:Bydelsnummer>00</i:Bydelsnummer>"
    "<i:Organisasjonsnummer>974761076</i:Organisasjonsnummer></i:Avsender>"
    "<i:Mottaker><i:Register>IPLOS</i:Register></i:Mottaker><i:Opprettet>2027-01-04T09:30:00Z</i:Opprettet></i:Hode>"
    "<i:Kontaktperson><i:Epost>a@b</i:Epost><i:Navn>K N</i:Navn><i:Mobiltelefon>99999999</i:Mobiltelefon>"
    "</i:Kontaktperson><i:Periode><i:Fra>2026-01-01</i:Fra><i:Til>2026-12-31</i:Til></i:Periode>"
    "<i:AntallPersoner>1</i:AntallPersoner><i:Person><i:Fodselsnummer>13097248022</i:Fodselsnummer>"
    "<x:EncryptedData><x:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes256-gcm\"/><d:KeyInfo>"
    "<x:EncryptedKey><x:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p\"/>"
    "<d:KeyInfo><d:KeyName>R</d:KeyName></d:KeyInfo><x:CipherData><x:CipherValue>AAAAAAAAAAAA</x:CipherValue>"
    "</x:CipherData></x:EncryptedKey></d:KeyInfo><x:CipherData>"
    "<x:CipherValue>AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA</x:CipherValue></x:CipherData></x:EncryptedData>"
    "</i:Person>";

/// The outer document around `layer`, sealed under the fixed key.
[[nodiscard]] inline std::string seed_document(std::string_view layer) {
    const crypto::ContentKey key{crypto::ContentCipher::aes256_gcm, crypto::SecretBytes::copy_of(content_key(32))};
    const Bytes octets = crypto::seal(key, as_bytes(layer)).value();
    std::string text =
        "<i:Innsending xmlns:i=\"urn:tpf:innsending:1\" xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\""
        " xmlns:x=\"http://www.w3.org/2001/04/xmlenc#\" versjon=\"1\">";
    text += kSeedHeader;
    text +=
        "<x:EncryptedData><x:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes256-gcm\"/><d:KeyInfo>"
        "<x:EncryptedKey><x:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p\"/>"
        "<d:KeyInfo><d:KeyName>TPF-2026</d:KeyName></d:KeyInfo><x:CipherData><x:CipherValue>AAAAAAAAAAAA"
        "</x:CipherValue></x:CipherData></x:EncryptedKey></d:KeyInfo><x:CipherData><x:CipherValue>";
    text += base64(octets);
    return text + "</x:CipherValue></x:CipherData></x:EncryptedData></i:Innsending>";
}

}  // namespace tpf::fuzz
