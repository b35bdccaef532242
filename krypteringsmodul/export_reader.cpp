#include "krypteringsmodul/export_reader.h"

#include <algorithm>

#include "krypteringsmodul/sender_error.h"
#include "pseudonym/utf8.h"
#include "pseudonym/xml_syntax.h"

namespace tpf::krypteringsmodul {
namespace {

using pseudonym::is_xml_space;
using pseudonym::trim_xml_space;
using pseudonym::XmlAttribute;
using pseudonym::XmlEnd;
using pseudonym::XmlStart;

constexpr std::size_t kHeadBytes = 1024;  // an XML declaration ends before
constexpr std::size_t kLeafBytes = 4096;
constexpr std::size_t kNumberCharacters = 32;
constexpr std::size_t kDepth = 200;
constexpr std::size_t kAttributes = 256;
constexpr std::size_t kNamespaces = 256;

pseudonym::XmlOptions scanner_options(std::size_t max_tag_bytes) {
    pseudonym::XmlOptions options;
    options.limits.depth = kDepth;
    options.limits.attributes = kAttributes;
    options.limits.namespaces = kNamespaces;
    options.limits.tag_bytes = max_tag_bytes;
    options.extras = true;
    options.any_declared_encoding = true;
    options.lines = true;
    return options;
}

std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 0x20 : c);
    return out;
}

std::string_view prefix_of(std::string_view qualified) noexcept {
    const std::size_t colon = qualified.find(':');
    return colon == std::string_view::npos ? std::string_view() : qualified.substr(0, colon);
}

