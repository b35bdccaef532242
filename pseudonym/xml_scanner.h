#pragma once
// A strict streaming scanner for well-formed XML 1.0 with namespaces (Namespaces in XML 1.0), for the subset of
// formats.md § 0. It is a judge, not a repairer: what is not well-formed, not UTF-8 or not in the subset stops it.
// Whatever it accepts, a conforming parser accepts with the same structure and values (held against expat by a fuzzer);
// it accepts less: no DOCTYPE ever, names of ASCII and Latin letters (U+00B7, U+00C0 to U+017E), limits.
//
// It is pushed: feed() it pieces of any size, it calls the handler. Memory is bounded by the limits, whatever the size
// of the document; text is handed over in pieces and never gathered. Each event carries its raw bytes, and the raw
// bytes of all events in order are the document from the root's `<` on.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "pseudonym/known_tags.h"
#include "pseudonym/namespace_scope.h"
#include "pseudonym/xml_handler.h"

namespace tpf::pseudonym {

struct XmlLimits {
    std::size_t depth = 32;         ///< open elements
    std::size_t name_bytes = 256;   ///< a qualified name
    std::size_t attributes = 16;    ///< of one element, namespace declarations included
    std::size_t tag_bytes = 16384;  ///< from `<` to `>`
    std::size_t namespaces = 64;    ///< bindings in scope
};

struct XmlOptions {
    XmlLimits limits;
    /// Comments, CDATA sections and processing instructions are scanned and handed over instead of refused.
    bool extras = false;
    /// The XML declaration may name any encoding (somebody has brought the bytes to UTF-8 already).
    bool any_declared_encoding = false;
    /// Keep line numbers: costs a pass over the bytes.
    bool lines = false;
};

/// Where a start tag and an end tag do not fit. Lines from 1; 0 unless XmlOptions::lines.
struct XmlMismatch {
    std::string start_name;
    std::uint64_t start_line = 0;
    std::string end_name;
    std::uint64_t end_line = 0;
};

/// Errors: not_xml, encoding, not_allowed, truncated, trailing_data, limit, and the handler's own. After an error the
/// scanner is of no further use. Not thread-safe.
class XmlScanner {
  public:
    XmlScanner(XmlHandler& handler, const XmlOptions& options);
    ~XmlScanner();
    XmlScanner(const XmlScanner&) = delete;
    XmlScanner& operator=(const XmlScanner&) = delete;

    /// Before the first feed(): what follows is not a document but the content of an element in which these bindings
    /// (prefix, URI) hold. No byte order mark or declaration; any number of elements; finish() wants all of them
    /// closed.
    void begin_fragment(const std::vector<std::pair<std::string, std::string>>& bindings);
    [[nodiscard]] Status feed(std::string_view piece);
    /// No more bytes: Code::truncated unless the root element was closed.
    [[nodiscard]] Status finish();

    /// The bindings at the current event, inside start() those of the element itself.
    [[nodiscard]] const NamespaceScope& bindings() const noexcept { return scope_; }
    [[nodiscard]] std::size_t depth() const noexcept { return stack_.size(); }
    /// Line of the current event (XmlOptions::lines), from 1.
    [[nodiscard]] std::uint64_t line() const noexcept { return line_; }
    /// Set when the error was an end tag that does not fit.
    [[nodiscard]] const XmlMismatch& mismatch() const noexcept { return mismatch_; }
    /// What the XML declaration said, empty without one.
    [[nodiscard]] const std::string& declared_encoding() const noexcept { return declared_encoding_; }

  private:
    enum class State { beginning, content, comment, cdata, instruction };
    struct Frame {
        std::size_t name_at;    // in names_
        const KnownTag* known;  // has the name, when there is one
        std::size_t bindings;   // size of scope_ before the element
        std::uint64_t context;  // around the element
        std::uint64_t line;
    };
    struct RawAttribute {
        std::string_view qualified;
        std::string_view raw_value;
    };

    Result<std::size_t> process(std::string_view bytes);
    Result<std::size_t> process_beginning(std::string_view bytes);
    Result<std::size_t> process_markup(std::string_view bytes);
    Result<std::size_t> process_text(std::string_view bytes);
    Result<std::size_t> process_reference(std::string_view bytes);
    Result<std::size_t> process_extra(std::string_view bytes);
    Result<std::size_t> process_declaration(std::string_view bytes);
    Status start_tag(std::string_view raw);
    Status start_known(const KnownTag& known, std::string_view raw);
    Status end_tag(std::string_view raw);
    Status close_element(std::string_view raw, std::string_view qualified);
    Status split_attributes(std::string_view text);
    Status declare_namespaces();
    Status resolve_attributes();
    Status push_element(std::string_view qualified);
    Result<XmlName> resolve_name(std::string_view qualified, bool attribute) const;
    Result<std::string_view> attribute_value(std::string_view raw, std::string& store) const;
    Status outside_root(std::string_view text) const;
    std::string_view open_name() const;
    void advance_line(const char* to);

    XmlHandler& handler_;
    XmlOptions options_;
    State state_ = State::beginning;
    bool fragment_ = false;  // stack_[0] stands for the element around the fragment
    bool root_seen_ = false;
    bool bom_seen_ = false;
    unsigned brackets_ = 0;  // "]" at the end of the text so far, for "]]>"
    std::string carry_;      // an unfinished piece of markup, reference or character
    std::string names_;      // qualified names of the open elements, one after the other
    std::vector<Frame> stack_;
    NamespaceScope scope_;
    std::uint64_t context_ = 0;       // a number for the bindings in scope: the same number, the same bindings
    std::uint64_t last_context_ = 0;  // given so far
    KnownTags known_;
    std::vector<RawAttribute> raw_attributes_;
    std::vector<XmlAttribute> attributes_;
    std::vector<std::string> attribute_values_;
    std::vector<XmlBinding> declared_;
    std::string declared_encoding_;
    const char* line_mark_ = nullptr;  // newlines before this byte of the current buffer are counted
    std::uint64_t line_ = 1;
    XmlMismatch mismatch_;
};

}  // namespace tpf::pseudonym
