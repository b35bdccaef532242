#pragma once
// What the scanner (xml_scanner.h) tells of a document, and whom.

#include <cstddef>
#include <span>
#include <string_view>

#include "base/result.h"

namespace tpf::pseudonym {

/// A resolved name. Views live as long as the event.
struct XmlName {
    std::string_view uri;  ///< empty: no namespace
    std::string_view local;
    std::string_view qualified;  ///< as written
};

struct XmlAttribute {
    XmlName name;
    std::string_view value;  ///< references resolved, white space normalised (XML 1.0 § 3.3.3, CDATA)
};

struct XmlBinding {
    std::string_view prefix;  ///< empty: the default namespace
    std::string_view uri;     ///< empty: undeclared (default namespace only)
};

struct XmlStart {
    XmlName name;
    std::span<const XmlAttribute> attributes;  ///< without namespace declarations
    std::span<const XmlBinding> declared;      ///< this element's namespace declarations, as ordered in the tag
    std::string_view raw;                      ///< from `<` to `>`
    bool empty = false;                        ///< `<a/>`: an end event with empty raw follows
    /// From 1: the scanner remembers this tag, and gives the same number to each that has the same bytes and the same
    /// bindings around it. 0: not remembered. At most KnownTags::kMost.
    unsigned known = 0;
};

struct XmlEnd {
    std::string_view qualified;
    std::string_view raw;
};

/// What the scanner calls; an error stops the scan and is returned by feed(). All views die with the call.
class XmlHandler {
  public:
    virtual ~XmlHandler() = default;
    [[nodiscard]] virtual Status start(const XmlStart& tag) = 0;
    [[nodiscard]] virtual Status end(const XmlEnd& tag) = 0;
    /// A piece of character data. `value` is what it means: the same bytes, or what one reference stands for. A
    /// character is never split over two pieces. Line ends are as they stand.
    [[nodiscard]] virtual Status text(std::string_view raw, std::string_view value) = 0;
    /// Asked first where character data goes on: how many bytes at the front of `bytes` are letters of ASCII, digits,
    /// '+' or '/', and have been taken as text() would have. The scanner does not look at them again: such characters
    /// mean themselves. So long base64 is gone through once. 0: text() takes it.
    [[nodiscard]] virtual Result<std::size_t> base64_run(std::string_view bytes);
    /// A piece of a comment or processing instruction (value empty) or CDATA section (value: its content). Only with
    /// XmlOptions::extras.
    [[nodiscard]] virtual Status extra(std::string_view raw, std::string_view value);
};

}  // namespace tpf::pseudonym
