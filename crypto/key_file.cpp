#include "crypto/key_file.h"

#include <algorithm>
#include <optional>
#include <rapidxml/rapidxml.hpp>
#include <span>
#include <utility>

#include "base/base64_stream.h"
#include "base/transcode.h"
#include "crypto/xml_guard.h"

namespace tpf::crypto {
namespace {

using Node = rapidxml::xml_node<char>;
using Attribute = rapidxml::xml_attribute<char>;

constexpr std::string_view kDsig = "http://www.w3.org/2000/09/xmldsig#";
constexpr std::size_t kMaxFile = std::size_t{1} << 20;
constexpr std::size_t kMaxEditionDigits = 9;

std::string_view name_of(const rapidxml::xml_base<char>& item) {
    return {item.name(), item.name_size()};
}
std::string_view value_of(const rapidxml::xml_base<char>& item) {
    return {item.value(), item.value_size()};
}

std::pair<std::string_view, std::string_view> split_name(std::string_view qualified) {
    const std::size_t colon = qualified.find(':');
    if (colon == std::string_view::npos) return {{}, qualified};
    return {qualified.substr(0, colon), qualified.substr(colon + 1)};
}

bool declares_namespace(const Attribute& attribute) {
    return name_of(attribute) == "xmlns" || name_of(attribute).starts_with("xmlns:");
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r\n";
    const std::size_t begin = text.find_first_not_of(kSpace);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

/// The namespace that `prefix` (empty: the default one) is bound to at `node`; nullopt: a prefix bound to nothing.
std::optional<std::string_view> namespace_of(const Node& node, std::string_view prefix) {
    const std::string declaration = prefix.empty() ? std::string("xmlns") : "xmlns:" + std::string(prefix);
    for (const Node* at = &node; at != nullptr; at = at->parent()) {
        const Attribute* found = at->first_attribute(declaration.c_str(), declaration.size());
        if (found != nullptr) return value_of(*found);
    }
    if (prefix.empty()) return std::string_view();
    return std::nullopt;
}

/// Walks the document that RapidXML made; what it may hold is exactly formats.md § 5. Texts of errors name elements and
/// attributes of the format and lines of the file, never what the file said.
class Reader {
  public:
    Reader(std::string_view original, const char* buffer) : original_(original), buffer_(buffer) {}

    Result<KeyFile> file(const Node& root) {
        TPF_TRY(expect(root, {}, "Krypteringsnokler"));
        TPF_TRY(only_attributes(root, {"versjon", "utgave"}));
        KeyFile file;
        TPF_TRY(const auto version, attribute(root, "versjon"));
        if (!is_token(version)) return bad(root, "versjon has 1 to 64 letters, digits, '.', '_' or '-'");
        file.version = version;
        if (const Attribute* edition = root.first_attribute("utgave")) {
            const std::string_view digits = value_of(*edition);
            if (digits.empty() || digits.size() > kMaxEditionDigits ||
                digits.find_first_not_of("0123456789") != std::string_view::npos) {
                return bad(root, "utgave is a number of at most 9 digits");
            }
            file.edition = static_cast<unsigned>(std::stoul(std::string(digits)));
        }
        TPF_TRY(const auto children, elements(root));
        for (const Node* child : children) {
            TPF_TRY(auto next, key(*child));
            TPF_TRY(check_against(*child, next, file.keys));
            file.keys.push_back(std::move(next));
        }
        if (file.keys.empty()) return bad(root, "there is no Nokkel");
        return file;
    }

  private:
    [[nodiscard]] decltype(fail(Code::field_form)) bad(const Node& node, const std::string& what) const {
        const auto line = line_at(original_, static_cast<std::size_t>(node.name() - buffer_));
        return fail(Code::field_form, "line " + std::to_string(line) + ": " + what);
    }
    [[nodiscard]] decltype(fail(Code::field_form)) bad(const Node& node, const char* field, const Error& error) const {
        return bad(node, std::string(field) + ": " + error.detail());
    }

    Status expect(const Node& node, std::string_view uri, const char* local) const {
        const auto [prefix, name] = split_name(name_of(node));
        if (name != local || namespace_of(node, prefix) != uri) {
            return bad(node, "the element " + std::string(local) + " was expected" +
                                 (uri.empty() ? ", in no namespace" : ", in the namespace of XML Signature"));
        }
        return ok();
    }

    Status only_attributes(const Node& node, std::initializer_list<std::string_view> known) const {
        for (const Attribute* at = node.first_attribute(); at != nullptr; at = at->next_attribute()) {
            const bool fine =
                declares_namespace(*at) || std::find(known.begin(), known.end(), name_of(*at)) != known.end();
            if (!fine) return bad(node, "an attribute that the format does not have");
        }
        return ok();
    }

    Result<std::string_view> attribute(const Node& node, const char* name) const {
        const Attribute* found = node.first_attribute(name);
        if (found == nullptr) return bad(node, "the attribute " + std::string(name) + " is missing");
        return value_of(*found);
    }

    /// The child elements; anything else in between but white space is an error.
    Result<std::vector<const Node*>> elements(const Node& node) const {
        std::vector<const Node*> found;
        for (const Node* child = node.first_node(); child != nullptr; child = child->next_sibling()) {
            if (child->type() == rapidxml::node_element) {
                found.push_back(child);
            } else if (!trimmed(value_of(*child)).empty()) {
                return bad(node, "text between elements");
            }
        }
        return found;
    }

    Result<Bytes> number(const Node& node, const char* local) const {
        TPF_TRY(expect(node, kDsig, local));
        TPF_TRY(only_attributes(node, {}));
        for (const Node* child = node.first_node(); child != nullptr; child = child->next_sibling()) {
            if (child->type() == rapidxml::node_element) return bad(node, "an element inside " + std::string(local));
        }
        const std::string_view text = value_of(node);
        Bytes out(Base64Decoder::max_output(text.size()));
        Base64Decoder decoder;
        const auto size = decoder.update(text, out.data());
        if (!size) return bad(node, local, size.error());
        if (const auto whole = decoder.finish(); !whole) return bad(node, local, whole.error());
        out.resize(size.value());
        return out;
    }

    Result<RsaPublicKey> rsa(const Node& node) const {
        TPF_TRY(expect(node, kDsig, "RSAKeyValue"));
        TPF_TRY(only_attributes(node, {}));
        TPF_TRY(const auto children, elements(node));
        if (children.size() != 2) return bad(node, "RSAKeyValue holds Modulus and Exponent");
        TPF_TRY(const auto modulus, number(*children[0], "Modulus"));
        TPF_TRY(const auto exponent, number(*children[1], "Exponent"));
        auto key = RsaPublicKey::create(modulus, exponent);
        if (!key) return bad(node, "RSAKeyValue", key.error());
        return key;
    }

    template <class Parse>
    auto parsed(const Node& node, const char* name, Parse parse) const -> decltype(parse(std::string_view())) {
        TPF_TRY(const auto text, attribute(node, name));
        auto value = parse(text);
        if (!value) return bad(node, name, value.error());
        return value;
    }

    Result<PublishedKey> key(const Node& node) const {
        TPF_TRY(expect(node, {}, "Nokkel"));
        TPF_TRY(only_attributes(node, {"id", "eier", "gyldigFra", "gyldigTil", "profil"}));
        TPF_TRY(auto id, parsed(node, "id", &KeyId::parse));
        TPF_TRY(const auto owner, parsed(node, "eier", &RegisterName::parse));
        TPF_TRY(const auto from, parsed(node, "gyldigFra", &parse_date));
        TPF_TRY(const auto to, parsed(node, "gyldigTil", &parse_date));
        auto policy = KeyPolicy::modern();
        if (node.first_attribute("profil") != nullptr) {
            TPF_TRY(policy, parsed(node, "profil", &KeyPolicy::parse_profile));
        }
        if (to < from) return bad(node, "gyldigTil is before gyldigFra");
        TPF_TRY(const auto children, elements(node));
        if (children.size() != 1) return bad(node, "a Nokkel holds one RSAKeyValue");
        TPF_TRY(auto value, rsa(*children[0]));
        const std::size_t least = min_rsa_bits(policy);
        if (value.bits() < least) {
            return bad(node, "a key of profile " + std::string(policy.profile()) + " has at least " +
                                 std::to_string(least) + " bits");
        }
        return PublishedKey{std::move(id), owner.str(), from, to, policy, std::move(value)};
    }

    /// One RSA key under two profiles or owners would undo what those are for.
    Status check_against(const Node& node, const PublishedKey& fresh, const std::vector<PublishedKey>& keys) const {
        for (const PublishedKey& key : keys) {
            if (key.id == fresh.id) return bad(node, "an id is there twice");
            if (key.key.modulus() != fresh.key.modulus()) continue;
            if (key.policy != fresh.policy || key.owner != fresh.owner) {
                return bad(node, "the same RSA key under another profile or owner");
            }
        }
        return ok();
    }

    std::string_view original_;
    const char* buffer_;
};

}  // namespace

Result<KeyFile> KeyFile::parse(std::string_view content) {
    if (content.size() > kMaxFile) return fail(Code::limit, "a key file is at most 1 MiB");
    TPF_TRY(const std::string text, to_utf8(content));
    const bool utf8 = detect_bom(content).encoding == Encoding::utf8;
    TPF_TRY(check_small_xml(text, utf8 ? "UTF-8" : "UTF-16", {2 * kMaxFile, 8}));
    std::vector<char> buffer(text.begin(), text.end());
    buffer.push_back('\0');
    try {
        rapidxml::xml_document<char> document;
        document.parse<rapidxml::parse_validate_closing_tags>(buffer.data());
        const Node* root = document.first_node();
        if (root == nullptr) return fail(Code::field_form, "line 1: there is no element");
        return Reader(text, buffer.data()).file(*root);
    } catch (const std::exception&) {
        return fail(Code::field_form, "not well-formed XML");
    }
}

const PublishedKey* KeyFile::current(std::string_view owner, std::chrono::sys_days day) const {
    const PublishedKey* best = nullptr;
    for (const PublishedKey& key : keys) {
        if (key.owner != owner || key.policy.is_legacy() || day < key.valid_from || day > key.valid_to) continue;
        if (best == nullptr || key.valid_from > best->valid_from) best = &key;
    }
    return best;
}

std::string KeyFile::write() const {
    // No value needs escaping: every one comes from a type whose grammar has no markup in it.
    std::string xml = "<Krypteringsnokler versjon=\"" + version + "\"";
    if (edition) xml += " utgave=\"" + std::to_string(*edition) + "\"";
    xml += ">\n";
    for (const PublishedKey& key : keys) {
        xml += "  <Nokkel id=\"" + key.id.str() + "\" eier=\"" + key.owner + "\" gyldigFra=\"" +
               format_date(key.valid_from) + "\" gyldigTil=\"" + format_date(key.valid_to) + "\" profil=\"" +
               std::string(key.policy.profile()) + "\"><RSAKeyValue xmlns=\"" + std::string(kDsig) + "\"><Modulus>" +
               base64(key.key.modulus()) + "</Modulus><Exponent>" + base64(key.key.exponent()) +
               "</Exponent></RSAKeyValue></Nokkel>\n";
    }
    xml += "</Krypteringsnokler>\n";
    return to_utf16le(xml).value();
}

}  // namespace tpf::crypto
