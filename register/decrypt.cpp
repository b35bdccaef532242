#include "register/decrypt.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "base/base64_stream.h"
#include "base/encoding.h"
#include "crypto/content_cipher.h"
#include "pseudonym/message_reader.h"

namespace tpf::reg {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kPieceBytes = 256 * 1024;
constexpr std::string_view kRefStart = R"(<i:Ref xmlns:i="urn:tpf:innsending:1" meldingsId=")";

class Printer {
  public:
    Printer(std::ostream& out, bool json) : out_(out), json_(json) {}

    Status opened(const pseudonym::PseudonymisedPerson& person, std::string_view data) {
        if (json_) {
            auto line = start(person);
            line["data"] = data;
            // Sealed content was never looked at on its way here: it may hold bytes that are no UTF-8.
            out_ << line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) << '\n';
        } else {
            head(person);
            out_ << data << '\n';
        }
        return check();
    }
    Status failed(const pseudonym::PseudonymisedPerson& person, const Error& error) {
        if (json_) {
            auto line = start(person);
            line["error"] = {{"code", error.name()}, {"detail", error.detail()}};
            out_ << line.dump() << '\n';
        } else {
            head(person);
            out_ << "error: " << error.text() << '\n';
        }
        return check();
    }

  private:
    static ordered_json start(const pseudonym::PseudonymisedPerson& person) {
        ordered_json line;
        line["person"] = person.position;
        if (person.fault.empty()) {
            line["pseudonym"] = person.pseudonyms;
        } else {
            line["feil"] = person.fault;
        }
        return line;
    }
    void head(const pseudonym::PseudonymisedPerson& person) {
        out_ << "person " << person.position << ':';
        for (const std::string& pseudonym : person.pseudonyms) out_ << ' ' << pseudonym;
        if (!person.fault.empty()) out_ << " feil " << person.fault;
        out_ << '\n';
    }
    Status check() {
        if (!out_) return fail(Code::io, "the output cannot be written");
        return ok();
    }

    std::ostream& out_;
    bool json_;
};

class Opener final : public pseudonym::PseudonymisedHandler {
  public:
    Opener(const DecryptSettings& settings, std::ostream& out) : settings_(settings), printer_(out, settings.json) {}

    Status header(const pseudonym::PseudonymisedHeader& header) override {
        meldings_id_ = header.header.meldings_id;
        return ok();
    }
    Status person(const pseudonym::PseudonymisedPerson& person) override {
        person_ = person;
        return ok();
    }
    Status sealed_begin(const pseudonym::SealedData& sealed) override;
    Status sealed_piece(std::string_view base64) override;
    Status sealed_end() override;
    [[nodiscard]] const DecryptSummary& summary() const noexcept { return summary_; }

  private:
    Result<crypto::ContentKey> unwrap(const pseudonym::SealedData& sealed) const;
    Result<crypto::SecretBytes> open_person() const;
    Result<std::string_view> data_after_ref(const crypto::SecretBytes& plaintext) const;

    const DecryptSettings& settings_;
    Printer printer_;
    std::optional<MeldingsId> meldings_id_;
    pseudonym::PseudonymisedPerson person_;
    std::optional<Result<crypto::ContentKey>> key_;
    Base64Decoder decoder_;
    Bytes octets_;
    DecryptSummary summary_;
};

Result<crypto::ContentKey> Opener::unwrap(const pseudonym::SealedData& sealed) const {
    TPF_TRY(settings_.policy.check(sealed.transport(), sealed.cipher()));
    return settings_.key.unwrap(sealed.transport(), sealed.cipher(), sealed.wrapped_key());
}

Status Opener::sealed_begin(const pseudonym::SealedData& sealed) {
    key_.emplace(unwrap(sealed));
    decoder_.reset();
    octets_.clear();
    return ok();
}

Status Opener::sealed_piece(std::string_view base64) {
    if (!*key_) return ok();
    const std::size_t before = octets_.size();
    octets_.resize(before + Base64Decoder::max_output(base64.size()));
    TPF_TRY(const std::size_t size, decoder_.update(base64, octets_.data() + before));
    octets_.resize(before + size);
    return ok();
}

Status Opener::sealed_end() {
    ++summary_.persons;
    const auto plaintext = open_person();
    if (plaintext) {
        const auto data = data_after_ref(plaintext.value());
        if (data) return printer_.opened(person_, data.value());
        ++summary_.failed;
        return printer_.failed(person_, data.error());
    }
    ++summary_.failed;
    return printer_.failed(person_, plaintext.error());
}

Result<crypto::SecretBytes> Opener::open_person() const {
    if (!*key_) return fail(key_->error());
    return crypto::open(key_->value(), octets_);
}

Result<std::string_view> Opener::data_after_ref(const crypto::SecretBytes& plaintext) const {
    const std::string_view text = as_text(plaintext.bytes(crypto::SecretToken::access()));
    const std::string ref = ref_text(*meldings_id_, person_.position);
    if (text.starts_with(ref)) return text.substr(ref.size());
    if (text.starts_with(kRefStart)) {
        return fail(Code::register_layer, "the data were sealed for another message or another position (Ref)");
    }
    return fail(Code::register_layer, "the data do not begin with a Ref");
}

Status read_message(File& file, pseudonym::PseudonymisedReader& reader) {
    std::vector<std::uint8_t> buffer(kPieceBytes);
    for (;;) {
        TPF_TRY(const std::size_t size, file.read(buffer));
        if (size == 0) return reader.finish();
        TPF_TRY(reader.feed(as_text(ByteView(buffer).first(size))));
    }
}

}  // namespace

std::string ref_text(const MeldingsId& id, std::uint64_t position) {
    return std::string(kRefStart) + id.str() + "\" person=\"" + std::to_string(position) + "\"/>";
}

Result<DecryptSummary> decrypt(FileSystem& fs, const Path& message, const DecryptSettings& settings,
                               std::ostream& out) {
    TPF_TRY(const auto file, fs.open_read(message));
    Opener opener(settings, out);
    pseudonym::PseudonymisedReader reader(opener);
    TPF_TRY(read_message(*file, reader));
    return opener.summary();
}

}  // namespace tpf::reg
