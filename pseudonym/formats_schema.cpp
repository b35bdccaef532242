#include "pseudonym/formats_schema.h"

#include <array>

namespace tpf::pseudonym {
namespace {

using Content = ElementRule::Content;
using Occurs = ElementRule::Occurs;

constexpr std::string_view kContentTypes[] = {kContentType};
constexpr std::string_view kKeyTypes[] = {"http://www.w3.org/2001/04/xmlenc#EncryptedKey"};

constexpr AttributeRule kAlgorithm[] = {{"Algorithm", true}};
constexpr AttributeRule kOuterData[] = {
    {"Id"}, {"Type", false, kContentTypes}, {"MimeType"}, {"Encoding"}, {"Recipient"}};
constexpr AttributeRule kOuterKey[] = {{"Id"}, {"Type"}, {"MimeType"}, {"Encoding"}, {"Recipient"}};
// The register layer: no attribute that could carry clear text.
constexpr AttributeRule kSealedData[] = {{"Type", false, kContentTypes}};
constexpr AttributeRule kSealedKey[] = {{"Type", false, kKeyTypes}};

/// The parts of an EncryptedData (XML Encryption 1.1 § 3). DigestMethod and MGF may stand in either order; whether one
/// stands twice is the reader's to see. Foreign and missing parts have the code of the layer.
template <Code missing, Code foreign>
struct Sealed {
    static constexpr ElementRule leaf(int id, std::string_view uri, std::string_view local, Content content,
                                      Occurs occurs) {
        return {id, uri, local, content, occurs, {}, {}, missing, foreign};
    }
    static constexpr ElementRule with(ElementRule rule, std::span<const AttributeRule> attributes) {
        rule.attributes = attributes;
        return rule;
    }
    static constexpr ElementRule holding(int id, std::string_view uri, std::string_view local,
                                         std::span<const ElementRule> children) {
        return {id, uri, local, Content::children, Occurs::once, children, {}, missing, foreign};
    }
    static constexpr std::array kOaep = {
        with(leaf(Field::digest_method, kDsUri, "DigestMethod", Content::empty, Occurs::optional), kAlgorithm),
        with(leaf(Field::mgf, kXenc11Uri, "MGF", Content::empty, Occurs::optional), kAlgorithm),
        with(leaf(Field::digest_method, kDsUri, "DigestMethod", Content::empty, Occurs::optional), kAlgorithm)};
    static constexpr std::array kKeyName = {leaf(Field::key_name, kDsUri, "KeyName", Content::leaf, Occurs::once)};
    static constexpr std::array kWrapped = {
        leaf(Field::wrapped_key, kXencUri, "CipherValue", Content::stream, Occurs::once)};
    static constexpr std::array kKey = {
        with(holding(Field::key_method, kXencUri, "EncryptionMethod", kOaep), kAlgorithm),
        holding(Field::key_key_info, kDsUri, "KeyInfo", kKeyName),
        holding(Field::key_cipher_data, kXencUri, "CipherData", kWrapped)};
    static constexpr std::array<ElementRule, 1> key_info(std::span<const AttributeRule> attributes) {
        return {with(holding(Field::encrypted_key, kXencUri, "EncryptedKey", kKey), attributes)};
    }
    static constexpr std::array kContent = {
        leaf(Field::content, kXencUri, "CipherValue", Content::stream, Occurs::once)};
    static constexpr std::array<ElementRule, 3> data(std::span<const ElementRule> info) {
        return {
            with(leaf(Field::content_method, kXencUri, "EncryptionMethod", Content::empty, Occurs::once), kAlgorithm),
            holding(Field::key_info, kDsUri, "KeyInfo", info),
            holding(Field::cipher_data, kXencUri, "CipherData", kContent)};
    }
};

using Outer = Sealed<Code::header, Code::not_allowed>;
constexpr auto kOuterInfo = Outer::key_info(kOuterKey);
constexpr auto kOuterParts = Outer::data(kOuterInfo);
using Inner = Sealed<Code::register_layer, Code::register_layer>;
constexpr auto kInnerInfo = Inner::key_info(kSealedKey);
constexpr auto kInnerParts = Inner::data(kInnerInfo);

constexpr ElementRule register_data() {
    return {Field::encrypted_data, kXencUri,    "EncryptedData",      Content::children,    Occurs::once,
            kInnerParts,           kSealedData, Code::no_sealed_data, Code::register_layer, "Person/EncryptedData"};
}

/// The elements that formats 2 and 3 share, in the namespace of either.
template <bool pseudonymised>
struct Common {
    static constexpr std::string_view kUri = pseudonymised ? kPseudonymisertUri : kInnsendingUri;
    static constexpr ElementRule leaf(int id, std::string_view local, std::string_view path) {
        return {id, kUri, local, Content::leaf, Occurs::once, {}, {}, Code::header, Code::not_allowed, path};
    }
    static constexpr ElementRule group(int id, std::string_view local, std::span<const ElementRule> children) {
        return {id, kUri, local, Content::children, Occurs::once, children, {}, Code::header, Code::not_allowed, local};
    }
    static constexpr std::array kSender = {
        leaf(Field::kommunenummer, "Kommunenummer", "Avsender/Kommunenummer"),
        leaf(Field::bydelsnummer, "Bydelsnummer", "Avsender/Bydelsnummer"),
        leaf(Field::organisasjonsnummer, "Organisasjonsnummer", "Avsender/Organisasjonsnummer")};
    static constexpr std::array kReceiver = {leaf(Field::reg, "Register", "Mottaker/Register")};
    static constexpr std::array kContact = {leaf(Field::epost, "Epost", "Kontaktperson/Epost"),
                                            leaf(Field::navn, "Navn", "Kontaktperson/Navn"),
                                            leaf(Field::mobiltelefon, "Mobiltelefon", "Kontaktperson/Mobiltelefon")};
    static constexpr std::array kPeriod = {leaf(Field::fra, "Fra", "Periode/Fra"),
                                           leaf(Field::til, "Til", "Periode/Til")};
    static constexpr ElementRule kMeldingsId = leaf(Field::meldings_id, "MeldingsId", "MeldingsId");
    static constexpr ElementRule kMeldingstype = leaf(Field::meldingstype, "Meldingstype", "Meldingstype");
    static constexpr ElementRule kAvsender = group(Field::avsender, "Avsender", kSender);
    static constexpr ElementRule kMottaker = group(Field::mottaker, "Mottaker", kReceiver);
    static constexpr ElementRule kOpprettet = leaf(Field::opprettet, "Opprettet", "Opprettet");
    static constexpr ElementRule kKontaktperson = group(Field::kontaktperson, "Kontaktperson", kContact);
    static constexpr ElementRule kPeriode = group(Field::periode, "Periode", kPeriod);
    static constexpr ElementRule kAntall = leaf(Field::antall, "AntallPersoner", "AntallPersoner");
};

using In = Common<false>;
using Out = Common<true>;

constexpr AttributeRule kSubmissionAttributes[] = {{"versjon", true}};
constexpr std::array kSubmissionParts = {
    In::kMeldingsId, In::kMeldingstype, In::kAvsender, In::kMottaker,
    ElementRule{Field::encrypted_data, kXencUri, "EncryptedData", Content::children, Occurs::once, kOuterParts,
                kOuterData, Code::header, Code::not_allowed, "EncryptedData"}};
constexpr std::array kSubmission = {ElementRule{Field::root, kInnsendingUri, "Innsending", Content::children,
                                                Occurs::once, kSubmissionParts, kSubmissionAttributes, Code::wrong_root,
                                                Code::not_allowed, "Innsending"}};

constexpr std::array kHode = {In::kMeldingsId, In::kMeldingstype, In::kAvsender, In::kMottaker, In::kOpprettet};
constexpr std::array kPersonIn = {In::leaf(Field::fodselsnummer, "Fodselsnummer", "Person/Fodselsnummer"),
                                  register_data()};
constexpr std::array kTpfLayer = {In::group(Field::hode, "Hode", kHode), In::kKontaktperson, In::kPeriode, In::kAntall,
                                  ElementRule{Field::person,
                                              kInnsendingUri,
                                              "Person",
                                              Content::children,
                                              Occurs::any_number,
                                              kPersonIn,
                                              {},
                                              Code::header,
                                              Code::not_allowed,
                                              "Person"}};

constexpr std::string_view kFaults[] = {"E30", "E31"};
constexpr AttributeRule kPseudonymAttributes[] = {{"feil", false, kFaults}};
constexpr AttributeRule kPseudonymisedAttributes[] = {{"versjon", true}, {"domene", true}, {"nokkelversjon", true}};
constexpr std::array kPersonOut = {ElementRule{Field::pseudonym,
                                               kPseudonymisertUri,
                                               "Pseudonym",
                                               Content::leaf,
                                               Occurs::any_number,
                                               {},
                                               kPseudonymAttributes,
                                               Code::header,
                                               Code::not_allowed,
                                               "Person/Pseudonym"},
                                   register_data()};
constexpr std::array kPseudonymisedParts = {Out::kMeldingsId,
                                            Out::kMeldingstype,
                                            Out::kAvsender,
                                            Out::kMottaker,
                                            Out::kOpprettet,
                                            Out::kKontaktperson,
                                            Out::kPeriode,
                                            Out::kAntall,
                                            ElementRule{Field::person,
                                                        kPseudonymisertUri,
                                                        "Person",
                                                        Content::children,
                                                        Occurs::any_number,
                                                        kPersonOut,
                                                        {},
                                                        Code::header,
                                                        Code::not_allowed,
                                                        "Person"}};
constexpr std::array kPseudonymised = {ElementRule{
    Field::root, kPseudonymisertUri, "PseudonymisertMelding", Content::children, Occurs::once, kPseudonymisedParts,
    kPseudonymisedAttributes, Code::wrong_root, Code::not_allowed, "PseudonymisertMelding"}};

}  // namespace

std::span<const ElementRule> submission_schema() noexcept {
    return kSubmission;
}
std::span<const ElementRule> tpf_layer_schema() noexcept {
    return kTpfLayer;
}
std::span<const ElementRule> pseudonymised_schema() noexcept {
    return kPseudonymised;
}

}  // namespace tpf::pseudonym
