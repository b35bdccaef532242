#pragma once
// Makes submissions (formats.md § 2) for tests, with the krypteringsmodul's rules but none of its code, and can be told
// to get anything wrong: every value is a public member, and every stage's text can be edited before it is sealed.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "crypto/content_cipher.h"
#include "crypto/rsa.h"
#include "tests/support/cbc.h"

namespace tpf::test {

/// A value that a test takes for granted: ends the test with the error's text otherwise.
template <class T>
T must(Result<T> result) {
    if (!result) throw std::logic_error(result.error().text());
    return std::move(result).value();
}
inline void must(const Status& status) {
    if (!status) throw std::logic_error(status.error().text());
}

/// `text` with `from` replaced by `to`; `from` must stand there.
inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    if (at == std::string::npos) throw std::logic_error("not in the text: " + std::string(from));
    return text.replace(at, from.size(), to);
}

/// Key transport without RSA: fast, for tests that are about something else. As long as an RSA-3072 ciphertext; what
/// was not made by it opens to a key drawn at random, as KeyUnwrapper promises.
class FakeTransport final : public crypto::KeyUnwrapper {
  public:
    static constexpr std::size_t kSize = 384;
    [[nodiscard]] static Bytes wrap(const crypto::ContentKey& key) {
        Bytes wrapped(kSize, 0xa7);
        const ByteView bytes = key.key.bytes(crypto::SecretToken::access());
        for (std::size_t i = 0; i < bytes.size(); ++i) wrapped[i] = static_cast<std::uint8_t>(bytes[i] ^ 0x5a);
        return wrapped;
    }
    [[nodiscard]] Result<crypto::ContentKey> unwrap(crypto::KeyTransport, crypto::ContentCipher cipher,
                                                    ByteView wrapped) const override {
        const std::size_t size = crypto::key_size(cipher);
        bool good = wrapped.size() == kSize;
        for (std::size_t i = size; good && i < kSize; ++i) good = wrapped[i] == 0xa7;
        if (!good) return crypto::ContentKey::random(cipher);
        crypto::SecretBytes key(size);
        const auto to = key.writable(crypto::SecretToken::access());
        for (std::size_t i = 0; i < size; ++i) to[i] = static_cast<std::uint8_t>(wrapped[i] ^ 0x5a);
        return crypto::ContentKey{cipher, std::move(key)};
    }
};

/// Whom something is sealed for, and what is said of how.
struct Recipient {
    std::string key_name{};
    crypto::KeyTransport transport = crypto::KeyTransport::oaep_sha256_mgf1_sha256;
    crypto::ContentCipher cipher = crypto::ContentCipher::aes256_gcm;
    std::function<Bytes(const crypto::ContentKey&)> wrap = FakeTransport::wrap;

    [[nodiscard]] static Recipient rsa(std::string key_name, const crypto::RsaPublicKey& key,
                                       crypto::KeyTransport transport = crypto::KeyTransport::oaep_sha256_mgf1_sha256,
                                       crypto::ContentCipher cipher = crypto::ContentCipher::aes256_gcm) {
        auto wrapper = std::make_shared<crypto::KeyWrapper>(key, transport);
        return {std::move(key_name), transport, cipher,
                [wrapper](const crypto::ContentKey& content) { return must(wrapper->wrap(content)); }};
    }
};

/// The text of an EncryptedData as an element with the prefixes xenc and ds, which must be bound around it.
struct Sealer {
    Recipient recipient{};
    std::size_t line_length = 0;  ///< characters of a base64 line; 0: no line breaks
    std::string line_end = "\n";
    /// Called with IV, ciphertext and tag.
    std::function<void(Bytes&)> edit_octets{};

    [[nodiscard]] std::string text(ByteView octets) const {
        const std::string all = base64(octets);
        if (line_length == 0) return all;
        std::string out;
        for (std::size_t at = 0; at < all.size(); at += line_length) out += all.substr(at, line_length) + line_end;
        return out;
    }
    [[nodiscard]] std::string method() const {
        const crypto::KeyTransportUris uris = crypto::uris(recipient.transport);
        std::string children;
        if (uris.digest) children += "<ds:DigestMethod Algorithm=\"" + std::string(*uris.digest) + "\"/>";
        if (uris.mgf) {
            children += "<xenc11:MGF xmlns:xenc11=\"http://www.w3.org/2009/xmlenc11#\" Algorithm=\"" +
                        std::string(*uris.mgf) + "\"/>";
        }
        return "<xenc:EncryptionMethod Algorithm=\"" + std::string(uris.algorithm) + "\">" + children +
               "</xenc:EncryptionMethod>";
    }
    [[nodiscard]] std::string seal(std::string_view plaintext, std::string_view declarations) const {
        const crypto::ContentKey key = crypto::ContentKey::random(recipient.cipher);
        Bytes octets = recipient.cipher == crypto::ContentCipher::aes256_cbc
                           ? cbc(key, as_bytes(plaintext))
                           : must(crypto::seal(key, as_bytes(plaintext)));
        if (edit_octets) edit_octets(octets);
        return "<xenc:EncryptedData" + std::string(declarations) +
               " Type=\"http://www.w3.org/2001/04/xmlenc#Content\"><xenc:EncryptionMethod Algorithm=\"" +
               std::string(crypto::uri(recipient.cipher)) + "\"/><ds:KeyInfo><xenc:EncryptedKey>" + method() +
               "<ds:KeyInfo><ds:KeyName>" + recipient.key_name +
               "</ds:KeyName></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>" + text(recipient.wrap(key)) +
               "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData>"
               "<xenc:CipherValue>" +
               text(octets) + "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>";
    }
};

