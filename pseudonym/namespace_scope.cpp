#include "pseudonym/namespace_scope.h"

#include <algorithm>

namespace tpf::pseudonym {

void NamespaceScope::bind(std::string_view prefix, std::string_view uri) {
    if (count_ == all_.size()) all_.emplace_back();
    all_[count_].prefix.assign(prefix);
    all_[count_].uri.assign(uri);
    ++count_;
}

std::string_view NamespaceScope::resolve(std::string_view prefix) const noexcept {
    if (prefix == "xml") return kXmlUri;
    for (std::size_t i = count_; i-- > 0;) {
        if (all_[i].prefix == prefix) return all_[i].uri;
    }
    return {};
}

std::vector<std::pair<std::string, std::string>> NamespaceScope::in_force() const {
    std::vector<std::pair<std::string, std::string>> out;
    for (std::size_t i = count_; i-- > 0;) {
        const Binding& binding = all_[i];
        const bool seen = std::any_of(out.begin(), out.end(), [&](const auto& b) { return b.first == binding.prefix; });
        if (!seen) out.emplace_back(binding.prefix, binding.uri);
    }
    std::erase_if(out, [](const auto& b) { return b.second.empty() || b.first == "xml"; });
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace tpf::pseudonym
