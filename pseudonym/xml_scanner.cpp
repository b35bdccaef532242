#include "pseudonym/xml_scanner.h"

#include <algorithm>
#include <utility>

#include "base/transcode.h"
#include "crypto/secret.h"
#include "pseudonym/utf8.h"
#include "pseudonym/xml_syntax.h"

namespace tpf::pseudonym {
namespace {

constexpr std::size_t kDeclarationBytes = 256;
constexpr std::size_t kCarryStep = 512;

auto bad(const char* what) {
    return fail(Code::not_xml, what);
}

}  // namespace

Result<std::size_t> XmlHandler::base64_run(std::string_view) {
    return std::size_t{0};
}

Status XmlHandler::extra(std::string_view, std::string_view) {
    return fail(Code::not_allowed, "a comment, CDATA section or processing instruction");
}

XmlScanner::XmlScanner(XmlHandler& handler, const XmlOptions& options) : handler_(handler), options_(options) {
    // Reserved once: views into these stay valid, and growth leaves no unwiped copy behind.
    carry_.reserve(options_.limits.tag_bytes + kCarryStep + kDeclarationBytes);
    stack_.reserve(options_.limits.depth);
}

XmlScanner::~XmlScanner() {
    carry_.resize(carry_.capacity());
    crypto::wipe({reinterpret_cast<std::uint8_t*>(carry_.data()), carry_.size()});
}

void XmlScanner::begin_fragment(const std::vector<std::pair<std::string, std::string>>& bindings) {
    fragment_ = true;
    root_seen_ = true;
    state_ = State::content;
    for (const auto& [prefix, uri] : bindings) scope_.bind(prefix, uri);
    stack_.push_back({0, nullptr, scope_.size(), context_, line_});
}

Status XmlScanner::feed(std::string_view piece) {
    while (!carry_.empty() && !piece.empty()) {
        const std::size_t before = carry_.size();
        const std::size_t step = std::min(piece.size(), kCarryStep);
        carry_.append(piece.substr(0, step));
        line_mark_ = carry_.data();
        TPF_TRY(const std::size_t used, process(carry_));
        advance_line(carry_.data() + used);
        if (used >= before) {
            piece.remove_prefix(used - before);
            carry_.clear();
        } else {
            carry_.erase(0, used);
            piece.remove_prefix(step);
        }
    }
    if (piece.empty()) return ok();
    line_mark_ = piece.data();
    TPF_TRY(const std::size_t used, process(piece));
    advance_line(piece.data() + used);
    carry_.assign(piece.substr(used));
    return ok();
}

Status XmlScanner::finish() {
    const bool closed = root_seen_ && stack_.size() == (fragment_ ? 1U : 0U);
    if (!closed) return fail(Code::truncated, "the document ends before its root element does");
    // What is carried waits for bytes that will not come.
    if (carry_.empty() && state_ == State::content) return ok();
    if (fragment_) return fail(Code::truncated, "the content ends inside markup");
    return fail(Code::trailing_data, "something follows the root element");
}

/// Scans as far as whole constructs reach and returns how many bytes are done with.
Result<std::size_t> XmlScanner::process(std::string_view bytes) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        const std::string_view rest = bytes.substr(at);
        std::size_t used = 0;
        if (state_ == State::beginning) {
            TPF_TRY(used, process_beginning(rest));
            if (state_ != State::beginning) {
                at += used;
                continue;
            }
        } else if (state_ != State::content) {
            TPF_TRY(used, process_extra(rest));
        } else if (rest.front() == '<') {
            brackets_ = 0;
            TPF_TRY(used, process_markup(rest));
            if (used == 0 && rest.size() > options_.limits.tag_bytes) return fail(Code::limit, "a tag is too long");
        } else {
            TPF_TRY(used, process_text(rest));
        }
        if (used == 0) break;
        at += used;
    }
    return at;
}

