#pragma once
// Formats as data: a tree of elements, what each may hold, and a walker that holds a document against it while it is
// scanned. What the tree does not name stops the document. The formats themselves: formats_schema.h.

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "pseudonym/xml_scanner.h"

namespace tpf::pseudonym {

/// One attribute without namespace. `values`: what it may say; empty: anything.
struct AttributeRule {
    std::string_view name;
    bool required = false;
    std::span<const std::string_view> values = {};
};

/// One element of a format. Static data.
struct ElementRule {
    enum class Content {
        children,  ///< elements in the order given, white space between them
        leaf,      ///< one short value, handed over trimmed
        stream,    ///< character data of any length, handed over in pieces
        empty,     ///< nothing but white space
    };
    enum class Occurs { once, optional, any_number };

    int id;
    std::string_view uri;
    std::string_view local;
    Content content;
    Occurs occurs = Occurs::once;
    std::span<const ElementRule> children = {};
    std::span<const AttributeRule> attributes = {};
    Code missing = Code::header;       ///< this element is absent, repeated or out of order
    Code foreign = Code::not_allowed;  ///< something in it that the rule does not name
    std::string_view path = {};        ///< how errors name it
};

/// What the walker tells of a document that fits so far. An error stops it.
class SchemaHandler {
  public:
    virtual ~SchemaHandler() = default;
    [[nodiscard]] virtual Status enter(int id, const XmlStart& tag) = 0;
    [[nodiscard]] virtual Status leave(int id) = 0;
    /// The trimmed value; dies with the call and is wiped after it.
    [[nodiscard]] virtual Status leaf(int id, std::string_view value) = 0;
    [[nodiscard]] virtual Status stream(int id, std::string_view value) = 0;
    /// XmlHandler::base64_run inside a stream.
    [[nodiscard]] virtual Result<std::size_t> stream_run(int id, std::string_view bytes);
};

/// Walks one document along `roots` (one root element, or a sequence of top elements where the scanner was given a
/// wrapper). Used as the scanner's handler, or from within one. Not thread-safe. Leaf values are kept in memory that is
/// wiped.
class SchemaWalker final : public XmlHandler {
  public:
    /// `leaf_bytes`: the most that a leaf may hold before trimming; more is Code::limit.
    /// `foreign`: the code for something at the top that the roots do not name.
    SchemaWalker(std::span<const ElementRule> roots, SchemaHandler& handler, std::size_t leaf_bytes, Code foreign);
    ~SchemaWalker() override;
    SchemaWalker(const SchemaWalker&) = delete;
    SchemaWalker& operator=(const SchemaWalker&) = delete;
    [[nodiscard]] Status start(const XmlStart& tag) override;
    [[nodiscard]] Status end(const XmlEnd& tag) override;
    [[nodiscard]] Status text(std::string_view raw, std::string_view value) override;
    [[nodiscard]] Result<std::size_t> base64_run(std::string_view bytes) override;
    /// All required top elements were there. For sequences without a wrapper.
    [[nodiscard]] Status finish();

  private:
    struct Level {
        const ElementRule* rule;  // nullptr at the top
        std::span<const ElementRule> children;
        std::size_t next = 0;  // index of the first child that may still come
    };
    /// What a tag that the scanner knows again has been, in the last two places where it stood.
    using Known = std::array<const ElementRule*, 2>;
    Result<const ElementRule*> match(const XmlStart& tag);
    const ElementRule* match_known(unsigned known);
    Status check_attributes(const ElementRule& rule, const XmlStart& tag) const;
    Status check_complete(const Level& level) const;

    [[nodiscard]] Code foreign_here() const;

    SchemaHandler& handler_;
    std::size_t leaf_bytes_;
    Code foreign_;
    std::vector<Level> levels_;
    std::array<Known, KnownTags::kMost + 1> known_{};
    std::string leaf_;
};

}  // namespace tpf::pseudonym
