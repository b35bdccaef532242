#pragma once
// The files of the journal's copy: segments named by the number of their first entry, twenty digits and ".jsonl", so
// that their names' order is that of what they hold.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "queue/copy_line.h"

namespace tpf::queue {

[[nodiscard]] std::string segment_name(std::uint64_t first_seq);
/// Names of the segments, in order. No folder: none. Other files are passed over.
[[nodiscard]] Result<std::vector<std::string>> list_segments(FileSystem& fs, const Path& folder);
/// The whole of one.
[[nodiscard]] Result<std::string> read_segment(FileSystem& fs, const Path& file);

/// Where the copy ends, as far as its last segment tells.
struct CopyEnd {
    std::string segment;        ///< the last one that holds anything good; empty: the copy is empty
    std::string good;           ///< its bytes up to the first line that is not whole
    std::uint64_t cut = 0;      ///< bytes after those
    std::uint64_t seq = 0;      ///< of the last line in `good`; 0: the copy is empty
    std::string root;           ///< of the audit log's tree with that entry as its last one
    std::uint64_t highest = 0;  ///< number of the last whole line behind a damaged one; 0: there is none
    struct Unusable {
        std::string segment;
        bool has_lines;  ///< whole ones, behind a damaged one
    };
    std::vector<Unusable> without;  ///< later segments that do not begin with a whole line
};
[[nodiscard]] Result<CopyEnd> find_copy_end(FileSystem& fs, const Path& folder);

/// Reads all lines of all segments, oldest first.
class CopyReader {
  public:
    struct Place {
        std::string segment;
        std::size_t line = 0;  ///< from 1
        bool torn = false;     ///< the last line of the last segment, and without its LF
    };
    [[nodiscard]] static Result<CopyReader> open(FileSystem& fs, const Path& folder);
    /// Goes to the next line. False: there is none. Errors are the disk's, and Code::journal for a line that another
    /// version of this program wrote.
    [[nodiscard]] Result<bool> next();
    /// The line; none: it is damaged, see fault().
    [[nodiscard]] const std::optional<CopyLine>& line() const noexcept { return line_; }
    [[nodiscard]] const std::string& fault() const noexcept { return fault_; }
    [[nodiscard]] const Place& place() const noexcept { return place_; }
    [[nodiscard]] std::string place_text() const;
    /// Segments begun, and how many there are.
    [[nodiscard]] std::pair<std::size_t, std::size_t> progress() const noexcept { return {begun_, names_.size()}; }

  private:
    CopyReader(FileSystem& fs, Path folder, std::vector<std::string> names)
        : fs_(&fs), folder_(std::move(folder)), names_(std::move(names)) {}
    FileSystem* fs_;
    Path folder_;
    std::vector<std::string> names_;
    std::size_t begun_ = 0;
    std::string bytes_;
    std::size_t at_ = 0;
    Place place_;
    std::optional<CopyLine> line_;
    std::string fault_;
};

}  // namespace tpf::queue
