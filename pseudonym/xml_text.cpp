#include "pseudonym/xml_text.h"

namespace tpf::pseudonym {

void append_escaped(std::string_view text, std::string& out) {
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            default:
                out += c;
        }
    }
}

void append_element(std::string_view name, std::string_view value, std::string& out) {
    out += '<';
    out += name;
    out += '>';
    append_escaped(value, out);
    out += "</";
    out += name;
    out += '>';
}

}  // namespace tpf::pseudonym
