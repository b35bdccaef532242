#include "daemon/ctl_archive_verify.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

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

struct Found {
    audit::SegmentHeader header;
    Path folder;
};

Result<std::string> small_file(const Path& path) {
    auto text = read_small(posix_file_system(), path, kMaxNote);
    if (!text && text.error().code() == Code::not_found) return fail(Code::evidence, path.string() + " is missing");
    return text;
}

Result<std::vector<Found>> segments_in(const Path& root) {
    std::vector<Path> folders;
    if (std::filesystem::exists(root / kArchiveHeader)) {
        folders.push_back(root);
    } else {
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator(root, error)) {
            // What a cut-off archive left.
            const bool half = entry.path().filename().native().starts_with(".");
            if (!half && entry.is_directory()) folders.push_back(entry.path());
        }
        if (error) return fail(Code::usage, root.string() + ": " + error.message());
    }
    std::vector<Found> found;
    for (const Path& folder : folders) {
        TPF_TRY(const std::string text, small_file(folder / kArchiveHeader));
        auto header = audit::SegmentHeader::parse(text);
        if (!header) return fail(Code::evidence, folder.string() + ": " + header.error().detail());
        found.push_back({std::move(header).value(), folder});
    }
    if (found.empty()) return fail(Code::usage, root.string() + " holds no segment of a log");
    std::sort(found.begin(), found.end(),
              [](const Found& a, const Found& b) { return a.header.segment.first < b.header.segment.first; });
    return found;
}

Result<TreeHead> walk_entries(const Found& one, const ShowProgress& progress) {
    std::ifstream file(one.folder / kArchiveEntries, std::ios::binary);
    if (!file) return fail(Code::evidence, std::string(kArchiveEntries) + " cannot be read");
    audit::SegmentWalk walk(one.header);
    std::string line;
    std::uint64_t done = 0;
    while (std::getline(file, line)) {
        if (file.eof()) return fail(Code::evidence, "its last entry is cut off");
        if (line.size() > kMaxLine) return fail(Code::evidence, "an entry of more than 1 MiB");
        TPF_TRY(walk.take(line));
        if (progress && ++done % 100'000 == 0)
            progress({{"part", "year " + std::to_string(one.header.segment.year)},
                      {"done", done},
                      {"of", one.header.segment.last - one.header.segment.first + 1}});
    }
    if (file.bad()) return fail(Code::io, std::string(kArchiveEntries) + " cannot be read");
    return walk.end();
}

/// Who cosigned a later checkpoint of the same log; those of `witnesses` are verified.
Result<Json> cosigners(const Found& one, const TreeHead& head, const audit::LogKeys& log,
                       const std::vector<audit::NoteKey>& witnesses) {
    Json list = Json::array();
    for (const audit::NoteKey& witness : witnesses) {
        const Path path = one.folder / kArchiveCosigned / witness.name();
        if (witness.name().find('/') != std::string::npos || !std::filesystem::exists(path)) continue;
        TPF_TRY(const std::string text, small_file(path));
        TPF_TRY(const audit::Offer offer, audit::parse_offer(text));
        TPF_TRY(const auto opened, audit::open_note(offer.note, log, std::span(&witness, 1), NoteVerifier()));
        const bool follows = opened.checkpoint.origin == one.header.origin && offer.old_size == head.size &&
                             audit::verify_consistency(head, opened.checkpoint.head, offer.proof);
        if (!follows)
            return fail(Code::evidence, "what " + witness.name() + " cosigned does not begin with this segment");
        list.push_back({{"witness", witness.name()}, {"at", format_utc(opened.cosigned_at.value_or(UtcTime()))}});
    }
    if (!witnesses.empty() && list.empty()) return fail(Code::evidence, "no such witness has cosigned it");
    return list;
}

Result<Json> judge(const Found& one, const audit::LogKeys& log, const std::vector<audit::NoteKey>& witnesses,
                   const ShowProgress& progress) {
    TPF_TRY(const TreeHead head, walk_entries(one, progress));
    TPF_TRY(const std::string note, small_file(one.folder / kArchiveCheckpoint));
    TPF_TRY(const auto opened, audit::open_note(note, log, {}, NoteVerifier()));
    if (opened.checkpoint.origin != one.header.origin || opened.checkpoint.head != head)
        return fail(Code::evidence, "the entries are not those that its checkpoint stands for");
    TPF_TRY(auto cosigned, cosigners(one, head, log, witnesses));
    return Json{{"year", one.header.segment.year},   {"first", one.header.segment.first},
                {"last", one.header.segment.last},   {"good", true},
                {"origin", one.header.origin},       {"root", base64(head.root)},
                {"cosigned_by", std::move(cosigned)}};
}

std::string print_archive(const Json& result) {
    std::ostringstream out;
    for (const Json& one : result["segments"]) {
        out << one.value("year", 0) << "  entries " << one.value("first", std::uint64_t{0}) << " to "
            << one.value("last", std::uint64_t{0}) << ": ";
        if (!one.value("good", false)) {
            out << "WRONG: " << one.value("fault", "") << "\n";
            continue;
        }
        out << "good";
        for (const Json& who : one["cosigned_by"])
            out << ", cosigned by " << who.value("witness", "") << " at " << who.value("at", "");
        out << "\n";
    }
    for (const Json& gap : result["gaps"]) out << "NOT HERE: " << gap.get<std::string>() << "\n";
    return out.str();
}

/// What follows on one another must be one log: a segment's tree begins with what the one before it ended with.
Json judge_all(const std::vector<Found>& all, const audit::LogKeys& log, const std::vector<audit::NoteKey>& witnesses,
               const ShowProgress& progress) {
    Json json{{"good", true}, {"segments", Json::array()}, {"gaps", Json::array()}};
    std::uint64_t end = 0;
    std::string root;
    for (const Found& one : all) {
        const auto& [year, first, last] = one.header.segment;
        const auto judged = judge(one, log, witnesses, progress);
        Json told = judged ? judged.value() : Json{{"year", year}, {"first", first}, {"last", last}, {"good", false}};
        if (!judged) told["fault"] = judged.error().detail();
        const bool adjacent = first == end + 1 && end != 0;
        if (judged && adjacent && !root.empty() && base64(audit::head_of(one.header.before).root) != root) {
            told["good"] = false;
            told["fault"] = "it does not follow from the segment before it";
        }
        if (first <= end) {
            told["good"] = false;
            told["fault"] = "its entries are in the segment before it too";
        } else if (first > end + 1) {
            json["gaps"].push_back("entries " + std::to_string(end + 1) + " to " + std::to_string(first - 1));
        }
        if (!told.value("good", false)) json["good"] = false;
        root = told.value("root", "");
        end = last;
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
