#include "pseudonym/tpf_layer.h"

#include <algorithm>

#include "pseudonym/xml_text.h"

namespace tpf::pseudonym {
namespace {

constexpr std::size_t kFlushBytes = 128 * 1024;
constexpr std::size_t kMaxNumberCharacters = 32;
constexpr std::size_t kMinSealedBytes = 28;  // 12 of IV, 16 of tag

void append_declaration(std::string_view prefix, std::string_view uri, std::string& out) {
    out += prefix.empty() ? " xmlns" : " xmlns:";
    out += prefix;
    out += "=\"";
    append_escaped(uri, out);  // check_binding let no quote through
    out += '"';
}

/// The name for our namespace: p where that is free or ours already, else the first of p1, p2, … that is not bound.
/// `resolve` answers what a prefix is bound to, nothing when it is not.
template <class Resolve>
std::string free_prefix(const Resolve& resolve) {
    const std::string_view at_p = resolve("p");
    std::string prefix = "p";
    if (at_p.empty() || at_p == kPseudonymisertUri) return prefix;
    for (unsigned n = 1; !resolve(prefix).empty(); ++n) prefix = "p" + std::to_string(n);
    return prefix;
}

std::size_t count_characters(std::string_view utf8) noexcept {
    return static_cast<std::size_t>(
        std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::vector<unsigned> versions_of(const std::vector<PseudonymDeriver>& derivers) {
    std::vector<unsigned> versions;
    versions.reserve(derivers.size());
    for (const PseudonymDeriver& deriver : derivers) versions.push_back(deriver.version());
    return versions;
}

std::string version_list(const std::vector<PseudonymDeriver>& derivers) {
    std::string list;
    for (const PseudonymDeriver& deriver : derivers) {
        if (!list.empty()) list += ' ';
        list += std::to_string(deriver.version());
    }
    return list;
}

}  // namespace

PersonMarks::Kode apprec_kode(IdentityNumber::Fault fault) noexcept {
    return fault == IdentityNumber::Fault::missing ? PersonMarks::Kode::e30 : PersonMarks::Kode::e31;
}

TpfLayer::TpfLayer(const ClearHeader& clear, const Bindings& bindings, RegisterSetup setup, const PassLimits& limits,
                   OutputSink& sink, PseudonymSink* pseudonyms)
    : clear_(clear),
      bindings_(bindings),
      setup_(std::move(setup)),
      limits_(limits),
      sink_(sink),
      pseudonyms_(pseudonyms),
      walker_(tpf_layer_schema(), *this, limits.leaf_bytes, Code::not_allowed),
      scanner_(*this, XmlOptions{limits.xml}) {
    scanner_.begin_fragment(bindings_);
    prefix_ = free_prefix([&](std::string_view prefix) { return scanner_.bindings().resolve(prefix); });
    write_root();
}

TpfLayer::~TpfLayer() = default;

void TpfLayer::open(std::string_view local) {
    out_.append("<").append(prefix_).append(":").append(local).append(">");
}
void TpfLayer::close(std::string_view local) {
    out_.append("</").append(prefix_).append(":").append(local).append(">");
}
void TpfLayer::element(std::string_view local, std::string_view value) {
    open(local);
    scratch_.clear();
    append_escaped(value, scratch_);
    out_.append(scratch_);
    close(local);
}

void TpfLayer::write_root() {
    std::string root = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<" + prefix_ + ":PseudonymisertMelding";
    append_declaration(prefix_, kPseudonymisertUri, root);
    for (const auto& [prefix, uri] : bindings_) {
        if (prefix != prefix_) append_declaration(prefix, uri, root);
    }
    root +=
        " versjon=\"1\" domene=\"" + clear_.reg.str() + "\" nokkelversjon=\"" + version_list(setup_.derivers) + "\">";
    out_.append(root);
}

Status TpfLayer::write_header() {
    TPF_TRY(const ClearHeader sealed, fields_.header());
    if (!(sealed == clear_)) return fail(Code::header_differs, "the clear header and Hode differ");
    header_confirmed_ = true;
    element("MeldingsId", sealed.meldings_id.view());
    element("Meldingstype", to_string(sealed.meldingstype));
    open("Avsender");
    element("Kommunenummer", sealed.avsender.kommunenummer());
    element("Bydelsnummer", sealed.avsender.bydelsnummer());
    element("Organisasjonsnummer", sealed.avsender.organisasjonsnummer());
    close("Avsender");
    open("Mottaker");
    element("Register", sealed.reg.str());
    close("Mottaker");
    element("Opprettet", format_utc(*created_));
    return ok();
}

Status TpfLayer::feed(std::string_view plaintext) {
    piece_ = plaintext;
    TPF_TRY(scanner_.feed(plaintext));
    write_carried();
    piece_ = {};
    return ok();
}

/// One tag after the other is copied as one run, as long as they stand together in the piece at hand. What stands
/// elsewhere (the scanner's own memory) does not outlive the event.
void TpfLayer::carry_on(std::string_view raw) {
    if (raw.empty()) return;
    const auto address = [](const char* at) { return reinterpret_cast<std::uintptr_t>(at); };
    const bool stays = address(raw.data()) >= address(piece_.data()) &&
                       address(raw.data() + raw.size()) <= address(piece_.data() + piece_.size());
    if (stays && !carried_.empty() && carried_.data() + carried_.size() == raw.data()) {
        carried_ = {carried_.data(), carried_.size() + raw.size()};
        return;
    }
    write_carried();
    if (stays) {
        carried_ = raw;
    } else {
        out_.append(raw);
    }
}

void TpfLayer::write_carried() {
    out_.append(carried_);
    carried_ = {};
}

Status TpfLayer::start(const XmlStart& tag) {
    TPF_TRY(walker_.start(tag));
    if (capturing_) {
        TPF_TRY(check_bindings(tag));
        carry_on(tag.raw);
    }
    return ok();
}

/// What a tag declares goes into the output as it stands. Once is enough for one that the scanner knows again.
Status TpfLayer::check_bindings(const XmlStart& tag) {
    if (checked_.test(tag.known)) return ok();
    for (const XmlBinding& binding : tag.declared) {
        TPF_TRY(check_binding(binding.prefix, binding.uri));
    }
    if (tag.known != 0) checked_.set(tag.known);
    return ok();
}

Status TpfLayer::end(const XmlEnd& tag) {
    const bool captured = capturing_;
    TPF_TRY(walker_.end(tag));
    if (captured) {
        carry_on(tag.raw);
        if (!capturing_) write_carried();
    }
    return ok();
}

Status TpfLayer::text(std::string_view raw, std::string_view value) {
    TPF_TRY(walker_.text(raw, value));
    if (!capturing_) return ok();
    carry_on(raw);
    return flush_if_full();
}

Result<std::size_t> TpfLayer::base64_run(std::string_view bytes) {
    return walker_.base64_run(bytes);
}

Status TpfLayer::enter(int id, const XmlStart& tag) {
    switch (id) {
        case Field::person:
            return open_person(tag);
        case Field::encrypted_data:
            capturing_ = true;
            register_key_ = nullptr;
            sealed_.reset();
            return ok();
        case Field::content:
            content_.reset();
            if (sealed_.wrapped_key().size() != register_key_->modulus_bytes) {
                return fail(Code::register_layer, "an encrypted key does not have its key's length");
            }
            return register_key_->policy.check(sealed_.transport(), sealed_.cipher());
        default:
            return sealed_.enter(id, tag);
    }
}

Status TpfLayer::leave(int id) {
    switch (id) {
        case Field::hode:
            return write_header();
        case Field::kontaktperson:
            close("Kontaktperson");
            return ok();
        case Field::periode:
            close("Periode");
            return ok();
        case Field::person:
            return close_person();
        case Field::encrypted_data:
            capturing_ = false;
            return ok();
        case Field::content: {
            TPF_TRY(content_.finish());
            if (content_.decoded_size() < kMinSealedBytes)
                return fail(Code::register_layer, "sealed content is too short");
            return ok();
        }
        default:
            return sealed_.leave(id);
    }
}

Status TpfLayer::leaf(int id, std::string_view value) {
    switch (id) {
        case Field::fodselsnummer:
            return replace_number(value);
        case Field::key_name:
            return check_key_name(value);
        case Field::opprettet: {
            TPF_TRY(created_, parse_utc(value));
            return ok();
        }
        case Field::epost:
        case Field::navn:
        case Field::mobiltelefon:
            return contact_leaf(id, value);
        case Field::fra:
        case Field::til:
            return period_leaf(id, value);
        case Field::antall:
            return number_of_persons(value);
        default: {
            TPF_TRY(const bool taken, fields_.take(id, value));
            static_cast<void>(taken);
            return ok();
        }
    }
}

Status TpfLayer::stream(int id, std::string_view value) {
    if (id == Field::content) return content_.update(value);
    return sealed_.stream(id, value);
}

Result<std::size_t> TpfLayer::stream_run(int id, std::string_view bytes) {
    if (id != Field::content) return std::size_t{0};
    write_carried();
    const std::size_t run = content_.copy_run(bytes, out_.room(bytes.size()));
    out_.grow(run);
    TPF_TRY(flush_if_full());
    return run;
}

Status TpfLayer::contact_leaf(int id, std::string_view value) {
    if (id == Field::epost) {
        TPF_TRY(check_epost(value));
        open("Kontaktperson");
        element("Epost", value);
    } else if (id == Field::navn) {
        TPF_TRY(check_navn(value));
        element("Navn", value);
    } else {
        TPF_TRY(const std::string number, parse_mobiltelefon(value));
        element("Mobiltelefon", number);
    }
    return ok();
}

Status TpfLayer::period_leaf(int id, std::string_view value) {
    TPF_TRY(const auto day, parse_date(value));
    if (id == Field::fra) {
        from_ = day;
        open("Periode");
        element("Fra", value);
    } else {
        to_ = day;
        element("Til", value);
    }
    return ok();
}

Status TpfLayer::number_of_persons(std::string_view value) {
    TPF_TRY(expected_, parse_antall(value));
    if (expected_ > limits_.persons) return fail(Code::limit, "more persons than [limits] persons");
    element("AntallPersoner", value);
    return pseudonyms_ == nullptr ? ok() : pseudonyms_->begin(clear_.reg, versions_of(setup_.derivers), expected_);
}

Status TpfLayer::open_person(const XmlStart& tag) {
    if (++position_ > expected_) return fail(Code::person_count, "more persons than AntallPersoner");
    person_prefix_ = prefix_;
    const bool rebound = std::any_of(tag.declared.begin(), tag.declared.end(), [&](const XmlBinding& b) {
        return b.prefix == prefix_ && b.uri != kPseudonymisertUri;
    });
    if (rebound)
        person_prefix_ = free_prefix([&](std::string_view prefix) { return scanner_.bindings().resolve(prefix); });
    out_.append("<").append(person_prefix_).append(":Person");
    scratch_.clear();
    if (rebound && scanner_.bindings().resolve(person_prefix_).empty())
        append_declaration(person_prefix_, kPseudonymisertUri, scratch_);
    if (!tag.declared.empty()) {
        std::vector<XmlBinding> declared(tag.declared.begin(), tag.declared.end());
        std::sort(declared.begin(), declared.end(), [](const auto& a, const auto& b) { return a.prefix < b.prefix; });
        TPF_TRY(check_bindings(tag));
        for (const XmlBinding& binding : declared) append_declaration(binding.prefix, binding.uri, scratch_);
    }
    out_.append(scratch_).append('>');
    return ok();
}

Status TpfLayer::close_person() {
    out_.append("</").append(person_prefix_).append(":Person>");
    return flush_if_full();
}

Status TpfLayer::replace_number(std::string_view value) {
    if (count_characters(value) > kMaxNumberCharacters)
        return fail(Code::field_form, "Fodselsnummer is longer than 32 characters");
    const IdentityNumber::Judged judged = IdentityNumber::judge(value, setup_.rules);
    if (!judged.number) {
        const PersonMarks::Kode kode = apprec_kode(judged.fault);
        marked_.mark(position_, kode);
        out_.append("<").append(person_prefix_).append(":Pseudonym feil=\"").append(to_string(kode)).append("\"/>");
        return pseudonyms_ == nullptr ? ok() : pseudonyms_->none();
    }
    for (PseudonymDeriver& deriver : setup_.derivers) {
        scratch_.clear();
        TPF_TRY(deriver.append(*judged.number, clear_.avsender.organisasjonsnummer(), scratch_));
        if (pseudonyms_ != nullptr) {
            TPF_TRY(pseudonyms_->pseudonym(scratch_));
        }
        out_.append("<").append(person_prefix_).append(":Pseudonym>").append(scratch_);
        out_.append("</").append(person_prefix_).append(":Pseudonym>");
    }
    return ok();
}

Status TpfLayer::check_key_name(std::string_view value) {
    const auto known =
        std::find_if(setup_.keys.begin(), setup_.keys.end(), [&](const auto& key) { return key.id.str() == value; });
    if (known == setup_.keys.end())
        return fail(Code::register_key, "a person's data are sealed for a key that is not the register's");
    register_key_ = &*known;
    return ok();
}

Status TpfLayer::flush_if_full() {
    return out_.size() >= kFlushBytes ? flush() : ok();
}

Status TpfLayer::flush() {
    TPF_TRY(sink_.write(out_));
    out_.clear();
    return ok();
}

Result<PassReport> TpfLayer::finish() {
    TPF_TRY(scanner_.finish());
    TPF_TRY(walker_.finish());
    if (position_ != expected_) return fail(Code::person_count, "fewer persons than AntallPersoner");
    if (setup_.quarantine_invalid && !marked_.empty()) {
        return fail(Code::invalid_number, std::to_string(marked_.count()) + " persons have a missing or wrong number");
    }
    close("PseudonymisertMelding");
    out_.append('\n');
    TPF_TRY(flush());
    return PassReport{clear_, *created_, *from_, *to_, expected_, std::move(marked_), versions_of(setup_.derivers)};
}

}  // namespace tpf::pseudonym
