#include "daemon/ctl_archive_verify.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "audit/segments.h"
#include "base/encoding.h"
#include "daemon/archive_files.h"
#include "daemon/audit_keys.h"
#include "daemon/ctl_print.h"
#include "daemon/ctl_progress.h"

namespace tpf::daemon {
namespace {

constexpr std::size_t kMaxNote = std::size_t{1} << 20;
constexpr std::size_t kMaxLine = std::size_t{1} << 20;

/// A folder, and what it says that it is.
struct Found {
    Path folder;
    Result<audit::SegmentHeader> header;
    /// Of a header that is none nothing.
    [[nodiscard]] audit::Segment segment() const { return header ? header.value().segment : audit::Segment(); }
};

Result<std::string> small_file(const Path& path) {
    auto text = read_small(posix_file_system(), path, kMaxNote);
    if (!text && text.error().code() == Code::not_found)
        return fail(Code::evidence, path.filename().string() + " is missing");
    return text;
}

Found look_into(const Path& folder) {
    const auto text = small_file(folder / kArchiveHeader);
    if (!text) return {folder, fail(text.error())};
    return {folder, audit::SegmentHeader::parse(text.value())};
}

/// `root` itself, or the folders in it that are called like one or have a header. Others, like lost+found, are none.
Result<std::vector<Found>> segments_in(const Path& root) {
    FileSystem& fs = posix_file_system();
    std::vector<Found> found;
    if (fs.info(root / kArchiveHeader)) {
        found.push_back(look_into(root));
        return found;
    }
    auto names = fs.list(root);
    if (!names && names.error().code() == Code::not_found) return fail(Code::usage, root.string() + ": no such folder");
    if (!names) return fail(names.error());
    for (const std::string& name : names.value()) {
        const bool called_so = name.find('-') == 4 && name.find_first_not_of("0123456789-") == std::string::npos;
        const bool has_header = !name.starts_with(".") && fs.info(root / name / kArchiveHeader);
        if (called_so || has_header) found.push_back(look_into(root / name));
    }
    if (found.empty()) return fail(Code::usage, root.string() + " holds no segment of a log");
    std::stable_sort(found.begin(), found.end(),
                     [](const Found& a, const Found& b) { return a.segment().first < b.segment().first; });
    return found;
}

/// Lines of a regular file, none longer than `most`; nothing else is opened, and nothing is followed.
class Lines {
  public:
    static Result<Lines> open(const Path& path, std::size_t most) {
        auto file = posix_file_system().open_read(path);
        if (!file) return fail(Code::evidence, path.filename().string() + " cannot be read");
        return Lines(std::move(file).value(), most);
    }
    /// The next one, without its LF; none at the end. Code::evidence: too long, or cut off.
    Result<std::optional<std::string_view>> next() {
        while (true) {
            const auto end = buffer_.find('\n', at_);
            if (end != std::string::npos) {
                const std::string_view line = std::string_view(buffer_).substr(at_, end - at_);
                at_ = end + 1;
                return std::optional(line);
            }
            buffer_.erase(0, std::exchange(at_, 0));
            if (buffer_.size() > most_) return fail(Code::evidence, "an entry of more than 1 MiB");
            const std::size_t had = buffer_.size();
            buffer_.resize(had + kBlock);
            TPF_TRY(const std::size_t got,
                    file_->read({reinterpret_cast<std::uint8_t*>(buffer_.data()) + had, kBlock}));
            buffer_.resize(had + got);
            if (got != 0) continue;
            if (had != 0) return fail(Code::evidence, "its last entry is cut off");
            return std::optional<std::string_view>();
        }
    }