std::size_t count_characters(std::string_view utf8) noexcept {
    return static_cast<std::size_t>(
        std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool is_field(const XmlStart& tag, std::string_view name) noexcept {
    return tag.name.uri.empty() && tag.name.local == name;
}

}  // namespace

ExportReader::ExportReader(PersonSink& sink, const ReadOptions& options)
    : sink_(sink), options_(options), scanner_(*this, scanner_options(options.max_tag_bytes)) {
    if (options.follow != nullptr) cutter_.emplace(*options.follow);
}

// --- bytes to UTF-8

Status ExportReader::feed(std::string_view bytes) {
    if (begun_) return decode(bytes);
    head_.append(bytes);
    if (head_.size() < kHeadBytes) return ok();
    return begin();
}

Status ExportReader::finish() {
    if (!begun_) {
        TPF_TRY(begin());
    }
    if (transcoder_) {
        if (!transcoder_->finish()) return fail(feil(Code::encoding, "IPLOS filen slutter midt i et tegn."));
    }
    if (cutter_) return cutter_->finish();
    if (auto finished = scanner_.finish(); !finished) return fail(explain(finished.error()));
    return ok();
}

Status ExportReader::begin() {
    using namespace std::string_view_literals;
    begun_ = true;
    const BomInfo bom = detect_bom(head_);
    const std::string_view bytes = std::string_view(head_).substr(bom.size);
    if (bom.size == 0 && (bytes.starts_with("<\0"sv) || bytes.starts_with("\0<"sv))) {
        return fail(feil(Code::encoding, "IPLOS filen ser ut til å være UTF-16, men mangler BOM (byte order mark)."));
    }
    const bool utf16 = bom.encoding != Encoding::utf8;
    bool decoded = true;
    if (utf16) {
        transcoder_.emplace(bom.encoding);
        decoded = transcoder_->update(bytes, utf8_).has_value();
    }
    const std::string text = utf16 ? std::move(utf8_) : std::string(bytes);
    head_.clear();
    // The scanner would take a second byte order mark, and the declaration behind it, and the two readings would not
    // count from the same place.
    if (text.starts_with("\xef\xbb\xbf")) return fail(told(Code::header, kNoIplos));
    // The declaration is ASCII in every encoding we read, so the scanner can say what it declares before the rest is
    // read.
    const std::size_t close = text.starts_with("<?xml") ? text.find("?>") : std::string::npos;
    const std::size_t declaration = close == std::string::npos ? 0 : close + 2;
    TPF_TRY(scan(std::string_view(text).substr(0, declaration)));
    TPF_TRY(choose_encoding(bom, scanner_.declared_encoding()));
    const std::string_view rest = std::string_view(text).substr(declaration);
    if (!utf16) return decode(rest);
    TPF_TRY(take(rest));
    return decoded ? ok() : wrong_characters();
}

Status ExportReader::choose_encoding(const BomInfo& bom, const std::string& declared) {
    const std::string name = upper(declared);
    const bool is_utf16 = name == "UTF-16" || name == "UTF-16LE" || name == "UTF-16BE";
    if (bom.encoding != Encoding::utf8) {
        const bool fits =
            name.empty() || name == "UTF-16" || name == (bom.encoding == Encoding::utf16le ? "UTF-16LE" : "UTF-16BE");
        if (fits) return ok();
    } else if (name.empty() || name == "UTF-8") {
        return ok();
    } else if (bom.size == 0 && name == "ISO-8859-1") {
        transcoder_.emplace(Encoding::latin1);
        return ok();
    } else if (bom.size == 0 && is_utf16) {
        return fail(feil(Code::encoding, "IPLOS filen oppgir tegnsettet UTF-16, men mangler BOM (byte order mark)."));
    }
    if (bom.size != 0 && (is_utf16 || name == "UTF-8" || name == "ISO-8859-1")) {
        return fail(feil(Code::encoding, "IPLOS filens XML-deklarasjon oppgir et annet tegnsett enn filens BOM."));
    }
    return fail(
        feil(Code::encoding, "IPLOS filen oppgir et ukjent tegnsett. Bruk UTF-8, UTF-16 med BOM eller ISO-8859-1."));
}

Status ExportReader::decode(std::string_view bytes) {
    if (!transcoder_) return take(bytes);
    utf8_.clear();
    const bool decoded = transcoder_->update(bytes, utf8_).has_value();
    // What came before the fault may hold a fault of its own, which then is the first.
    TPF_TRY(take(utf8_));
    return decoded ? ok() : wrong_characters();
}

Status ExportReader::wrong_characters() const {
    return fail(feil(Code::encoding, "IPLOS filen har ugyldige tegn" + near() + "."));
}

/// What stands after the XML declaration.
Status ExportReader::take(std::string_view utf8) {
    if (!cutter_) return scan(utf8);
    while (cutter_->cut(utf8, person_)) {
        ++persons_;
        TPF_TRY(sink_.person(person_));
    }
    return ok();
}

Status ExportReader::scan(std::string_view utf8) {
    if (auto scanned = scanner_.feed(utf8); !scanned) return fail(explain(scanned.error()));
    return ok();
}

/// The scanner's error in the sender's words.
Error ExportReader::explain(const Error& error) const {
    if (stopped_here_) return error;
    const auto& mismatch = scanner_.mismatch();
    if (!mismatch.start_name.empty()) {
        return mismatched_tags(mismatch.start_name, mismatch.start_line, mismatch.end_name, mismatch.end_line);
    }
    const bool no_root = state_ == State::outside && persons_ == 0 && !header_done_;
    if (no_root && (error.code() == Code::truncated || error.code() == Code::not_xml))
        return told(Code::header, kNoIplos);
    switch (error.code()) {
        case Code::encoding:
            return feil(error.code(), "IPLOS filen har ugyldige tegn" + near() + ".");
        case Code::not_allowed:
            return feil(error.code(), "IPLOS filen har en DOCTYPE eller lignende, som ikke er tillatt" + near() + ".");
        case Code::truncated:
            return feil(error.code(),
                        "IPLOS filen er ikke komplett: den slutter før feltet IPLOS er avsluttet" + near() + ".");
        case Code::trailing_data:
            return feil(error.code(), "IPLOS filen har innhold etter at feltet IPLOS er avsluttet" + near() + ".");
        case Code::limit:
            return feil(error.code(),
                        "IPLOS filen overskrider en grense for nivåer, navn eller attributter" + near() + ".");
        default:
            return feil(error.code(), "IPLOS filen er ikke gyldig XML" + near() + ".");
    }
}

std::string ExportReader::here() const {
    return on_line(scanner_.line());
}

std::string ExportReader::near() const {
    return " (ved linje " + std::to_string(scanner_.line()) + ")";
}

Status ExportReader::stop(Error error) {
    stopped_here_ = true;
    return fail(std::move(error));
}

// --- events

Status ExportReader::start(const XmlStart& tag) {
    TPF_TRY(start_event(tag));
    position_ += tag.raw.size();
    return ok();
}

Status ExportReader::end(const XmlEnd& tag) {
    TPF_TRY(end_event(tag));
    position_ += tag.raw.size();
    return ok();
}

Status ExportReader::start_event(const XmlStart& tag) {
    switch (state_) {
        case State::outside:
            return start_root(tag);
        case State::root:
            if (is_field(tag, "Person")) return start_person(tag);
            return start_in_header(tag);
        case State::group:
            return start_in_header(tag);
        case State::leaf:
            fields_.remember(feil(Code::header, "Feltet " + std::string(HeaderFields::path(field_)) +
                                                    " skal ikke inneholde andre felt" + here() + "."));
            state_ = State::unknown;
            depth_ = 2;  // this one, and the leaf itself
            return ok();
        case State::unknown:
            ++depth_;
            return ok();
        case State::person:
            return start_number(tag);
        case State::number:
            return stop(feil(Code::not_allowed,
                             "Feltet IPLOS\\Person\\Fodselsnummer skal ikke inneholde andre felt" + here() + "."));
        case State::content:
            return start_in_content(tag);
    }
    return ok();
}

Status ExportReader::start_root(const XmlStart& tag) {
    if (!is_field(tag, "IPLOS")) return stop(told(Code::wrong_root, kNoIplos));
    bool version = false;
    for (const XmlAttribute& attribute : tag.attributes) {
        if (attribute.name.qualified == "versjon") {
            version = attribute.value == "3.0" || attribute.value == "3.7";
        } else {
            fields_.remember(feil(Code::not_allowed, "Feltet IPLOS har et ukjent attributt" + here() + "."));
        }
    }
    if (!version) return stop(told(Code::wrong_root, kWrongVersion));
    for (const auto& binding : tag.declared) {
        if (!binding.prefix.empty()) outer_prefixes_.emplace_back(binding.prefix);
    }
    state_ = State::root;
    return ok();
}

Status ExportReader::start_in_header(const XmlStart& tag) {
    const std::size_t field = tag.name.uri.empty() ? HeaderFields::find(parent_, tag.name.local) : HeaderFields::count;
    if (field == HeaderFields::count) {
        Error unknown = feil(Code::not_allowed, "Ukjent felt " + std::string(HeaderFields::path(parent_)) + "\\" +
                                                    shown(tag.name.qualified) + here() + ".");
        if (header_done_) return stop(std::move(unknown));
        fields_.remember(std::move(unknown));
        state_ = State::unknown;
        depth_ = 1;
        return ok();
    }
    if (header_done_) {
        return stop(feil(Code::header, "Feltet " + std::string(HeaderFields::path(field)) +
                                           " står etter den første personen" + here() + "."));
    }
    fields_.seen(field, scanner_.line());
    if (!tag.attributes.empty()) {
        fields_.remember(feil(Code::not_allowed, "Feltet " + std::string(HeaderFields::path(field)) +
                                                     " skal ikke ha attributter" + here() + "."));
    }
    if (HeaderFields::is_group(field)) {
        parent_ = field;
        state_ = State::group;
    } else {
        field_ = field;
        leaf_.clear();
        state_ = State::leaf;
    }
    return ok();
}

Status ExportReader::finish_header() {
    if (header_done_) return ok();
    auto header = fields_.finish();
    if (!header) return stop(header.error());
    header_done_ = true;
    if (auto taken = sink_.header(header.value()); !taken) return stop(taken.error());
    return ok();
}

Status ExportReader::start_person(const XmlStart& tag) {
    TPF_TRY(finish_header());
    if (!tag.attributes.empty() || !tag.declared.empty()) {
        return stop(feil(Code::not_allowed, "Feltet IPLOS\\Person skal ikke ha attributter" + here() + "."));
    }
    if (++persons_ > pseudonym::kMaxPersons) {
        return stop(feil(Code::limit, "IPLOS filen har flere enn 10 000 000 personer. Del den opp."));
    }
    person_.number.clear();
    person_.content.clear();
    content_size_ = 0;
    person_line_ = scanner_.line();
    state_ = State::person;
    return ok();
}

Status ExportReader::start_number(const XmlStart& tag) {
    if (!is_field(tag, "Fodselsnummer")) return stop(missing_field("IPLOS\\Person\\Fodselsnummer"));
    if (!tag.attributes.empty() || !tag.declared.empty()) {
        return stop(
            feil(Code::not_allowed, "Feltet IPLOS\\Person\\Fodselsnummer skal ikke ha attributter" + here() + "."));
    }
    leaf_.clear();
    number_plain_ = true;
    state_ = State::number;
    return ok();
}

Status ExportReader::start_in_content(const XmlStart& tag) {
    ++depth_;
    if (!outer_prefixes_.empty()) {
        TPF_TRY(check_prefixes(tag));
    }
    for (const XmlAttribute& attribute : tag.attributes) in_values_.feed(attribute.value);
    return append_content(tag.raw);
}

/// A prefix that only IPLOS binds means nothing where the content is opened alone.
Status ExportReader::check_prefixes(const XmlStart& tag) {
    for (const auto& binding : tag.declared) own_prefixes_.emplace_back(depth_, binding.prefix);
    const auto from_outside = [this](std::string_view prefix) {
        return !prefix.empty() && prefix != "xml" &&
               std::none_of(own_prefixes_.begin(), own_prefixes_.end(),
                            [&](const auto& own) { return own.second == prefix; });
    };
    bool outside = from_outside(prefix_of(tag.name.qualified));
    for (const XmlAttribute& attribute : tag.attributes) outside |= from_outside(prefix_of(attribute.name.qualified));
    if (!outside) return ok();
    return stop(feil(Code::not_allowed,
                     "Innholdet i IPLOS\\Person bruker et navneromsprefiks som er deklarert utenfor IPLOS\\Person" +
                         here() + ". Prefikset må deklareres i personens eget innhold."));
}

Status ExportReader::end_event(const XmlEnd& tag) {
    switch (state_) {
        case State::outside:
            return ok();
        case State::root:
            state_ = State::outside;
            return finish_header();
        case State::group:
            parent_ = HeaderFields::kTop;
            state_ = State::root;
            return ok();
        case State::leaf:
            fields_.set(field_, trim_xml_space(leaf_));
            state_ = parent_ == HeaderFields::kTop ? State::root : State::group;
            return ok();
        case State::unknown:
            if (--depth_ == 0) state_ = parent_ == HeaderFields::kTop ? State::root : State::group;
            return ok();
        case State::person:
            return stop(missing_field("IPLOS\\Person\\Fodselsnummer"));
        case State::number:
            return end_number(position_ + tag.raw.size());
        case State::content:
            if (depth_ == 0) return end_person();
            while (!own_prefixes_.empty() && own_prefixes_.back().first == depth_) own_prefixes_.pop_back();
            --depth_;
            return append_content(tag.raw);
    }
    return ok();
}

Status ExportReader::end_number(std::uint64_t content_at) {
    const std::string_view number = trim_xml_space(leaf_);
    if (count_characters(number) > kNumberCharacters) {
        return stop(feil(Code::field_form, "Feltet IPLOS\\Person\\Fodselsnummer er lengre enn 32 tegn" + here() + "."));
    }
    person_.number = number;
    if (options_.search_numbers) {
        in_values_.reset(number);
        in_raw_.reset(number);
    }
    if (options_.note != nullptr) {
        if (!number_plain_) options_.note->give_up();
        const auto before = static_cast<std::size_t>(number.data() - leaf_.data());
        options_.note->number(number.empty() ? content_at : number_at_ + before, number.size(), content_at);
    }
    depth_ = 0;
    own_prefixes_.clear();
    state_ = State::content;
    return ok();
}

Status ExportReader::end_person() {
    if (in_values_.found() || in_raw_.found()) {
        return stop(
            feil(Code::identity_leak, "Person nummer " + std::to_string(persons_) + on_line(person_line_) +
                                          " har sitt eget fødselsnummer også i et annet felt. Det må fjernes der."));
    }
    if (options_.note != nullptr) options_.note->content(content_size_);
    state_ = State::root;
    if (auto taken = sink_.person(person_); !taken) return stop(taken.error());
    return ok();
}

Status ExportReader::text(std::string_view raw, std::string_view value) {
    TPF_TRY(this->value(raw, value));
    position_ += raw.size();
    return ok();
}

Status ExportReader::extra(std::string_view raw, std::string_view value) {
    number_plain_ = false;
    if (state_ == State::outside && position_ == 0) {
        // The index counts from the root's '<', which is the first one only if nothing else stands before it.
        if (options_.note != nullptr) options_.note->give_up();
        return ok();
    }
    TPF_TRY(this->value(raw, value));
    position_ += raw.size();
    return ok();
}

/// Character data, or a comment or processing instruction (no value), or a CDATA section.
Status ExportReader::value(std::string_view raw, std::string_view value) {
    switch (state_) {
        case State::root:
        case State::group:
            if (!is_xml_space(value)) {
                Error outside = feil(Code::not_allowed, "IPLOS filen har tekst mellom feltene" + near() + ".");
                if (header_done_) return stop(std::move(outside));
                fields_.remember(std::move(outside));
            }
            return ok();
        case State::person:
            if (is_xml_space(value)) return ok();
            return stop(missing_field("IPLOS\\Person\\Fodselsnummer"));
        case State::leaf:
        case State::number:
            if (leaf_.size() + value.size() > kLeafBytes) {
                const bool number = state_ == State::number;
                return stop(feil(Code::limit,
                                 "Feltet " +
                                     std::string(number ? "IPLOS\\Person\\Fodselsnummer" : HeaderFields::path(field_)) +
                                     " er for langt" + here() + "."));
            }
            if (leaf_.empty()) number_at_ = position_;
            number_plain_ = number_plain_ && raw.size() == value.size();
            leaf_ += value;
            return ok();
        case State::content:
            in_values_.feed(value);
            return append_content(raw);
        case State::outside:
        case State::unknown:
            return ok();
    }
    return ok();
}

Status ExportReader::append_content(std::string_view raw) {
    content_size_ += raw.size();
    if (content_size_ > options_.max_person_bytes) {
        return stop(feil(Code::limit, "Person nummer " + std::to_string(persons_) + on_line(person_line_) +
                                          " er større enn " + std::to_string(options_.max_person_bytes >> 20) +
                                          " MiB. Grensen kan heves med --maks-person-mib."));
    }
    in_raw_.feed(raw);
    if (options_.contents) person_.content += raw;
    return ok();
}

}  // namespace tpf::krypteringsmodul
