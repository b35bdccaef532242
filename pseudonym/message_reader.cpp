#include "pseudonym/message_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "pseudonym/identity_number.h"
#include "pseudonym/schema.h"

namespace tpf::pseudonym {
namespace {

constexpr std::size_t kLeafBytes = 4096;
constexpr std::uint64_t kMinSealedBytes = 28;  // IV and tag of GCM
constexpr std::size_t kPseudonymCharacters = 32;
constexpr std::size_t kVersionDigits = 6;

std::string_view attribute(const XmlStart& tag, std::string_view name) {
    const auto found = std::find_if(tag.attributes.begin(), tag.attributes.end(),
                                    [&](const XmlAttribute& a) { return a.name.uri.empty() && a.name.local == name; });
    return found == tag.attributes.end() ? std::string_view() : found->value;
}

/// `[1-9][0-9]*`, short enough for an unsigned.
std::optional<unsigned> parse_version(std::string_view text) {
    unsigned version = 0;
    if (text.empty() || text.size() > kVersionDigits || text.front() == '0') return std::nullopt;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return version;
}

Result<std::vector<unsigned>> parse_key_versions(std::string_view text) {
    if (holds_identity_number(text))
        return fail(Code::identity_leak, "something like an identity number in nokkelversjon");
    std::vector<unsigned> versions;
    for (std::string_view rest = text;;) {
        const std::size_t space = std::min(rest.find(' '), rest.size());
        const auto version = parse_version(rest.substr(0, space));
        if (!version || (!versions.empty() && *version >= versions.back())) {
            return fail(Code::field_form, "nokkelversjon is not a list of key versions, newest first");
        }
        versions.push_back(*version);
        if (space == rest.size()) return versions;
        rest.remove_prefix(space + 1);
    }
}

bool is_pseudonym(std::string_view text, unsigned version) {
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos || parse_version(text.substr(0, dash)) != version) return false;
    const std::string_view digits = text.substr(dash + 1);
    return digits.size() == kPseudonymCharacters && std::all_of(digits.begin(), digits.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7');
           });
}

/// What a value that fits its own grammar may hold without being looked through: a phone number or random characters
/// can look like an identity number by chance. Where the grammar fails, it is looked through like any other.
Error form_or_leak(std::string_view value, const std::string& field) {
    if (holds_identity_number(value))
        return Error(Code::identity_leak, "something like an identity number in " + field);
    return Error(Code::field_form, field + " does not match its grammar");
}

bool is_checked_by_grammar(int id) {
    return id == Field::meldings_id || id == Field::mobiltelefon || id == Field::pseudonym;
}

}  // namespace

class PseudonymisedReader::Walk final : public SchemaHandler {
  public:
    Walk(PseudonymisedHandler& handler, const XmlLimits& limits)
        : handler_(handler),
          walker_(pseudonymised_schema(), *this, kLeafBytes, Code::wrong_root),
          scanner_(walker_, XmlOptions{.limits = limits}) {}

    Status feed(std::string_view piece) { return scanner_.feed(piece); }
    Status finish();

    Status enter(int id, const XmlStart& tag) override;
    Status leave(int id) override;
    Status leaf(int id, std::string_view value) override;
    Status stream(int id, std::string_view value) override;
    Result<std::size_t> stream_run(int id, std::string_view bytes) override;

  private:
    Status begin_message(const XmlStart& tag);
    Status header_leaf(int id, std::string_view value);
    Status address_leaf(int id, std::string_view value);
    Status contact_leaf(int id, std::string_view value);
    Status tell_header(std::string_view antall);
    Status begin_person();
    Status pseudonym(std::string_view value);
    Status end_pseudonyms();
    Status end_sealed();

    PseudonymisedHandler& handler_;
    SchemaWalker walker_;
    XmlScanner scanner_;

