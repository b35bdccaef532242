#pragma once
// The start tags that a scanner has seen before. Documents repeat a few tags with the same bytes millions of times: one
// comparison then stands for reading, checking and resolving.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pseudonym/xml_handler.h"

namespace tpf::pseudonym {

/// A start tag and what was made of it; all views of `tag` are of its own text. Names, limits and syntax hold for
/// every repetition, since the bytes are the same, and so are the bindings that they are resolved with.
struct KnownTag {
    std::uint64_t around;  // the context that it stands in, and that of its content
    std::uint64_t inside;
    std::deque<std::string> text;  // raw first; never moves
    XmlStart tag;
    std::vector<XmlAttribute> attributes;
    std::vector<XmlBinding> declared;
    KnownTag* next = nullptr;  // the start tag that came after it last time
};

/// The first tags of a document, up to limits. What it keeps is wiped when it goes. Not thread-safe.
class KnownTags {
  public:
    KnownTags() = default;
    ~KnownTags();
    KnownTags(const KnownTags&) = delete;
    KnownTags& operator=(const KnownTags&) = delete;

    /// Different start tags that are remembered; of each, up to kMostBytes.
    static constexpr std::size_t kMost = 128;
    static constexpr std::size_t kMostBytes = 512;

    /// The known tag that stands at the front in the same context, or nullptr. A known tag ends with its `>`, so that
    /// no other tag can begin with it. Lives as long as this.
    [[nodiscard]] const KnownTag* find(std::string_view bytes, std::uint64_t context);
    /// Its number, or 0 when there is no room.
    unsigned remember(const XmlStart& tag, std::uint64_t around, std::uint64_t inside);

  private:
    std::vector<std::unique_ptr<KnownTag>> known_;
    std::vector<std::uint64_t> heads_;  // the first 8 bytes of each, to pass over most of them quickly
    KnownTag* last_ = nullptr;          // the start tag before, if it is known
};

}  // namespace tpf::pseudonym