struct PersonSpec {
    std::string number;
    std::string content = "<Tjeneste>hjemmesykepleie</Tjeneste>";  ///< after </Fodselsnummer> in the export file
    std::string attributes = {};                                   ///< on i:Person, with a space in front
    std::optional<std::string> sealed = {};                        ///< stands in the place of the EncryptedData
};

/// What was made, stage by stage.
struct Submission {
    std::string document;
    std::string tpf_layer;            ///< plaintext
    std::vector<std::string> sealed;  ///< each person's EncryptedData
};

class SubmissionBuilder {
  public:
    enum class Stage { register_layer, sealed_person, tpf_layer, document };

    std::string meldings_id = "7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11";
    std::string meldingstype = "IPLOS";
    std::string kommunenummer = "0301";
    std::string bydelsnummer = "00";
    std::string organisasjonsnummer = "974761076";
    std::string reg = "IPLOS";
    std::string opprettet = "2027-01-04T09:30:00Z";
    std::string epost = "kari@kommune.example";
    std::string navn = "Kari Nordmann";
    std::string mobiltelefon = "+4799999999";
    std::string fra = "2026-01-01";
    std::string til = "2026-12-31";
    std::optional<std::string> antall;  ///< the number of persons when not given
    std::vector<PersonSpec> persons = {{"13097248022"}, {"53097248016"}};
    Sealer tpf{{"TPF-2026"}};
    Sealer for_register{{"IPLOS-2026"}};

    /// In every text of that stage `from` (which must stand there) becomes `to`.
    SubmissionBuilder& edit(Stage stage, std::string from, std::string to) {
        return edit(stage, [from = std::move(from), to = std::move(to)](std::string& text) {
            text = replaced(std::move(text), from, to);
        });
    }
    SubmissionBuilder& edit(Stage stage, std::function<void(std::string&)> edit) {
        edits_.emplace_back(stage, std::move(edit));
        return *this;
    }

    [[nodiscard]] Submission build_stages() const {
        Submission out;
        out.tpf_layer = plaintext(out.sealed);
        out.document = "<i:Innsending xmlns:i=\"urn:tpf:innsending:1\" versjon=\"1\">" + header() +
                       tpf.seal(out.tpf_layer,
                                " xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\""
                                " xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"") +
                       "</i:Innsending>\n";
        apply(Stage::document, out.document);
        return out;
    }
    [[nodiscard]] std::string build() const { return build_stages().document; }

  private:
    [[nodiscard]] std::string header() const {
        return "<i:MeldingsId>" + meldings_id + "</i:MeldingsId><i:Meldingstype>" + meldingstype +
               "</i:Meldingstype><i:Avsender><i:Kommunenummer>" + kommunenummer + "</i:Kommunenummer><i:Bydelsnummer>" +
               bydelsnummer + "</i:Bydelsnummer><i:Organisasjonsnummer>" + organisasjonsnummer +
               "</i:Organisasjonsnummer></i:Avsender><i:Mottaker><i:Register>" + reg + "</i:Register></i:Mottaker>";
    }
    [[nodiscard]] std::string person(const PersonSpec& spec, std::size_t position,
                                     std::vector<std::string>& sealed) const {
        std::string data = "<i:Ref xmlns:i=\"urn:tpf:innsending:1\" meldingsId=\"" + meldings_id + "\" person=\"" +
                           std::to_string(position) + "\"/>" + spec.content;
        apply(Stage::register_layer, data);
        std::string text = spec.sealed ? *spec.sealed : for_register.seal(data, "");
        apply(Stage::sealed_person, text);
        sealed.push_back(text);
        return "<i:Person" + spec.attributes + "><i:Fodselsnummer>" + spec.number + "</i:Fodselsnummer>" + text +
               "</i:Person>";
    }
    [[nodiscard]] std::string plaintext(std::vector<std::string>& sealed) const {
        std::string text = "<i:Hode>" + header() + "<i:Opprettet>" + opprettet +
                           "</i:Opprettet></i:Hode><i:Kontaktperson><i:Epost>" + epost + "</i:Epost><i:Navn>" + navn +
                           "</i:Navn><i:Mobiltelefon>" + mobiltelefon +
                           "</i:Mobiltelefon></i:Kontaktperson><i:Periode><i:Fra>" + fra + "</i:Fra><i:Til>" + til +
                           "</i:Til></i:Periode><i:AntallPersoner>" + antall.value_or(std::to_string(persons.size())) +
                           "</i:AntallPersoner>";
        for (const PersonSpec& spec : persons) text += person(spec, sealed.size() + 1, sealed);
        apply(Stage::tpf_layer, text);
        return text;
    }
    void apply(Stage stage, std::string& text) const {
        for (const auto& [at, edit] : edits_) {
            if (at == stage) edit(text);
        }
    }

    std::vector<std::pair<Stage, std::function<void(std::string&)>>> edits_;
};

}  // namespace tpf::test
