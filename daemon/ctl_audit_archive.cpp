#include "daemon/ctl_audit_archive.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>

#include "audit/note.h"
#include "audit/segments.h"
#include "daemon/archive_files.h"
#include "daemon/ctl_print.h"
#include "daemon/ctl_progress.h"

namespace tpf::daemon {
namespace {

constexpr std::size_t kMaxHeader = 65536;

std::string folder_name(const audit::Segment& segment) {
    return std::to_string(segment.year) + "-" + std::to_string(segment.last);
}

audit::Segment segment_of(const Json& json) {
    return {json.value("year", 0), json.value("first", std::uint64_t{0}), json.value("last", std::uint64_t{0})};
}

class Archive {
  public:
    Archive(const Ctl& ctl, ShowProgress progress) : ctl_(ctl), progress_(std::move(progress)) {}

    Result<ControlAnswer> run() {
        TPF_TRY(ControlAnswer answer, ask(ctl_, "audit segments"));
        Json made = Json::array();
        Json there = Json::array();
        std::error_code error;
        std::filesystem::create_directories(ctl_.out, error);
        if (error) return fail(Code::io, ctl_.out + ": " + error.message());
        std::vector<audit::Segment> closed;
        for (const Json& one : answer.result.value("segments", Json::array())) closed.push_back(segment_of(one));
        TPF_TRY(refuse_strangers(closed));
        for (const audit::Segment& segment : closed) {
            TPF_TRY(const Facts facts, facts_of(segment));
            const Path place = Path(ctl_.out) / folder_name(segment);
            const bool known = fs_.info(place).has_value();
            (known ? there : made).push_back(folder_name(segment));
            if (known) {
                TPF_TRY(complete(place, facts));
            } else {
                TPF_TRY(make(place, facts));
            }
        }
        answer.result = {{"folder", ctl_.out}, {"archived", std::move(made)}, {"there already", std::move(there)}};
        return answer;
    }

  private:
    /// What stands beside a segment's entries.
    struct Facts {
        audit::SegmentHeader header;
        std::string checkpoint;
        std::map<std::string, std::string> cosigned;  // file, request
    };

    Result<Facts> facts_of(const audit::Segment& segment) {
        Ctl order = ctl_;
        order.args = {{"last", segment.last}};
        TPF_TRY(const auto answer, ask(order, "audit segment"));
        Facts facts;
        TPF_TRY(facts.header, audit::SegmentHeader::parse(answer.result.value("header", "")));
        facts.checkpoint = answer.result.value("checkpoint", "");
        for (const Json& one : answer.result.value("cosigned", Json::array()))
            facts.cosigned.emplace(witness_file(one.value("witness", "")), one.value("offer", ""));
        return facts;
    }

    /// Every segment in the folder must be one of this log's: two histories side by side would be no archive.
    Status refuse_strangers(const std::vector<audit::Segment>& closed) {
        TPF_TRY(const auto names, fs_.list(ctl_.out));
        for (const std::string& name : names) {
            const Path place = Path(ctl_.out) / name;
            if (name.starts_with(".") || !fs_.info(place / kArchiveHeader)) continue;
            const bool ours = std::any_of(closed.begin(), closed.end(),
                                          [&](const audit::Segment& one) { return folder_name(one) == name; });
            if (!ours) return another_log(place);
        }
        return ok();
    }

    static Failure another_log(const Path& place) {
        return fail(Code::evidence, place.string() + " is of another log, or of this one under another origin",
                    "archive into a new folder; keep the old one: it is evidence");
    }

    /// One that is there must be of this log; what was cosigned since is added.
    Status complete(const Path& place, const Facts& facts) {
        TPF_TRY(const std::string header, read_small(fs_, place / kArchiveHeader, kMaxHeader));
        if (header != facts.header.str()) return another_log(place);
        for (const auto& [file, request] : facts.cosigned) {
            const Path path = place / kArchiveCosigned / file;
            if (fs_.info(path)) continue;
            TPF_TRY(write_atomically(fs_, path, request, 0600));
        }
        return ok();
    }

