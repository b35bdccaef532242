#pragma once
// The formats of formats.md § 2 and § 3 as rules for SchemaWalker, and the names in them for whoever writes them.

#include <span>
#include <string_view>

#include "pseudonym/schema.h"

namespace tpf::pseudonym {

inline constexpr std::string_view kInnsendingUri = "urn:tpf:innsending:1";
inline constexpr std::string_view kPseudonymisertUri = "urn:tpf:pseudonymisert:1";
inline constexpr std::string_view kXencUri = "http://www.w3.org/2001/04/xmlenc#";
inline constexpr std::string_view kXenc11Uri = "http://www.w3.org/2009/xmlenc11#";
inline constexpr std::string_view kDsUri = "http://www.w3.org/2000/09/xmldsig#";
inline constexpr std::string_view kContentType = "http://www.w3.org/2001/04/xmlenc#Content";

/// What the walker calls the elements; the same name means the same in every format.
struct Field {
    enum Id : int {
        root,
        meldings_id,
        meldingstype,
        avsender,
        kommunenummer,
        bydelsnummer,
        organisasjonsnummer,
        mottaker,
        reg,
        hode,
        opprettet,
        kontaktperson,
        epost,
        navn,
        mobiltelefon,
        periode,
        fra,
        til,
        antall,
        person,
        fodselsnummer,
        pseudonym,
        // EncryptedData
        encrypted_data,
        content_method,
        key_info,
        encrypted_key,
        key_method,
        digest_method,
        mgf,
        key_key_info,
        key_name,
        key_cipher_data,
        wrapped_key,
        cipher_data,
        content,
    };
};

/// Innsending: the clear header and the TPF layer's EncryptedData.
[[nodiscard]] std::span<const ElementRule> submission_schema() noexcept;
/// The TPF layer's plaintext: Hode to the last Person, with the register layer's EncryptedData.
[[nodiscard]] std::span<const ElementRule> tpf_layer_schema() noexcept;
/// PseudonymisertMelding, as the register receives it.
[[nodiscard]] std::span<const ElementRule> pseudonymised_schema() noexcept;

}  // namespace tpf::pseudonym