    std::optional<MeldingsId> meldings_id_;
    std::optional<Meldingstype> meldingstype_;
    std::string kommunenummer_, bydelsnummer_;
    std::optional<Avsender> avsender_;
    std::optional<RegisterName> register_;
    std::string domain_, epost_, navn_, mobiltelefon_;
    std::vector<unsigned> versions_;
    UtcTime created_;
    std::chrono::sys_days from_, to_;
    std::uint64_t persons_ = 0;

    PseudonymisedPerson person_;
    std::string fault_;  // @feil of the open Pseudonym
    SealedData sealed_;
    Base64Validator content_;
};

Status PseudonymisedReader::Walk::enter(int id, const XmlStart& tag) {
    for (const XmlBinding& binding : tag.declared) {
        TPF_TRY(check_binding(binding.prefix, binding.uri));
    }
    TPF_TRY(sealed_.enter(id, tag));
    switch (id) {
        case Field::root:
            return begin_message(tag);
        case Field::person:
            return begin_person();
        case Field::pseudonym:
            fault_ = attribute(tag, "feil");
            return ok();
        case Field::encrypted_data:
            sealed_.reset();
            return end_pseudonyms();
        case Field::content:
            content_.reset();
            return handler_.sealed_begin(sealed_);
        default:
            return ok();
    }
}

Status PseudonymisedReader::Walk::leave(int id) {
    TPF_TRY(sealed_.leave(id));
    return id == Field::content ? end_sealed() : ok();
}

Status PseudonymisedReader::Walk::leaf(int id, std::string_view value) {
    if (!is_checked_by_grammar(id) && holds_identity_number(value)) {
        return fail(Code::identity_leak, "something like an identity number in a field");
    }
    TPF_TRY(sealed_.leaf(id, value));
    switch (id) {
        case Field::pseudonym:
            return pseudonym(value);
        case Field::key_name:
            if (!KeyId::parse(value)) return fail(Code::register_layer, "KeyName does not match its grammar");
            return ok();
        case Field::kommunenummer:
        case Field::bydelsnummer:
        case Field::organisasjonsnummer:
        case Field::reg:
            return address_leaf(id, value);
        case Field::epost:
        case Field::navn:
        case Field::mobiltelefon:
            return contact_leaf(id, value);
        default:
            return header_leaf(id, value);
    }
}

Status PseudonymisedReader::Walk::stream(int id, std::string_view value) {
    TPF_TRY(sealed_.stream(id, value));
    if (id != Field::content) return ok();
    TPF_TRY(content_.update(value));
    return handler_.sealed_piece(value);
}

Result<std::size_t> PseudonymisedReader::Walk::stream_run(int id, std::string_view bytes) {
    if (id != Field::content) return std::size_t{0};
    const std::size_t run = content_.run(bytes);
    if (run != 0) {
        TPF_TRY(handler_.sealed_piece(bytes.substr(0, run)));
    }
    return run;
}

Status PseudonymisedReader::Walk::begin_message(const XmlStart& tag) {
    if (attribute(tag, "versjon") != "1") return fail(Code::wrong_root, "versjon is not 1");
    domain_ = attribute(tag, "domene");
    if (!RegisterName::parse(domain_)) return fail(form_or_leak(domain_, "domene"));
    TPF_TRY(versions_, parse_key_versions(attribute(tag, "nokkelversjon")));
    return ok();
}

Status PseudonymisedReader::Walk::header_leaf(int id, std::string_view value) {
    switch (id) {
        case Field::meldings_id: {
            auto parsed = MeldingsId::parse(value);
            if (!parsed) return fail(form_or_leak(value, "MeldingsId"));
            meldings_id_ = parsed.value();
            return ok();
        }
        case Field::meldingstype: {
            TPF_TRY(meldingstype_, parse_meldingstype(value));
            return ok();
        }
        case Field::opprettet: {
            TPF_TRY(created_, parse_utc(value));
            return ok();
        }
        case Field::fra: {
            TPF_TRY(from_, parse_date(value));
            return ok();
        }
        case Field::til: {
            TPF_TRY(to_, parse_date(value));
            return ok();
        }
        case Field::antall:
            return tell_header(value);
        default:
            return ok();
    }
}

