#pragma once
// JSON written by hand where it is written often: one string at a time.

#include <string>
#include <string_view>

namespace tpf::queue {

/// Appends `text` (UTF-8) in quotes, escaped as RFC 8259 asks: quotation mark, backslash and what is below U+0020.
void append_json_text(std::string& out, std::string_view text);

}  // namespace tpf::queue