/// The BOM and the XML declaration, which may only stand first.
Result<std::size_t> XmlScanner::process_beginning(std::string_view bytes) {
    static constexpr std::string_view kBom = "\xef\xbb\xbf";
    static constexpr std::string_view kDeclaration = "<?xml";
    if (!bom_seen_ && bytes.substr(0, 3) == kBom.substr(0, std::min<std::size_t>(bytes.size(), 3))) {
        if (bytes.size() < kBom.size()) return std::size_t{0};
        bom_seen_ = true;
        return kBom.size();
    }
    if (!bom_seen_ && (bytes.front() == '\xfe' || bytes.front() == '\xff')) {
        return fail(Code::encoding, "a byte order mark of another encoding");
    }
    bom_seen_ = true;
    const std::size_t common = std::min(bytes.size(), kDeclaration.size() + 1);
    if (bytes.substr(0, std::min(common, kDeclaration.size())) != kDeclaration.substr(0, common)) {
        state_ = State::content;
        return std::size_t{0};
    }
    if (bytes.size() <= kDeclaration.size()) return std::size_t{0};
    if (!is_xml_space(bytes[kDeclaration.size()])) {
        state_ = State::content;
        return std::size_t{0};
    }
    return process_declaration(bytes);
}

/// `<?xml version="1.0" encoding="…" standalone="…"?>`, XML 1.0 production [23].
Result<std::size_t> XmlScanner::process_declaration(std::string_view bytes) {
    const std::size_t end = bytes.substr(0, kDeclarationBytes).find("?>");
    if (end == std::string_view::npos) {
        if (bytes.size() >= kDeclarationBytes) return bad("the XML declaration is not closed or too long");
        return std::size_t{0};
    }
    TPF_TRY(const auto encoding, xml_declaration_encoding(bytes.substr(5, end - 5)));
    if (encoding) {
        declared_encoding_ = *encoding;
        std::string upper = declared_encoding_;
        for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 0x20 : c);
        if (!options_.any_declared_encoding && upper != "UTF-8")
            return fail(Code::encoding, "the declared encoding is not UTF-8");
    }
    state_ = State::content;
    return end + 2;
}

/// Something that begins with `<`; 0 when its end is not there yet.
Result<std::size_t> XmlScanner::process_markup(std::string_view bytes) {
    if (bytes.size() < 2) return std::size_t{0};
    advance_line(bytes.data());
    if (bytes[1] == '/') {
        if (!stack_.empty() && !(fragment_ && stack_.size() == 1)) {
            // The expected one, as it nearly always is.
            const std::string_view name = open_name();
            const std::size_t size = name.size() + 3;
            if (bytes.size() >= size && bytes[size - 1] == '>' && bytes.substr(2, name.size()) == name &&
                size <= options_.limits.tag_bytes) {
                TPF_TRY(close_element(bytes.substr(0, size), bytes.substr(2, name.size())));
                return size;
            }
        }
        const std::size_t end = bytes.find('>');
        if (end == std::string_view::npos) return std::size_t{0};
        if (end + 1 > options_.limits.tag_bytes) return fail(Code::limit, "a tag is too long");
        TPF_TRY(end_tag(bytes.substr(0, end + 1)));
        return end + 1;
    }
    if (bytes[1] == '!' || bytes[1] == '?') {
        static constexpr std::string_view kCdata = "<![CDATA[";
        static constexpr std::string_view kComment = "<!--";
        if (!options_.extras)
            return fail(Code::not_allowed, "a comment, CDATA section, processing instruction or DOCTYPE");
        if (bytes[1] == '?') {
            const std::size_t length = name_length(bytes.substr(2, bytes.find(':', 2) - 2));  // an NCName
            if (length > options_.limits.name_bytes) return fail(Code::limit, "a name is too long");
            if (2 + length >= bytes.size() || decode_utf8(bytes.substr(2 + length)).incomplete) return std::size_t{0};
            if (length == 0) return bad("a processing instruction without a name");
            const std::string_view target = bytes.substr(2, length);
            const bool xml = target.size() == 3 && (target[0] | 0x20) == 'x' && (target[1] | 0x20) == 'm' &&
                             (target[2] | 0x20) == 'l';
            if (xml) return bad("a processing instruction of a reserved name");
            const char after = bytes[2 + length];
            if (after == '?' && bytes.size() < 4 + length) return std::size_t{0};
            if (!is_xml_space(after) && bytes.substr(2 + length, 2) != "?>")
                return bad("a processing instruction is not well-formed");
            TPF_TRY(handler_.extra(bytes.substr(0, 2 + length), {}));
            state_ = State::instruction;
            return 2 + length;
        }
        if (bytes.substr(0, 4) == kComment) {
            TPF_TRY(handler_.extra(bytes.substr(0, 4), {}));
            state_ = State::comment;
            return std::size_t{4};
        }
        if (bytes.substr(0, kCdata.size()) == kCdata) {
            if (stack_.empty()) return bad("a CDATA section outside the root element");
            TPF_TRY(handler_.extra(bytes.substr(0, kCdata.size()), {}));
            state_ = State::cdata;
            return kCdata.size();
        }
        const bool could_be = kComment.substr(0, bytes.size()) == bytes || kCdata.substr(0, bytes.size()) == bytes;
        if (could_be) return std::size_t{0};
        return fail(Code::not_allowed, "a DOCTYPE or other declaration");
    }
    if (const KnownTag* known = stack_.empty() ? nullptr : known_.find(bytes, context_)) {
        const std::size_t size = known->tag.raw.size();
        TPF_TRY(start_known(*known, bytes.substr(0, size)));
        return size;
    }
    const std::size_t end = tag_end(bytes);
    if (end == std::string_view::npos) return std::size_t{0};
    if (end + 1 > options_.limits.tag_bytes) return fail(Code::limit, "a tag is too long");
    TPF_TRY(start_tag(bytes.substr(0, end + 1)));
    return end + 1;
}

