#pragma once
// Reads an export file (formats.md § 1) in pieces: finds its encoding, brings it to UTF-8, holds it against the format
// and hands over one person after the other. Memory is bounded by the largest person allowed. Its errors are the
// sender's texts (sender_error.h).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/transcode.h"
#include "krypteringsmodul/export_header.h"
#include "krypteringsmodul/own_number.h"
#include "krypteringsmodul/person_index.h"
#include "pseudonym/xml_scanner.h"

namespace tpf::krypteringsmodul {

/// One person, in UTF-8.
struct ExportPerson {
    std::string number;   ///< the trimmed value of Fodselsnummer, at most 32 characters; may be empty
    std::string content;  ///< everything between </Fodselsnummer> and </Person>, as it stood
};

/// Who takes the persons. An error stops the reading and is returned as it is.
class PersonSink {
  public:
    virtual ~PersonSink() = default;
    /// Once, before the first person (or at the end of a file without persons).
    [[nodiscard]] virtual Status header(const ExportHeader& header) = 0;
    /// `person` may be moved from.
    [[nodiscard]] virtual Status person(ExportPerson& person) = 0;
};

struct ReadOptions {
    /// Hand over each person's content; without it `content` stays empty, which is enough to validate and count.
    bool contents = true;
    /// Look for each person's own number in the content.
    bool search_numbers = true;
    /// Notes where each person lies, for a second reading of the same bytes.
    PersonIndex* note = nullptr;
    /// The second reading: persons are cut out where the first one found them. Only for bytes that are known, or will
    /// be found, to be the same; the header is not handed over again, and nothing is checked.
    const PersonIndex* follow = nullptr;
    /// The most bytes of one person's content.
    std::size_t max_person_bytes = std::size_t{64} << 20;
    /// The most bytes of one tag. The scanner reserves as much, so that a fuzzer wants less.
    std::size_t max_tag_bytes = std::size_t{1} << 20;
};

/// Pushed: feed() pieces of any size, then finish(). After an error it is of no further use. Not thread-safe.
class ExportReader final : private pseudonym::XmlHandler {
  public:
    ExportReader(PersonSink& sink, const ReadOptions& options);
    /// The file's bytes, in whatever of the known encodings.
    [[nodiscard]] Status feed(std::string_view bytes);
    [[nodiscard]] Status finish();
    [[nodiscard]] std::uint64_t persons() const noexcept { return persons_; }

  private:
    enum class State { outside, root, group, leaf, unknown, person, number, content };

    Status begin();
    Status choose_encoding(const BomInfo& bom, const std::string& declared);
    Status decode(std::string_view bytes);
    Status take(std::string_view utf8);
    Status wrong_characters() const;
    Status scan(std::string_view utf8);
    Error explain(const Error& error) const;

    Status start(const pseudonym::XmlStart& tag) override;
    Status end(const pseudonym::XmlEnd& tag) override;
    Status text(std::string_view raw, std::string_view value) override;
    Status extra(std::string_view raw, std::string_view value) override;

    Status start_event(const pseudonym::XmlStart& tag);
    Status end_event(const pseudonym::XmlEnd& tag);
    Status start_root(const pseudonym::XmlStart& tag);
    Status start_in_header(const pseudonym::XmlStart& tag);
    Status start_person(const pseudonym::XmlStart& tag);
    Status start_number(const pseudonym::XmlStart& tag);
    Status start_in_content(const pseudonym::XmlStart& tag);
    Status check_prefixes(const pseudonym::XmlStart& tag);
    Status value(std::string_view raw, std::string_view value);
    Status append_content(std::string_view raw);
    Status end_number(std::uint64_t content_at);
    Status end_person();
    Status finish_header();
    Status stop(Error error);
    std::string here() const;  // the line of the tag that is looked at
    std::string near() const;  // the line of the last tag

    PersonSink& sink_;
    ReadOptions options_;
    pseudonym::XmlScanner scanner_;

    std::string head_;  // the first bytes, until the encoding is known
    bool begun_ = false;
    std::optional<Transcoder> transcoder_;  // none: the file is UTF-8, which the scanner checks itself
    std::string utf8_;

    State state_ = State::outside;
    std::size_t parent_ = HeaderFields::kTop;  // the group that is open
    std::size_t field_ = 0;                    // the leaf that is open
    std::size_t depth_ = 0;                    // elements open inside an unknown one, or in a person's content
    HeaderFields fields_;
    bool header_done_ = false;
    bool stopped_here_ = false;  // the error is ours, in the sender's words already
    std::string leaf_;
    std::uint64_t persons_ = 0;
    std::uint64_t position_ = 0;   // of the current event, in UTF-8, from the root's '<'
    std::uint64_t number_at_ = 0;  // of the number's text
    bool number_plain_ = false;    // it stands there as it is meant, in one piece
    std::optional<PersonCutter> cutter_;
    ExportPerson person_;
    std::size_t content_size_ = 0;
    std::uint64_t person_line_ = 0;
    OwnNumberSearch in_values_;  // what the content means: text and attribute values, whatever stands between them
    OwnNumberSearch in_raw_;     // what stands there: comments and names too
    std::vector<std::string> outer_prefixes_;                        // bound on IPLOS
    std::vector<std::pair<std::size_t, std::string>> own_prefixes_;  // bound inside the person: depth, prefix
};

}  // namespace tpf::krypteringsmodul
