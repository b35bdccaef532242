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
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

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
    /// bindings around it. 0: not remembered. At most XmlScanner::kRemembered.
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

    /// Bindings in scope at the current event, each prefix once, innermost wins, undeclared ones left out; sorted with
    /// the default first, then by prefix. For use inside start().
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> bindings_in_scope() const;
    /// The URI that `prefix` is bound to at the current event; empty when it is not.
    [[nodiscard]] std::string_view resolve(std::string_view prefix) const;
    [[nodiscard]] std::size_t depth() const noexcept { return stack_.size(); }
    /// Line of the current event (XmlOptions::lines), from 1.
    [[nodiscard]] std::uint64_t line() const noexcept { return line_; }
    /// Set when the error was an end tag that does not fit.
    [[nodiscard]] const XmlMismatch& mismatch() const noexcept { return mismatch_; }
    /// What the XML declaration said, empty without one.
    [[nodiscard]] const std::string& declared_encoding() const noexcept { return declared_encoding_; }

    /// Different start tags that are remembered, the first ones of the document; of each, up to kRememberedBytes.
    static constexpr std::size_t kRemembered = 128;
    static constexpr std::size_t kRememberedBytes = 512;

  private:
    enum class State { beginning, content, comment, cdata, instruction };
    struct KnownTag;
    struct Frame {
        std::size_t name_at;    // in names_
        const KnownTag* known;  // has the name, when there is one
        std::size_t bindings;   // bindings_count_ before the element
        std::uint64_t context;  // around the element
        std::uint64_t line;
    };
    struct Binding {
        std::string prefix;
        std::string uri;
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
    const KnownTag* find_known(std::string_view bytes);
    Status start_known(const KnownTag& known, std::string_view raw);
    unsigned remember(const XmlStart& tag, std::uint64_t around);
    void bind(std::string_view prefix, std::string_view uri);
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
    std::vector<Binding> bindings_;  // kept beyond bindings_count_ to reuse their memory
    std::size_t bindings_count_ = 0;
    std::uint64_t context_ = 0;       // a number for the bindings in scope: the same number, the same bindings
    std::uint64_t last_context_ = 0;  // given so far
    std::vector<std::unique_ptr<KnownTag>> known_;
    std::vector<std::uint64_t> known_heads_;  // the first 8 bytes of each, to pass over most of them quickly
    KnownTag* last_known_ = nullptr;          // the start tag before, if it is known
    std::vector<RawAttribute> raw_attributes_;
    std::vector<XmlAttribute> attributes_;
    std::vector<std::string> attribute_values_;
    std::vector<XmlBinding> declared_;
    std::string declared_encoding_;
    const char* line_mark_ = nullptr;  // newlines before this byte of the current buffer are counted
    std::uint64_t line_ = 1;
    XmlMismatch mismatch_;
};

/// Whether the text is only space, tab, CR, LF.
[[nodiscard]] bool is_xml_space(std::string_view text) noexcept;
/// Without XML white space at both ends.
[[nodiscard]] std::string_view trim_xml_space(std::string_view text) noexcept;

}  // namespace tpf::pseudonym