/// Inside a comment, CDATA section or processing instruction: up to its end mark.
Result<std::size_t> XmlScanner::process_extra(std::string_view bytes) {
    const std::string_view mark = state_ == State::comment ? "--" : state_ == State::cdata ? "]]>" : "?>";
    const std::size_t found = bytes.find(mark);
    // Keep back what could be the beginning of the mark, or of a character.
    std::size_t body = found != std::string_view::npos ? found : bytes.size() - std::min(bytes.size(), mark.size() - 1);
    const bool is_cdata = state_ == State::cdata;
    const auto tell = [&](std::string_view content) -> Status {
        return content.empty() ? ok() : handler_.extra(content, is_cdata ? content : std::string_view());
    };
    std::size_t at = 0;
    while (at < body) {
        at += plain_prefix(bytes.substr(at, body - at));
        if (at >= body) break;
        const Utf8Char next = decode_utf8(bytes.substr(at));
        if (next.incomplete && found == std::string_view::npos) {
            body = at;
            break;
        }
        if (next.size == 0 || !is_xml_char(next.code_point)) {
            // Which fault comes first must not depend on how the document is cut.
            TPF_TRY(tell(bytes.substr(0, at)));
            if (next.size == 0) return fail(Code::encoding, "bytes that are not UTF-8");
            return bad("a character that XML does not allow");
        }
        at += next.size;
    }
    const std::string_view content = bytes.substr(0, std::max(at, body));
    TPF_TRY(tell(content));
    if (found == std::string_view::npos || content.size() != found) return content.size();
    std::size_t closing = mark.size();
    if (state_ == State::comment) {
        if (bytes.size() < found + 3) return content.size();
        if (bytes[found + 2] != '>') return bad("two hyphens inside a comment");
        closing = 3;
    }
    TPF_TRY(handler_.extra(bytes.substr(found, closing), {}));
    state_ = State::content;
    return found + closing;
}

