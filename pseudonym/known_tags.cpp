#include "pseudonym/known_tags.h"

#include "crypto/secret.h"

namespace tpf::pseudonym {
namespace {

/// The first bytes of a tag, up to 8 of them and none behind its first `>`: equal for equal tags.
std::uint64_t head_of(std::string_view tag) noexcept {
    std::uint64_t head = 0;
    for (std::size_t i = 1; i < tag.size() && i <= 8; ++i) {
        if (tag[i] == '>') break;
        head = head << 8 | static_cast<unsigned char>(tag[i]);
    }
    return head;
}

}  // namespace

KnownTags::~KnownTags() {
    for (const auto& known : known_) {
        for (std::string& text : known->text) crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    }
}

const KnownTag* KnownTags::find(std::string_view bytes, std::uint64_t context) {
    const auto fits = [&](const KnownTag& known) {
        const std::string_view raw = known.tag.raw;
        return known.around == context && bytes.substr(0, raw.size()) == raw;
    };
    KnownTag* found = last_ != nullptr ? last_->next : nullptr;
    if (found == nullptr || !fits(*found)) {
        found = nullptr;
        const std::uint64_t head = head_of(bytes);
        for (std::size_t i = 0; i < known_.size() && found == nullptr; ++i) {
            if (heads_[i] == head && fits(*known_[i])) found = known_[i].get();
        }
        if (last_ != nullptr && found != nullptr) last_->next = found;
    }
    last_ = found;
    return found;
}

unsigned KnownTags::remember(const XmlStart& tag, std::uint64_t around, std::uint64_t inside) {
    last_ = nullptr;
    if (known_.size() >= kMost || tag.raw.size() > kMostBytes) return 0;
    auto known = std::make_unique<KnownTag>();
    known->around = around;
    known->inside = inside;
    known->text.emplace_back(tag.raw);
    const auto keep = [&](std::string_view view) -> std::string_view {
        return view.empty() ? std::string_view() : known->text.emplace_back(view);
    };
    const auto keep_name = [&](const XmlName& name) {
        const std::string_view qualified = keep(name.qualified);
        return XmlName{keep(name.uri), qualified.substr(qualified.size() - name.local.size()), qualified};
    };
    for (const XmlAttribute& attribute : tag.attributes)
        known->attributes.push_back({keep_name(attribute.name), keep(attribute.value)});
    for (const XmlBinding& binding : tag.declared) known->declared.push_back({keep(binding.prefix), keep(binding.uri)});
    known->tag = {keep_name(tag.name), known->attributes, known->declared,
                  known->text.front(), tag.empty,         static_cast<unsigned>(known_.size()) + 1};
    known_.push_back(std::move(known));
    heads_.push_back(head_of(tag.raw));
    last_ = known_.back().get();
    return known_.back()->tag.known;
}

}  // namespace tpf::pseudonym