Status PseudonymisedReader::Walk::address_leaf(int id, std::string_view value) {
    if (id == Field::kommunenummer) kommunenummer_ = value;
    if (id == Field::bydelsnummer) bydelsnummer_ = value;
    if (id == Field::organisasjonsnummer) {
        TPF_TRY(avsender_, Avsender::create(kommunenummer_, bydelsnummer_, value));
    }
    if (id == Field::reg) {
        TPF_TRY(register_, RegisterName::parse(value));
        if (domain_ != value) return fail(Code::field_form, "domene and Mottaker/Register differ");
    }
    return ok();
}

Status PseudonymisedReader::Walk::contact_leaf(int id, std::string_view value) {
    if (id == Field::epost) {
        TPF_TRY(check_epost(value));
        epost_ = value;
    } else if (id == Field::navn) {
        TPF_TRY(check_navn(value));
        navn_ = value;
    } else {
        auto parsed = parse_mobiltelefon(value);
        if (!parsed) return fail(form_or_leak(value, "Mobiltelefon"));
        mobiltelefon_ = std::move(parsed).value();
    }
    return ok();
}

Status PseudonymisedReader::Walk::tell_header(std::string_view antall) {
    TPF_TRY(persons_, parse_antall(antall));
    // The schema lets AntallPersoner come only after all of these.
    return handler_.header(PseudonymisedHeader{ClearHeader{*meldings_id_, *meldingstype_, *avsender_, *register_},
                                               domain_, versions_, created_, epost_, navn_, mobiltelefon_, from_, to_,
                                               persons_});
}

Status PseudonymisedReader::Walk::begin_person() {
    ++person_.position;
    person_.pseudonyms.clear();
    person_.fault.clear();
    if (person_.position > persons_) return fail(Code::person_count, "there are more persons than AntallPersoner says");
    return ok();
}

Status PseudonymisedReader::Walk::pseudonym(std::string_view value) {
    if (!person_.fault.empty()) return fail(Code::field_form, "a Pseudonym beside one with feil");
    if (!fault_.empty()) {
        if (!value.empty()) return fail(form_or_leak(value, "a Pseudonym with feil"));
        if (!person_.pseudonyms.empty()) return fail(Code::field_form, "a Pseudonym with feil beside another");
        person_.fault = fault_;
        return ok();
    }
    const std::size_t at = person_.pseudonyms.size();
    if (at == versions_.size()) return fail(Code::field_form, "more pseudonyms than nokkelversjon lists");
    if (!is_pseudonym(value, versions_[at])) return fail(form_or_leak(value, "Pseudonym"));
    person_.pseudonyms.emplace_back(value);
    return ok();
}

Status PseudonymisedReader::Walk::end_pseudonyms() {
    if (person_.fault.empty() && person_.pseudonyms.size() != versions_.size()) {
        return fail(Code::field_form, "fewer pseudonyms than nokkelversjon lists");
    }
    return handler_.person(person_);
}

Status PseudonymisedReader::Walk::end_sealed() {
    TPF_TRY(content_.finish());
    if (content_.decoded_size() < kMinSealedBytes) return fail(Code::register_layer, "sealed content is too short");
    return handler_.sealed_end();
}

Status PseudonymisedReader::Walk::finish() {
    TPF_TRY(scanner_.finish());
    TPF_TRY(walker_.finish());
    if (person_.position != persons_)
        return fail(Code::person_count, "there are fewer persons than AntallPersoner says");
    return ok();
}

PseudonymisedReader::PseudonymisedReader(PseudonymisedHandler& handler, const XmlLimits& limits)
    : walk_(std::make_unique<Walk>(handler, limits)) {}
PseudonymisedReader::~PseudonymisedReader() = default;

Status PseudonymisedReader::feed(std::string_view piece) {
    return walk_->feed(piece);
}
Status PseudonymisedReader::finish() {
    return walk_->finish();
}

}  // namespace tpf::pseudonym
