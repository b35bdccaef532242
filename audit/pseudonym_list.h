#pragma once
// The pseudonym log's files: for one message the pseudonyms of its persons, in order, as records of 20 bytes
// (docs/audit-log.md, "Pseudonym log"). What is true of a message's list is the digest in its newest `pseudonymised`
// entry; a file without such an entry means nothing.

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "base/sha256.h"
#include "base/sqlite.h"
#include "base/types.h"

namespace tpf::audit {

/// The first 20 bytes of the MAC that a pseudonym is. All zero: a person without a pseudonym.
using PseudonymBytes = std::array<std::uint8_t, 20>;
struct Pseudonym {
    unsigned version = 0;
    PseudonymBytes bytes{};
    friend bool operator==(const Pseudonym&, const Pseudonym&) = default;
};
/// "<version>-<32 characters>", in that one form. Code::usage, with a text that does not repeat it.
[[nodiscard]] Result<Pseudonym> parse_pseudonym(std::string_view text);

/// What makes a digest say nothing to those who can guess what was hashed.
using Salt = std::array<std::uint8_t, 32>;
[[nodiscard]] Salt random_salt();

/// What a list is of.
struct ListHeader {
    SpoolId message;
    RegisterName reg;
    std::uint64_t persons = 0;
    std::vector<unsigned> versions{};  ///< 1 to 4, in the order of each person's records
    Salt salt{};  ///< random_salt(): else the digest in the entry would tell whether a guess is a message's one person
    friend bool operator==(const ListHeader&, const ListHeader&) = default;
};
inline constexpr std::size_t kListRecord = 20;
inline constexpr std::size_t kListHeader = 100;

/// Writes one list while its message is read; constant memory. Not thread-safe; `file` outlives it. Nothing is synced.
class ListWriter {
  public:
    explicit ListWriter(File& file) : file_(file) {}
    /// Once, before the first add(). Code::internal: the header cannot be written.
    [[nodiscard]] Status begin(const ListHeader& header);
    /// The next pseudonym: person by person, each in the order of the versions. Code::internal: not that version's.
    [[nodiscard]] Status add(std::string_view pseudonym);
    /// The next person has none.
    [[nodiscard]] Status add_none();
    /// The end mark; the digest of the whole file. Code::internal: not as many records as the header promised.
    [[nodiscard]] Result<Digest> end();

  private:
    [[nodiscard]] Status put(std::span<const std::uint8_t> bytes);
    [[nodiscard]] Status flush();
    File& file_;
    std::vector<std::uint8_t> buffer_{};
    Sha256 digest_{};
    std::vector<unsigned> versions_{};
    std::uint64_t left_ = 0;  // records
    std::size_t next_ = 0;    // version of the next one
};

/// Goes through a list from its beginning. Not thread-safe.
class ListReader {
  public:
    /// Code::not_found; Code::record_damaged: its header or its length is not a list's.
    [[nodiscard]] static Result<ListReader> open(FileSystem& fs, const Path& path);
    [[nodiscard]] const ListHeader& header() const noexcept { return header_; }
    /// All records, to the end mark. `each`: number from 0 (person * versions + version), bytes. Code::record_damaged:
    /// the end mark is missing. The digest is that of the whole file.
    using Each = std::function<void(std::uint64_t number, std::span<const std::uint8_t, kListRecord> bytes)>;
    [[nodiscard]] Result<Digest> read(const Each& each);

  private:
    ListReader(std::unique_ptr<File> file, ListHeader header, std::string first)
        : file_(std::move(file)), header_(std::move(header)), first_(std::move(first)) {}
    std::unique_ptr<File> file_;
    ListHeader header_;
    std::string first_;  // the header's bytes
};
/// SHA-256 of the file as it is, whatever it holds. Code::not_found.
[[nodiscard]] Result<Digest> file_digest(FileSystem& fs, const Path& path);

// --- what the log says of a message's list ---

enum class ListKind {
    no_message,    ///< no pass of it ended well
    not_recorded,  ///< its register has no pseudonym log, or had none then
    kept,
    deleted,
};
struct ListState {
    ListKind kind = ListKind::no_message;
    std::uint64_t seq = 0;  ///< of the entry that says so
    std::string sha256{};   ///< lower-case hex; kept
    std::string reg{};
    std::string versions{};  ///< "2 1"
};
/// By the message's newest entry that concerns its list.
[[nodiscard]] Result<ListState> list_state(sqlite::Database& db, const SpoolId& message);
/// Messages with entries of kind `pseudonymised` among (after, through], each with its list's state where that entry
/// is the one that says so.
struct ListedMessage {
    SpoolId message;
    ListState state;
};
[[nodiscard]] Result<std::vector<ListedMessage>> lists_between(sqlite::Database& db, std::uint64_t after,
                                                               std::uint64_t through);
/// Messages whose list is deleted: none was made again since.
[[nodiscard]] Result<std::vector<SpoolId>> deleted_lists(sqlite::Database& db);
/// Indexes over the entries of deleted lists and of operators' actions, made where they are missing.
[[nodiscard]] Status prepare_lists(sqlite::Database& db);

}  // namespace tpf::audit