/// Character data up to the next `<`, or as far as whole characters and references reach.
Result<std::size_t> XmlScanner::process_text(std::string_view bytes) {
    if (stack_.empty()) {
        const std::string_view run = bytes.substr(0, bytes.find('<'));
        TPF_TRY(outside_root(run));
        return run.size();
    }
    std::size_t at = 0;
    while (at < bytes.size()) {
        TPF_TRY(const std::size_t run, handler_.base64_run(bytes.substr(at)));
        if (run == 0) break;
        brackets_ = 0;
        at += run;
    }
    std::size_t told = at;
    // Also before a fault: which one comes first must not depend on how the document is cut.
    const auto tell = [&]() -> Status {
        const std::string_view run = bytes.substr(told, at - told);
        told = at;
        return run.empty() ? ok() : handler_.text(run, run);
    };
    while (at < bytes.size()) {
        const std::size_t plain = plain_prefix(bytes.substr(at));
        if (plain > 0) {
            if (brackets_ >= 2 && bytes[at] == '>') {
                TPF_TRY(tell());
                return bad("]]> in character data");
            }
            brackets_ = 0;
            at += plain;
            continue;
        }
        if (bytes[at] == '<') break;
        if (bytes[at] == '&') {
            TPF_TRY(tell());
            TPF_TRY(const std::size_t used, process_reference(bytes.substr(at)));
            if (used == 0) break;
            told = at += used;
            continue;
        }
        const Utf8Char next = decode_utf8(bytes.substr(at));
        if (next.incomplete) break;
        if (next.size == 0 || !is_xml_char(next.code_point)) {
            TPF_TRY(tell());
            if (next.size == 0) return fail(Code::encoding, "bytes that are not UTF-8");
            return bad("a character that XML does not allow");
        }
        brackets_ = next.code_point == ']' ? brackets_ + 1 : 0;
        at += next.size;
    }
    TPF_TRY(tell());
    return at;
}

/// One reference, `&` first; 0 when its end is not there yet.
Result<std::size_t> XmlScanner::process_reference(std::string_view bytes) {
    const std::string_view longest = bytes.substr(0, kXmlReferenceBytes);
    const std::size_t end = longest.find_first_of(";<");
    if (end == std::string_view::npos && longest.size() < kXmlReferenceBytes) return std::size_t{0};
    if (end == std::string_view::npos || bytes[end] == '<') return bad("an ampersand that begins no reference");
    const std::string_view raw = bytes.substr(0, end + 1);
    const std::string value = resolve_reference(raw);
    if (value.empty()) return bad("a reference that XML does not predefine");
    brackets_ = 0;
    TPF_TRY(handler_.text(raw, value));
    return end + 1;
}

Status XmlScanner::outside_root(std::string_view text) const {
    if (is_xml_space(text)) return ok();
    if (root_seen_) return fail(Code::trailing_data, "something follows the root element");
    return bad("something other than an element begins the document");
}

Status XmlScanner::start_tag(std::string_view raw) {
    if (stack_.empty() && root_seen_) return fail(Code::trailing_data, "a second root element");
    std::string_view inner = raw.substr(1, raw.size() - 2);
    const bool empty = !inner.empty() && inner.back() == '/';
    if (empty) inner.remove_suffix(1);
    const std::size_t length = name_length(inner);
    if (length == 0) return bad("a tag without a valid name");
    const std::string_view qualified = inner.substr(0, length);
    raw_attributes_.clear();
    declared_.clear();
    attributes_.clear();
    if (length != inner.size()) {
        TPF_TRY(split_attributes(inner.substr(length)));
    }
    TPF_TRY(push_element(qualified));
    if (!raw_attributes_.empty()) {
        TPF_TRY(declare_namespaces());
        TPF_TRY(resolve_attributes());
    }
    XmlStart tag;
    TPF_TRY(tag.name, resolve_name(qualified, false));
    tag.attributes = attributes_;
    tag.declared = declared_;
    tag.raw = raw;
    tag.empty = empty;
    const std::uint64_t around = context_;
    if (!declared_.empty()) context_ = ++last_context_;
    if (root_seen_) tag.known = known_.remember(tag, around, context_);
    root_seen_ = true;
    TPF_TRY(handler_.start(tag));
    if (empty) return close_element({}, qualified);
    return ok();
}

