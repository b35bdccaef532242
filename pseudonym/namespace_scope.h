#pragma once
// The namespace bindings in force while a document is gone through (Namespaces in XML 1.0 § 6.1).

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pseudonym/xml_handler.h"

namespace tpf::pseudonym {

inline constexpr std::string_view kXmlUri = "http://www.w3.org/XML/1998/namespace";
inline constexpr std::string_view kXmlnsUri = "http://www.w3.org/2000/xmlns/";

/// A stack: an element's bindings go back to the size() that was there before it. Not thread-safe.
class NamespaceScope {
  public:
    void bind(std::string_view prefix, std::string_view uri);
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    void back_to(std::size_t size) noexcept { count_ = size; }
    /// From 0. Valid until the next bind().
    [[nodiscard]] XmlBinding at(std::size_t index) const noexcept { return {all_[index].prefix, all_[index].uri}; }
    /// The URI that `prefix` is bound to; empty when it is not. Valid until the next bind().
    [[nodiscard]] std::string_view resolve(std::string_view prefix) const noexcept;
    /// Each prefix once, innermost wins, undeclared ones and `xml` left out; sorted with the default first, then by
    /// prefix.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> in_force() const;

  private:
    struct Binding {
        std::string prefix;
        std::string uri;
    };
    std::vector<Binding> all_;  // kept beyond count_ to reuse their memory
    std::size_t count_ = 0;
};

}  // namespace tpf::pseudonym