  private:
    Lines(std::unique_ptr<File> file, std::size_t most) : file_(std::move(file)), most_(most) {}
    static constexpr std::size_t kBlock = std::size_t{1} << 18;
    std::unique_ptr<File> file_;
    std::size_t most_;
    std::string buffer_;
    std::size_t at_ = 0;
};

Result<TreeHead> walk_entries(audit::SegmentWalk& walk, const Path& folder, const audit::SegmentHeader& header,
                              const ShowProgress& progress) {
    TPF_TRY(auto lines, Lines::open(folder / kArchiveEntries, kMaxLine));
    for (std::uint64_t done = 0;; ++done) {
        TPF_TRY(const auto line, lines.next());
        if (!line) return walk.end();
        TPF_TRY(walk.take(*line));
        if (progress && done % 100'000 == 0)
            progress({{"part", "year " + std::to_string(header.segment.year)},
                      {"done", done},
                      {"of", header.segment.last - header.segment.first + 1}});
    }
}

/// Who cosigned a later checkpoint of the same log, by one of the keys given under that name.
Result<Json> cosigners(const Path& folder, const audit::SegmentHeader& header, const TreeHead& head,
                       const audit::LogKeys& log, const std::vector<audit::NoteKey>& witnesses) {
    std::map<std::string, std::vector<audit::NoteKey>> by_name;
    for (const audit::NoteKey& key : witnesses) by_name[key.name()].push_back(key);
    Json list = Json::array();
    for (const auto& [name, keys] : by_name) {
        const Path path = folder / kArchiveCosigned / witness_file(name);
        if (!posix_file_system().info(path)) continue;
        TPF_TRY(const std::string text, small_file(path));
        TPF_TRY(const audit::Offer offer, audit::parse_offer(text));
        TPF_TRY(const auto opened, audit::open_note(offer.note, log, keys, NoteVerifier()));
        const bool follows = opened.checkpoint.origin == header.origin && offer.old_size == head.size &&
                             audit::verify_consistency(head, opened.checkpoint.head, offer.proof);
        if (!follows) return fail(Code::evidence, "what " + name + " cosigned does not begin with this segment");
        list.push_back({{"witness", name}, {"at", format_utc(opened.cosigned_at.value_or(UtcTime()))}});
    }
    if (!witnesses.empty() && list.empty()) return fail(Code::evidence, "no such witness has cosigned it");
    return list;
}

Json told_origins(const std::vector<audit::OriginChange>& changes) {
    Json list = Json::array();
    for (const audit::OriginChange& change : changes)
        list.push_back({{"entry", change.seq},
                        {"at", format_utc(change.at)},
                        {"origin", change.origin},
                        {"previous", change.previous},
                        {"reason", change.reason}});
    return list;
}

Result<Json> judge(const Found& one, const audit::LogKeys& log, const std::vector<audit::NoteKey>& witnesses,
                   const ShowProgress& progress) {
    TPF_TRY(const audit::SegmentHeader header, one.header);
    audit::SegmentWalk walk(header);
    TPF_TRY(const TreeHead head, walk_entries(walk, one.folder, header, progress));
    TPF_TRY(const std::string note, small_file(one.folder / kArchiveCheckpoint));
    TPF_TRY(const auto opened, audit::open_note(note, log, {}, NoteVerifier()));
    if (opened.checkpoint.origin != header.origin || opened.checkpoint.head != head)
        return fail(Code::evidence, "the entries are not those that its checkpoint stands for");
    TPF_TRY(auto cosigned, cosigners(one.folder, header, head, log, witnesses));
    return Json{{"good", true},
                {"origin", header.origin},
                {"root", base64(head.root)},
                {"before", base64(audit::head_of(header.before).root)},
                {"origins", told_origins(walk.origins())},
                {"cosigned_by", std::move(cosigned)}};
}

/// Texts in quotes as JSON has them: an entry of a stranger's log may hold control characters.
std::string new_name(const Json& change) {
    std::string line = "  entry " + std::to_string(change.value("entry", std::uint64_t{0})) + ", " +
                       change.value("at", "") + ": the log is called " + change["origin"].dump();
    if (!change.value("previous", "").empty()) line += ", before that " + change["previous"].dump();
    if (!change.value("reason", "").empty()) line += "; reason: " + change["reason"].dump();
    return line + "\n";
}

std::string print_archive(const Json& result) {
    std::ostringstream out;
    std::string origin;
    for (const Json& one : result["segments"]) {
        if (one.value("origin", origin) != origin) {
            origin = one.value("origin", "");
            out << "log        " << origin << "\n";
        }
        out << one.value("folder", "") << "  entries " << one.value("first", std::uint64_t{0}) << " to "
            << one.value("last", std::uint64_t{0}) << ": ";
        if (!one.value("good", false)) {
            out << "WRONG: " << one.value("fault", "") << "\n";
            continue;
        }
        out << "good";
        for (const Json& who : one["cosigned_by"])
            out << ", cosigned by " << who.value("witness", "") << " at " << who.value("at", "");
        out << "\n";
        for (const Json& change : one["origins"]) out << new_name(change);
    }
    for (const Json& gap : result["gaps"]) out << "NOT HERE: " << gap.get<std::string>() << "\n";
    return out.str();
}

/// What follows on one another must be one log: a segment's tree begins with what the one before it ended with, and
/// where it has another origin, an entry of it says so. What is missing between two leaves open whether they are; what
/// is missing before the first one does not.
Json judge_all(const std::vector<Found>& all, const audit::LogKeys& log, const std::vector<audit::NoteKey>& witnesses,
               const ShowProgress& progress) {
    Json json{{"good", true}, {"segments", Json::array()}, {"gaps", Json::array()}};
    std::uint64_t end = 0;
    std::string root;
    std::string origin;
    for (const Found& one : all) {
        const auto [year, first, last] = one.segment();
        const auto judged = judge(one, log, witnesses, progress);
        Json told = judged ? judged.value() : Json{{"good", false}, {"fault", judged.error().detail()}};
        told["folder"] = one.folder.filename().string();
        told["year"] = year;
        told["first"] = first;
        told["last"] = last;
        // A segment that is bad itself says nothing about the next one.
        const bool neighbours = judged && first == end + 1 && !root.empty();
        std::string fault;
        if (first != 0 && first <= end) {
            fault = "its entries are in the segment before it too";
        } else if (neighbours && told.value("before", "") != root) {
            fault = "it does not follow from the segment before it";
        } else if (neighbours && told.value("origin", "") != origin && told["origins"].empty()) {
            fault = "it has another origin than the segment before it, and no entry says so";
        }
        if (judged && !fault.empty()) {
            told["good"] = false;
            told["fault"] = fault;
        }
        if (first > end + 1) {
            json["gaps"].push_back("entries " + std::to_string(end + 1) + " to " + std::to_string(first - 1));
            if (end != 0) json["good"] = false;
        }
        if (!told.value("good", false)) json["good"] = false;
        root = told.value("root", "");
        origin = told.value("origin", "");
        end = std::max(end, last);
        json["segments"].push_back(std::move(told));
    }
    return json;
}

}  // namespace

int verify_archive(Ctl& ctl, const audit::LogKeys& log, const std::vector<audit::NoteKey>& witnesses) {
    const auto found = segments_in(ctl.out);
    if (!found) return show_error(ctl, found.error());
    const Json json = judge_all(found.value(), log, witnesses, progress_line());
    end_progress_line();
    std::cout << (ctl.json ? Json{{"result", json}}.dump() + "\n" : print_archive(json));
    return json.value("good", false) ? 0 : 1;
}

}  // namespace tpf::daemon