Status XmlScanner::start_known(const KnownTag& known, std::string_view raw) {
    if (stack_.size() >= options_.limits.depth) return fail(Code::limit, "elements are nested too deep");
    stack_.push_back({names_.size(), &known, scope_.size(), context_, line_});
    for (const XmlBinding& binding : known.declared) scope_.bind(binding.prefix, binding.uri);
    context_ = known.inside;
    XmlStart tag = known.tag;
    tag.raw = raw;
    TPF_TRY(handler_.start(tag));
    if (tag.empty) return close_element({}, tag.name.qualified);
    return ok();
}

Status XmlScanner::push_element(std::string_view qualified) {
    if (qualified.size() > options_.limits.name_bytes) return fail(Code::limit, "a name is too long");
    if (stack_.size() >= options_.limits.depth) return fail(Code::limit, "elements are nested too deep");
    stack_.push_back({names_.size(), nullptr, scope_.size(), context_, line_});
    names_ += qualified;
    return ok();
}

/// Cuts ` name="value"…` into raw pairs; what a value may hold is checked when it is read.
Status XmlScanner::split_attributes(std::string_view text) {
    while (true) {
        const std::string_view trimmed = trim_xml_space(text);
        if (trimmed.empty()) return ok();
        if (!is_xml_space(text.front())) return bad("attributes are not separated by white space");
        if (raw_attributes_.size() >= options_.limits.attributes) return fail(Code::limit, "too many attributes");
        const std::size_t length = name_length(trimmed);
        if (length == 0) return bad("an attribute without a valid name");
        if (length > options_.limits.name_bytes) return fail(Code::limit, "a name is too long");
        std::string_view rest = trim_xml_space(trimmed.substr(length));
        if (rest.empty() || rest.front() != '=') return bad("an attribute without a value");
        rest = trim_xml_space(rest.substr(1));
        if (rest.empty() || (rest.front() != '"' && rest.front() != '\''))
            return bad("an attribute value without quotes");
        const std::size_t close = rest.find(rest.front(), 1);
        if (close == std::string_view::npos) return bad("an attribute value without a closing quote");
        const RawAttribute attribute{trimmed.substr(0, length), rest.substr(1, close - 1)};
        for (const RawAttribute& other : raw_attributes_) {
            if (other.qualified == attribute.qualified) return bad("an attribute stands twice");
        }
        raw_attributes_.push_back(attribute);
        text = rest.substr(close + 1);
    }
}

/// References resolved and white space normalised; `store` is used when the value is not its own raw text.
Result<std::string_view> XmlScanner::attribute_value(std::string_view raw, std::string& store) const {
    std::size_t at = plain_value_prefix(raw);
    if (at == raw.size()) return raw;
    bool copied = false;
    store.clear();
    while (at < raw.size()) {
        const char c = raw[at];
        const Utf8Char next = decode_utf8(raw.substr(at));
        if (next.size == 0) return fail(Code::encoding, "bytes that are not UTF-8");
        if (!is_xml_char(next.code_point)) return bad("a character that XML does not allow");
        if (c == '<') return bad("a < in an attribute value");
        if (c == '&' || c == '\t' || c == '\n' || c == '\r') {
            if (!copied) store.assign(raw.substr(0, at));
            copied = true;
        }
        if (c == '&') {
            const std::size_t end = raw.substr(at, kXmlReferenceBytes).find(';');
            if (end == std::string_view::npos) return bad("an ampersand that begins no reference");
            const std::string value = resolve_reference(raw.substr(at, end + 1));
            if (value.empty()) return bad("a reference that XML does not predefine");
            store += value;
            at += end + 1;
            continue;
        }
        if (copied) {
            // A line end of two characters is one (XML 1.0 § 2.11), and white space in a value reads as a space.
            if (c == '\r' && at + 1 < raw.size() && raw[at + 1] == '\n') ++at;
            if (is_xml_space(c)) {
                store += ' ';
            } else {
                store.append(raw.substr(at, next.size));
            }
        }
        at += next.size;
    }
    return copied ? std::string_view(store) : raw;
}

