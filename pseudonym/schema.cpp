#include "pseudonym/schema.h"

#include <algorithm>

#include "crypto/secret.h"
#include "pseudonym/xml_syntax.h"

namespace tpf::pseudonym {
namespace {

std::string name_of(const ElementRule& rule) {
    return std::string(rule.path.empty() ? rule.local : rule.path);
}

void wipe_text(std::string& text) noexcept {
    crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    text.clear();
}

}  // namespace

Result<std::size_t> SchemaHandler::stream_run(int, std::string_view) {
    return std::size_t{0};
}

SchemaWalker::SchemaWalker(std::span<const ElementRule> roots, SchemaHandler& handler, std::size_t leaf_bytes,
                           Code foreign)
    : handler_(handler), leaf_bytes_(leaf_bytes), foreign_(foreign) {
    levels_.reserve(16);
    levels_.push_back({nullptr, roots, 0});
    leaf_.reserve(leaf_bytes + 16);
}

SchemaWalker::~SchemaWalker() {
    wipe_text(leaf_);
}

Code SchemaWalker::foreign_here() const {
    return levels_.back().rule != nullptr ? levels_.back().rule->foreign : foreign_;
}

/// The child rule that `tag` is, with the level moved on to it.
Result<const ElementRule*> SchemaWalker::match(const XmlStart& tag) {
    Level& level = levels_.back();
    const auto fits = [&](const ElementRule& rule) { return rule.local == tag.name.local && rule.uri == tag.name.uri; };
    for (std::size_t i = level.next; i < level.children.size(); ++i) {
        const ElementRule& rule = level.children[i];
        if (fits(rule)) {
            level.next = rule.occurs == ElementRule::Occurs::any_number ? i : i + 1;
            return &rule;
        }
        if (rule.occurs == ElementRule::Occurs::once) {
            // Something required is not here: is this a later sibling?
            for (const ElementRule& sibling : level.children.subspan(i + 1)) {
                if (fits(sibling)) return fail(rule.missing, name_of(rule) + " is missing or not in its place");
            }
            break;
        }
    }
    for (const ElementRule& sibling : level.children) {
        // Codes that say that something is missing do not fit what is there too often.
        const Code code = sibling.missing == Code::header ? Code::header : foreign_here();
        if (fits(sibling)) return fail(code, name_of(sibling) + " stands twice or not in its place");
    }
    return fail(foreign_here(), "an element that the format does not name" +
                                    (level.rule != nullptr ? " in " + name_of(*level.rule) : std::string()));
}

/// The rule whose turn it is, if it fitted the same bytes in the same bindings before: then it does again, attributes
/// and all. nullptr where that has to be found out.
const ElementRule* SchemaWalker::match_known(unsigned known) {
    Level& level = levels_.back();
    if (known == 0 || level.next >= level.children.size()) return nullptr;
    const ElementRule* const rule = &level.children[level.next];
    if (known_[known][0] != rule && known_[known][1] != rule) return nullptr;
    if (rule->occurs != ElementRule::Occurs::any_number) ++level.next;
    return rule;
}

Status SchemaWalker::check_attributes(const ElementRule& rule, const XmlStart& tag) const {
    for (const XmlAttribute& attribute : tag.attributes) {
        const auto known = std::find_if(rule.attributes.begin(), rule.attributes.end(), [&](const AttributeRule& r) {
            return attribute.name.uri.empty() && r.name == attribute.name.local;
        });
        if (known == rule.attributes.end()) {
            return fail(rule.foreign, "an attribute that the format does not name on " + name_of(rule));
        }
        if (!known->values.empty() &&
            std::find(known->values.begin(), known->values.end(), attribute.value) == known->values.end()) {
            return fail(rule.foreign, "attribute " + std::string(known->name) + " of " + name_of(rule) +
                                          " says something that the format does not name");
        }
    }
    for (const AttributeRule& known : rule.attributes) {
        if (!known.required) continue;
        const bool there = std::any_of(tag.attributes.begin(), tag.attributes.end(), [&](const XmlAttribute& a) {
            return a.name.uri.empty() && a.name.local == known.name;
        });
        if (!there) return fail(rule.missing, name_of(rule) + " lacks its attribute " + std::string(known.name));
    }
    return ok();
}

Status SchemaWalker::start(const XmlStart& tag) {
    const ElementRule* parent = levels_.back().rule;
    if (parent != nullptr && parent->content != ElementRule::Content::children) {
        return fail(parent->foreign, "an element inside " + name_of(*parent));
    }
    const ElementRule* rule = match_known(tag.known);
    if (rule == nullptr) {
        TPF_TRY(rule, match(tag));
        TPF_TRY(check_attributes(*rule, tag));
        Known& known = known_[tag.known];
        known = {rule, known[0]};
    }
    levels_.push_back({rule, rule->children, 0});
    return handler_.enter(rule->id, tag);
}

Status SchemaWalker::check_complete(const Level& level) const {
    for (std::size_t i = level.next; i < level.children.size(); ++i) {
        const ElementRule& rule = level.children[i];
        if (rule.occurs == ElementRule::Occurs::once) return fail(rule.missing, name_of(rule) + " is missing");
    }
    return ok();
}

Status SchemaWalker::end(const XmlEnd&) {
    const ElementRule& rule = *levels_.back().rule;
    TPF_TRY(check_complete(levels_.back()));
    levels_.pop_back();
    if (rule.content == ElementRule::Content::leaf) {
        Status told = handler_.leaf(rule.id, trim_xml_space(leaf_));
        wipe_text(leaf_);
        if (!told) return told;
    }
    return handler_.leave(rule.id);
}

Status SchemaWalker::text(std::string_view, std::string_view value) {
    const ElementRule* rule = levels_.back().rule;
    if (rule != nullptr && rule->content == ElementRule::Content::stream) return handler_.stream(rule->id, value);
    if (rule != nullptr && rule->content == ElementRule::Content::leaf) {
        if (leaf_.size() + value.size() > leaf_bytes_) return fail(Code::limit, name_of(*rule) + " is too long");
        leaf_ += value;
        return ok();
    }
    if (is_xml_space(value)) return ok();
    return fail(foreign_here(),
                "text" + (rule != nullptr ? " in " + name_of(*rule) : std::string()) + " outside a field");
}

Result<std::size_t> SchemaWalker::base64_run(std::string_view bytes) {
    const ElementRule* rule = levels_.back().rule;
    if (rule == nullptr || rule->content != ElementRule::Content::stream) return std::size_t{0};
    return handler_.stream_run(rule->id, bytes);
}

Status SchemaWalker::finish() {
    if (levels_.size() != 1) return fail(Code::truncated, "the content ends inside an element");
    return check_complete(levels_.back());
}

}  // namespace tpf::pseudonym
