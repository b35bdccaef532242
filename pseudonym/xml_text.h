#pragma once
// Text as it is written into XML.

#include <string>
#include <string_view>

namespace tpf::pseudonym {

/// Text as it stands between tags: & < > escaped.
void append_escaped(std::string_view text, std::string& out);

/// "<name>value</name>", the value escaped.
void append_element(std::string_view name, std::string_view value, std::string& out);

}  // namespace tpf::pseudonym
