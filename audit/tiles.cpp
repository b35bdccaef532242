#include "audit/tiles.h"

#include <cstdio>

#include "base/encoding.h"

namespace tpf::audit {
namespace {

/// 1234067 as "x001/x234/067".
std::string index_path(std::uint64_t index, std::size_t width) {
    char part[8] = {};
    std::snprintf(part, sizeof part, "%03u", static_cast<unsigned>(index % 1000));
    std::string path = part;
    while (index >= 1000) {
        index /= 1000;
        std::snprintf(part, sizeof part, "x%03u", static_cast<unsigned>(index % 1000));
        path.insert(0, std::string(part) + "/");
    }
    return width == kTileWidth ? path : path + ".p/" + std::to_string(width);
}

std::string bytes_of(const std::vector<Digest>& hashes) {
    std::string all;
    for (const Digest& hash : hashes) all.append(as_text(hash));
    return all;
}

Digest root_over(const std::vector<Digest>& hashes) {
    CompactRange range;
    for (const Digest& hash : hashes) append(range, hash);
    return root_of(range);
}

}  // namespace

std::string tile_path(unsigned level, std::uint64_t index, std::size_t width) {
    return "tile/" + std::to_string(level) + "/" + index_path(index, width);
}

std::string bundle_path(std::uint64_t index, std::size_t width) {
    return "tile/entries/" + index_path(index, width);
}

Status TileBuilder::add(const Digest& leaf) {
    append(range_, leaf);
    Digest hash = leaf;
    for (unsigned at = 0;; ++at) {
        if (at == levels_.size()) levels_.emplace_back();
        Level& level = levels_[at];
        level.hashes.push_back(hash);
        if (level.hashes.size() < kTileWidth) return ok();
        TPF_TRY(write_(tile_path(at, level.index, kTileWidth), bytes_of(level.hashes)));
        hash = root_over(level.hashes);
        level.hashes.clear();
        ++level.index;
    }
}

Status TileBuilder::finish() {
    for (unsigned at = 0; at < levels_.size(); ++at) {
        const Level& level = levels_[at];
        if (level.hashes.empty()) continue;
        TPF_TRY(write_(tile_path(at, level.index, level.hashes.size()), bytes_of(level.hashes)));
    }
    return ok();
}

Status BundleBuilder::add(std::string_view entry) {
    if (entry.size() > 0xffff) return fail(Code::limit, "an entry that is too long for a bundle");
    bundle_.push_back(static_cast<char>(entry.size() >> 8U));
    bundle_.push_back(static_cast<char>(entry.size() & 0xffU));
    bundle_.append(entry);
    if (++width_ < kTileWidth) return ok();
    TPF_TRY(write_(bundle_path(index_, width_), bundle_));
    bundle_.clear();
    width_ = 0;
    ++index_;
    return ok();
}

Status BundleBuilder::finish() {
    return width_ == 0 ? ok() : write_(bundle_path(index_, width_), bundle_);
}

}  // namespace tpf::audit