Status XmlScanner::declare_namespaces() {
    std::string store;
    for (const RawAttribute& attribute : raw_attributes_) {
        const auto [prefix, local] = split_qualified(attribute.qualified);
        const bool is_default = prefix.empty() && local == "xmlns";
        if (!is_default && prefix != "xmlns") continue;
        TPF_TRY(const std::string_view uri, attribute_value(attribute.raw_value, store));
        const std::string_view bound = is_default ? std::string_view() : local;
        if (bound == "xmlns" || uri == kXmlnsUri) return bad("xmlns must not be declared");
        if ((bound == "xml") != (uri == kXmlUri)) return bad("xml is bound to its own namespace only");
        if (!is_default && uri.empty()) return bad("a prefix must not be undeclared");
        if (scope_.size() >= options_.limits.namespaces) return fail(Code::limit, "too many namespace declarations");
        scope_.bind(bound, uri);
    }
    for (std::size_t i = stack_.back().bindings; i < scope_.size(); ++i) {
        declared_.push_back(scope_.at(i));
    }
    return ok();
}

Status XmlScanner::resolve_attributes() {
    if (attribute_values_.size() < raw_attributes_.size()) attribute_values_.resize(raw_attributes_.size());
    for (const RawAttribute& attribute : raw_attributes_) {
        const auto [prefix, local] = split_qualified(attribute.qualified);
        if (prefix == "xmlns" || (prefix.empty() && local == "xmlns")) continue;
        XmlAttribute resolved;
        TPF_TRY(resolved.name, resolve_name(attribute.qualified, true));
        TPF_TRY(resolved.value, attribute_value(attribute.raw_value, attribute_values_[attributes_.size()]));
        for (const XmlAttribute& other : attributes_) {
            if (other.name.local == resolved.name.local && other.name.uri == resolved.name.uri)
                return bad("an attribute stands twice");
        }
        attributes_.push_back(resolved);
    }
    return ok();
}

Result<XmlName> XmlScanner::resolve_name(std::string_view qualified, bool attribute) const {
    const auto [prefix, local] = split_qualified(qualified);
    XmlName name;
    name.qualified = qualified;
    name.local = local;
    if (prefix.empty() && attribute) return name;
    if (prefix == "xmlns") return bad("an element in the xmlns namespace");
    name.uri = scope_.resolve(prefix);
    if (!prefix.empty() && name.uri.empty()) return bad("a prefix is not declared");
    return name;
}

std::string_view XmlScanner::open_name() const {
    const Frame& frame = stack_.back();
    if (frame.known != nullptr) return frame.known->tag.name.qualified;
    return std::string_view(names_).substr(frame.name_at);
}

Status XmlScanner::end_tag(std::string_view raw) {
    if (stack_.empty()) {
        if (root_seen_) return fail(Code::trailing_data, "an end tag after the root element");
        return bad("an end tag without a start");
    }
    if (fragment_ && stack_.size() == 1) return bad("an end tag without a start");
    std::string_view inner = raw.substr(2, raw.size() - 3);
    const std::string_view name = open_name();
    if (inner != name) {
        while (!inner.empty() && is_xml_space(inner.back())) inner.remove_suffix(1);
        if (inner != name) {
            if (name_length(inner) != inner.size() || inner.empty()) return bad("an end tag without a valid name");
            mismatch_ = {std::string(name), stack_.back().line, std::string(inner), line_};
            return bad("an end tag does not match its start tag");
        }
    }
    return close_element(raw, inner);
}

Status XmlScanner::close_element(std::string_view raw, std::string_view qualified) {
    TPF_TRY(handler_.end({qualified, raw}));
    names_.resize(stack_.back().name_at);
    scope_.back_to(stack_.back().bindings);
    context_ = stack_.back().context;
    stack_.pop_back();
    return ok();
}

void XmlScanner::advance_line(const char* to) {
    if (!options_.lines || line_mark_ == nullptr || to <= line_mark_) return;
    const std::string_view passed(line_mark_, static_cast<std::size_t>(to - line_mark_));
    for (std::size_t at = passed.find('\n'); at != std::string_view::npos; at = passed.find('\n', at + 1)) ++line_;
    line_mark_ = to;
}

}  // namespace tpf::pseudonym
