#pragma once
// Reads the outer layer of a submission (formats.md § 2) from a stream: the clear header, what the TPF layer's
// EncryptedData says of itself, and its sealed content as base64 text.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "pseudonym/fields.h"
#include "pseudonym/sealed_data.h"

namespace tpf::pseudonym {

/// Namespace bindings, (prefix, URI), the default first, then sorted by prefix.
using Bindings = std::vector<std::pair<std::string, std::string>>;

/// What the reader tells. An error stops it.
class SubmissionHandler {
  public:
    virtual ~SubmissionHandler() = default;
    /// `bindings`: in scope at the EncryptedData; they hold inside the TPF layer too.
    [[nodiscard]] virtual Status header(const ClearHeader& header, const Bindings& bindings) = 0;
    [[nodiscard]] virtual Status content_begin(const SealedData& sealed) = 0;
    [[nodiscard]] virtual Status content_piece(std::string_view base64) = 0;
    /// Takes what it can of XmlHandler::base64_run.
    [[nodiscard]] virtual Result<std::size_t> content_run(std::string_view bytes) = 0;
    [[nodiscard]] virtual Status content_end() = 0;
};

/// Not thread-safe. Memory bounded by the limits.
class SubmissionReader final : private XmlHandler, private SchemaHandler {
  public:
    SubmissionReader(SubmissionHandler& handler, const XmlLimits& limits, std::size_t leaf_bytes);
    [[nodiscard]] Status feed(std::string_view piece) { return scanner_.feed(piece); }
    [[nodiscard]] Status finish() { return scanner_.finish(); }

  private:
    Status start(const XmlStart& tag) override { return walker_.start(tag); }
    Status end(const XmlEnd& tag) override { return walker_.end(tag); }
    Status text(std::string_view raw, std::string_view value) override { return walker_.text(raw, value); }
    Result<std::size_t> base64_run(std::string_view bytes) override { return walker_.base64_run(bytes); }
    Status enter(int id, const XmlStart& tag) override;
    Status leave(int id) override;
    Status leaf(int id, std::string_view value) override;
    Status stream(int id, std::string_view value) override;
    Result<std::size_t> stream_run(int id, std::string_view bytes) override;
    Status tell_header();

    SubmissionHandler& handler_;
    SchemaWalker walker_;
    XmlScanner scanner_;
    HeaderFields fields_;
    SealedData sealed_;
};

}  // namespace tpf::pseudonym
