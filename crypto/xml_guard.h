#pragma once
// What stands in front of RapidXML, which is lenient (two roots, a bare '&', bad nesting, deep recursion): a strict
// check of a small XML document. Internal to crypto/.

#include <cstddef>
#include <string_view>

#include "base/result.h"

namespace tpf::crypto {

struct XmlLimits {
    std::size_t bytes = std::size_t{1} << 20;
    unsigned depth = 8;  ///< elements open at once
};

/// Checks that `text`, valid UTF-8 without BOM, is a well-formed XML 1.0 document of the small kind: an optional
/// declaration, then one element; ASCII names with at most one colon; no DOCTYPE, comment, processing instruction or
/// CDATA section; of entities only the five predefined ones and character references. Namespaces are left to the
/// reader. `declared` is the encoding that the declaration may name besides none ("UTF-8" or "UTF-16").
/// Code::field_form ("line N: …"), Code::encoding for another declared encoding, Code::limit.
[[nodiscard]] Status check_small_xml(std::string_view text, std::string_view declared, const XmlLimits& limits = {});

/// The line, from 1, that holds byte `offset` of `text`.
[[nodiscard]] std::size_t line_at(std::string_view text, std::size_t offset) noexcept;

}  // namespace tpf::crypto
