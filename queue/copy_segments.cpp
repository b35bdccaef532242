#include "queue/copy_segments.h"

#include <algorithm>

#include "base/encoding.h"

namespace tpf::queue {
namespace {

constexpr std::string_view kSuffix = ".jsonl";
constexpr std::size_t kDigits = 20;
constexpr std::size_t kLargest = std::size_t{256} << 20;  // far above a segment and its last line

bool is_segment(std::string_view name) {
    return name.size() == kDigits + kSuffix.size() && name.ends_with(kSuffix) &&
           std::all_of(name.begin(), name.begin() + kDigits, [](char c) { return c >= '0' && c <= '9'; });
}

/// Looks at a segment's lines: what of it is good, and what still is behind a damaged line.
Result<CopyEnd> end_of(std::string_view bytes) {
    CopyEnd end;
    std::size_t good = 0, last_begin = 0;
    bool whole_so_far = true;
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t lf = bytes.find('\n', at);
        if (lf == bytes.npos) break;
        const std::string_view line = bytes.substr(at, lf - at);
        const bool whole = copy_line_is_whole(line);
        if (whole && whole_so_far) {
            last_begin = at;
            good = lf + 1;
        } else if (whole) {
            TPF_TRY(const CopyLine parsed, parse_copy_line(line));
            end.highest = std::max(end.highest, parsed.seq);
        }
        whole_so_far = whole_so_far && whole;
        at = lf + 1;
    }
    end.cut = bytes.size() - good;
    if (good == 0) return end;
    TPF_TRY(const CopyLine last, parse_copy_line(bytes.substr(last_begin, good - last_begin - 1)));
    end.seq = last.seq;
    end.root = last.root;
    end.good = std::string(bytes.substr(0, good));
    return end;
}

}  // namespace

std::string segment_name(std::uint64_t first_seq) {
    std::string digits = std::to_string(first_seq);
    return std::string(kDigits - digits.size(), '0') + digits + std::string(kSuffix);
}

Result<std::vector<std::string>> list_segments(FileSystem& fs, const Path& folder) {
    auto names = fs.list(folder);
    if (!names && names.error().code() == Code::not_found) return std::vector<std::string>();
    if (!names) return names;
    std::erase_if(names.value(), [](const std::string& name) { return !is_segment(name); });
    return names;
}

Result<std::string> read_segment(FileSystem& fs, const Path& file) {
    TPF_TRY(const FileInfo info, fs.info(file));
    if (info.size > kLargest) return fail(Code::io, file.string() + " is larger than any segment");
    std::string bytes(info.size, '\0');
    TPF_TRY(const auto open, fs.open_read(file));
    TPF_TRY(const std::size_t size, open->read({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()}));
    bytes.resize(size);
    return bytes;
}

Result<CopyEnd> find_copy_end(FileSystem& fs, const Path& folder) {
    TPF_TRY(const auto names, list_segments(fs, folder));
    std::vector<CopyEnd::Unusable> without;
    std::uint64_t highest = 0;
    for (auto name = names.rbegin(); name != names.rend(); ++name) {
        TPF_TRY(const std::string bytes, read_segment(fs, folder / *name));
        TPF_TRY(CopyEnd end, end_of(bytes));
        highest = std::max(highest, end.highest);
        if (end.seq == 0) {
            without.push_back({*name, end.highest != 0});
            continue;
        }
        end.segment = *name;
        end.highest = highest;
        end.without = std::move(without);
        return end;
    }
    CopyEnd none;
    none.highest = highest;
    none.without = std::move(without);
    return none;
}

Result<CopyReader> CopyReader::open(FileSystem& fs, const Path& folder) {
    TPF_TRY(auto names, list_segments(fs, folder));
    return CopyReader(fs, folder, std::move(names));
}

Result<bool> CopyReader::next() {
    line_.reset();
    while (at_ >= bytes_.size()) {
        if (begun_ == names_.size()) return false;
        place_ = {names_[begun_], 0, false};
        TPF_TRY(bytes_, read_segment(*fs_, folder_ / names_[begun_]));
        ++begun_;
        at_ = 0;
    }
    const std::size_t lf = bytes_.find('\n', at_);
    const std::size_t end = lf == bytes_.npos ? bytes_.size() : lf;
    const std::string_view text = std::string_view(bytes_).substr(at_, end - at_);
    ++place_.line;
    place_.torn = lf == bytes_.npos && begun_ == names_.size();
    at_ = end + 1;
    auto line =
        lf == bytes_.npos ? Result<CopyLine>(fail(Code::record_damaged, "a line is cut off")) : parse_copy_line(text);
    if (!line && line.error().code() == Code::journal) return fail(line.error());
    if (line) {
        line_ = std::move(line).value();
    } else {
        fault_ = line.error().detail();
    }
    return true;
}

std::string CopyReader::place_text() const {
    return place_.segment + " line " + std::to_string(place_.line);
}

}  // namespace tpf::queue
