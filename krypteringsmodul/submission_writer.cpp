#include "krypteringsmodul/submission_writer.h"

#include "krypteringsmodul/sender_error.h"
#include "pseudonym/formats_schema.h"
#include "pseudonym/xml_text.h"

namespace tpf::krypteringsmodul {
namespace {

using pseudonym::append_element;

constexpr std::size_t kFlushBytes = 256 * 1024;

/// MeldingsId, Meldingstype, Avsender, Mottaker: outside in clear, and once more in Hode.
std::string clear_fields(const SubmissionFacts& facts) {
    const Avsender& sender = facts.header.avsender;
    std::string out;
    append_element("i:MeldingsId", facts.meldings_id.view(), out);
    append_element("i:Meldingstype", pseudonym::to_string(facts.header.meldingstype), out);
    out += "<i:Avsender>";
    append_element("i:Kommunenummer", sender.kommunenummer(), out);
    append_element("i:Bydelsnummer", sender.bydelsnummer(), out);
    append_element("i:Organisasjonsnummer", sender.organisasjonsnummer(), out);
    out += "</i:Avsender><i:Mottaker>";
    append_element("i:Register", facts.header.reg.str(), out);
    out += "</i:Mottaker>";
    return out;
}

/// The TPF layer up to the first person.
std::string sealed_head(const SubmissionFacts& facts) {
    std::string out = "<i:Hode>" + clear_fields(facts);
    append_element("i:Opprettet", format_utc(facts.created), out);
    out += "</i:Hode><i:Kontaktperson>";
    append_element("i:Epost", facts.contact.epost, out);
    append_element("i:Navn", facts.contact.navn, out);
    append_element("i:Mobiltelefon", facts.contact.mobiltelefon, out);
    out += "</i:Kontaktperson><i:Periode>";
    append_element("i:Fra", format_date(facts.header.from), out);
    append_element("i:Til", format_date(facts.header.to), out);
    out += "</i:Periode>";
    append_element("i:AntallPersoner", std::to_string(facts.persons), out);
    return out;
}

Error sealing_error(const Error& error) {
    if (error.code() == Code::gcm_limit) {
        return feil(error.code(), "IPLOS filen er for stor til å krypteres under én nøkkel. Del den opp.");
    }
    return feil(error.code(), "Krypteringen mislyktes på grunn av en feil i programmet.");
}

}  // namespace

SubmissionWriter::SubmissionWriter(File& out, const RecipientKey& recipient, crypto::KeyTransport transport)
    : out_(out),
      recipient_(recipient),
      transport_(transport),
      text_(sealed_text(transport, recipient.id)),
      key_(crypto::ContentKey::random(crypto::ContentCipher::aes256_gcm)),
      encryptor_(key_) {}

Status SubmissionWriter::begin(const SubmissionFacts& facts) {
    const auto wrapped = crypto::KeyWrapper(recipient_.key, transport_).wrap(key_);
    if (!wrapped) return fail(sealing_error(wrapped.error()));
    pending_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<i:Innsending xmlns:i=\"" +
               std::string(pseudonym::kInnsendingUri) + "\" versjon=\"1\">" + clear_fields(facts) + text_.before_key +
               base64(wrapped.value()) + std::string(text_.before_content);
    return write(sealed_head(facts));
}

Status SubmissionWriter::write(std::string_view plaintext) {
    sealed_.clear();
    if (auto updated = encryptor_.update(as_bytes(plaintext), sealed_); !updated) {
        return fail(sealing_error(updated.error()));
    }
    encode_sealed();
    return pending_.size() < kFlushBytes ? ok() : flush();
}

Status SubmissionWriter::finish() {
    sealed_.clear();
    if (auto finished = encryptor_.finish(sealed_); !finished) return fail(sealing_error(finished.error()));
    encode_sealed();
    const std::size_t at = pending_.size();
    pending_.resize(at + Base64Encoder::max_output(0));
    pending_.resize(at + encoder_.finish(pending_.data() + at));
    pending_ += text_.after_content;
    pending_ += "</i:Innsending>\n";
    return flush();
}

void SubmissionWriter::encode_sealed() {
    const std::size_t at = pending_.size();
    pending_.resize(at + Base64Encoder::max_output(sealed_.size()));
    pending_.resize(at + encoder_.update(sealed_, pending_.data() + at));
}

Status SubmissionWriter::flush() {
    if (auto written = out_.write(as_bytes(pending_)); !written) {
        return fail(file_error(written.error(), "Den krypterte filen kunne ikke skrives"));
    }
    out_.start_writeback();
    pending_.clear();
    return ok();
}

}  // namespace tpf::krypteringsmodul