    /// Beside, synced, then moved to its name: a segment that is there is whole.
    Status make(const Path& place, const Facts& facts) {
        const Path work = Path(ctl_.out) / ("." + place.filename().native() + ".tmp");
        TPF_TRY(fs_.remove_tree(work));
        TPF_TRY(fs_.make_folder(work, 0700));
        TPF_TRY(const TreeHead head, write_entries(work / kArchiveEntries, facts.header));
        TPF_TRY(const auto note, audit::SignedNote::parse(facts.checkpoint));
        TPF_TRY(const auto checkpoint, audit::Checkpoint::parse(note.text));
        if (checkpoint.head != head)
            return fail(Code::evidence, "the entries do not have the root of the log's own checkpoint",
                        "`tpfctl audit verify`");
        TPF_TRY(write_new(fs_, work / kArchiveHeader, facts.header.str(), 0600));
        TPF_TRY(write_new(fs_, work / kArchiveCheckpoint, facts.checkpoint, 0600));
        TPF_TRY(fs_.make_folder(work / kArchiveCosigned, 0700));
        for (const auto& [file, request] : facts.cosigned) {
            TPF_TRY(write_new(fs_, work / kArchiveCosigned / file, request, 0600));
        }
        TPF_TRY(fs_.sync_folder(work / kArchiveCosigned));
        TPF_TRY(fs_.sync_folder(work));
        TPF_TRY(fs_.rename(work, place));
        return fs_.sync_folder(ctl_.out);
    }

    Result<TreeHead> write_entries(const Path& path, const audit::SegmentHeader& header) {
        Ctl begin = ctl_;
        begin.args = {{"last", header.segment.last}, {"reason", ctl_.args.value("reason", "")}};
        TPF_TRY(const auto begun, ask(begin, "audit archive"));
        const std::string reading = begun.result.value("reading", "");
        audit::SegmentWalk walk(header);
        TPF_TRY(const auto file, fs_.create(path, 0600));
        std::uint64_t after = header.segment.first - 1;
        while (after < header.segment.last) {
            Ctl order = ctl_;
            order.args = {{"reading", reading}, {"after", after}};
            TPF_TRY(const auto page, ask(order, "audit archive"));
            std::string lines;
            for (const Json& entry : page.result.value("entries", Json::array())) {
                TPF_TRY(walk.take(entry.get_ref<const std::string&>()));
                lines += entry.get_ref<const std::string&>() + "\n";
                ++after;
            }
            if (lines.empty()) break;
            TPF_TRY(file->write({reinterpret_cast<const std::uint8_t*>(lines.data()), lines.size()}));
            if (progress_)
                progress_({{"part", "year " + std::to_string(header.segment.year)},
                           {"done", after},
                           {"of", header.segment.last}});
        }
        TPF_TRY(file->sync());
        return walk.end();
    }

    const Ctl& ctl_;
    ShowProgress progress_;
    FileSystem& fs_ = posix_file_system();
};

int archive(Ctl& ctl) {
    const auto answer = Archive(ctl, progress_line()).run();
    end_progress_line();
    if (!answer) return show_error(ctl, answer.error());
    show(ctl, answer.value(), print_plain);
    return 0;
}

std::string print_segments(const Json& result) {
    std::ostringstream out;
    for (const Json& one : result["segments"])
        out << one.value("year", 0) << "  entries " << one.value("first", std::uint64_t{0}) << " to "
            << one.value("last", std::uint64_t{0}) << "\n";
    const Json open = result.value("open", Json::object());
    if (open.value("year", 0) != 0)
        out << open.value("year", 0) << "  entries " << open.value("first", std::uint64_t{0}) << " on: under way\n";
    return out.str();
}

}  // namespace

void add_archive(CLI::App& audit, Ctl& ctl) {
    CLI::App* make =
        verb(audit, ctl, "archive", "a copy of each closed year that the folder does not have yet", archive);
    make->add_option("folder", ctl.out, "made where it is missing")->required();
    text(make, ctl, "--reason", "reason", "why, for the audit log")->required();
    verb(audit, ctl, "segments", "the log's years", [](Ctl& c) { return plain(c, "audit segments", print_segments); });
}

}  // namespace tpf::daemon
