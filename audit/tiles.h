#pragma once
// The log as static files: C2SP's tlog-tiles (https://c2sp.org/tlog-tiles). A tile of level L and index N has up to 256
// hashes of subtrees of 256^L leaves; an entry bundle up to 256 entries, each behind its length (two bytes,
// big-endian). What is not full yet has its width in its name. Not thread-safe.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/merkle.h"
#include "base/result.h"

namespace tpf::audit {

inline constexpr std::size_t kTileWidth = 256;

/// "tile/0/x001/234", "tile/0/x001/234.p/7".
[[nodiscard]] std::string tile_path(unsigned level, std::uint64_t index, std::size_t width);
/// "tile/entries/x001/234", likewise.
[[nodiscard]] std::string bundle_path(std::uint64_t index, std::size_t width);

/// Where a file's content goes; its errors end the work.
using WriteFile = std::function<Status(const std::string& path, std::string_view content)>;

/// Makes the tiles of leaves that come one after the other; keeps one unfinished tile for each level.
class TileBuilder {
  public:
    explicit TileBuilder(WriteFile write) : write_(std::move(write)) {}
    [[nodiscard]] Status add(const Digest& leaf);
    /// The tiles that are not full; once, at the end.
    [[nodiscard]] Status finish();
    [[nodiscard]] TreeHead head() const { return head_of(range_); }

  private:
    struct Level {
        std::vector<Digest> hashes{};  // fewer than kTileWidth
        std::uint64_t index = 0;       // of the tile that they begin
    };
    WriteFile write_;
    std::vector<Level> levels_;
    CompactRange range_;
};

/// The same for the entries' bytes. Code::limit: an entry longer than 65535 bytes, which no bundle can hold.
class BundleBuilder {
  public:
    explicit BundleBuilder(WriteFile write) : write_(std::move(write)) {}
    [[nodiscard]] Status add(std::string_view entry);
    [[nodiscard]] Status finish();

  private:
    WriteFile write_;
    std::string bundle_;
    std::size_t width_ = 0;
    std::uint64_t index_ = 0;
};

}  // namespace tpf::audit
