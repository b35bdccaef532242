#include "daemon/proposals.h"

#include <algorithm>

#include "base/log.h"
#include "daemon/control_protocol.h"

namespace tpf::daemon {
namespace {

constexpr std::size_t kMostBytes = std::size_t{4} << 20;

Json to_json(const OperatorRequest& request) {
    return {{"at", format_utc(request.at)},
            {"by", request.by.name},
            {"uid", request.by.uid},
            {"reason", request.by.reason}};
}

Result<OperatorRequest> parse_request(const Json& json) {
    TPF_TRY(const std::string at, text_arg(json, "at", true));
    TPF_TRY(const UtcTime time, parse_utc(at));
    TPF_TRY(std::string by, text_arg(json, "by", true));
    TPF_TRY(std::string reason, text_arg(json, "reason", true));
    const auto uid = json.find("uid");
    if (uid == json.end() || !uid->is_number_unsigned()) return fail(Code::usage, "uid is missing");
    return OperatorRequest{time, {std::move(by), std::move(reason), uid->get<uid_t>()}};
}

Result<Proposal> parse_proposal(const Json& json) {
    if (!json.is_object() || !json.contains("asked")) return fail(Code::usage, "not a proposal");
    TPF_TRY(std::string what, text_arg(json, "what", true));
    TPF_TRY(std::string subject, text_arg(json, "subject", true));
    TPF_TRY(auto asked, parse_request(json["asked"]));
    Proposal proposal{std::move(what), std::move(subject), std::move(asked)};
    if (json.contains("approved")) {
        TPF_TRY(proposal.approved, parse_request(json["approved"]));
    }
    return proposal;
}

Result<std::vector<Proposal>> read(FileSystem& fs, const Path& file) {
    std::vector<Proposal> all;
    const auto text = read_small(fs, file, kMostBytes);
    if (!text && text.error().code() == Code::not_found) return all;
    if (!text) return fail(text.error());
    TPF_TRY(const Json json, parse_object(text.value()));
    const auto list = json.find("proposals");
    if (list == json.end() || !list->is_array()) return fail(Code::usage, "no list of proposals");
    for (const Json& one : *list) {
        TPF_TRY(auto proposal, parse_proposal(one));
        all.push_back(std::move(proposal));
    }
    return all;
}

std::vector<Proposal> without(const std::vector<Proposal>& all, std::string_view what, std::string_view subject) {
    std::vector<Proposal> rest;
    std::copy_if(all.begin(), all.end(), std::back_inserter(rest),
                 [&](const Proposal& one) { return one.what != what || one.subject != subject; });
    return rest;
}

const Proposal* find_in(const std::vector<Proposal>& all, std::string_view what, std::string_view subject) {
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const Proposal& one) { return one.what == what && one.subject == subject; });
    return found == all.end() ? nullptr : &*found;
}

Error nobody_asked(std::string_view what, std::string_view subject) {
    return Error(Code::usage, "nobody asked for " + std::string(what) + " " + std::string(subject),
                 "the first operator gives the command without --confirm");
}

}  // namespace

Proposals::Proposals(FileSystem& fs, Path file) : fs_(fs), file_(std::move(file)) {
    auto known = read(fs_, file_);
    if (known) {
        all_ = std::move(known).value();
    } else {
        log::warning("what waited for a second operator is lost: it has to be asked for again",
                     {{"path", file_.native()}, {"code", known.error().name()}, {"error", known.error().detail()}});
    }
}

Status Proposals::become(std::vector<Proposal> next) {
    Json list = Json::array();
    for (const Proposal& one : next) {
        Json json = {{"what", one.what}, {"subject", one.subject}, {"asked", to_json(one.asked)}};
        if (one.approved) json["approved"] = to_json(*one.approved);
        list.push_back(std::move(json));
    }
    // A user's name is any bytes.
    const std::string text = Json{{"proposals", std::move(list)}}.dump(-1, ' ', false, Json::error_handler_t::replace);
    TPF_TRY(write_atomically(fs_, file_, text + "\n", 0600));
    all_ = std::move(next);
    return ok();
}

Status Proposals::propose(std::string_view what, std::string_view subject, const Actor& first, UtcTime now) {
    const std::lock_guard lock(mutex_);
    std::vector<Proposal> next = without(all_, what, subject);
    next.erase(std::remove_if(next.begin(), next.end(), [&](const auto& one) { return has_run_out(one.asked, now); }),
               next.end());
    if (next.size() >= kMost) return fail(Code::usage, "too much waits for a second operator");
    next.push_back({std::string(what), std::string(subject), {now, first}, std::nullopt});
    return become(std::move(next));
}

Result<Proposal> Proposals::approve(std::string_view what, std::string_view subject, const Actor& second, UtcTime now) {
    const std::lock_guard lock(mutex_);
    const Proposal* found = find_in(all_, what, subject);
    if (found == nullptr) return fail(nobody_asked(what, subject));
    TPF_TRY(check_second(found->asked, second, now));
    Proposal approved = *found;
    approved.approved = OperatorRequest{now, second};
    std::vector<Proposal> next = without(all_, what, subject);
    next.push_back(approved);
    TPF_TRY(become(std::move(next)));
    return approved;
}

Result<Proposal> Proposals::take(std::string_view what, std::string_view subject, UtcTime now) {
    const std::lock_guard lock(mutex_);
    const Proposal* found = find_in(all_, what, subject);
    if (found == nullptr || has_run_out(found->asked, now)) return fail(nobody_asked(what, subject));
    if (!found->approved) return fail(Code::denied, "another operator has to confirm it first");
    Proposal taken = *found;
    TPF_TRY(become(without(all_, what, subject)));
    return taken;
}

Status Proposals::drop(std::string_view what, std::string_view subject) {
    const std::lock_guard lock(mutex_);
    return find_in(all_, what, subject) == nullptr ? ok() : become(without(all_, what, subject));
}

std::optional<Proposal> Proposals::find(std::string_view what, std::string_view subject, UtcTime now) const {
    const std::lock_guard lock(mutex_);
    const Proposal* found = find_in(all_, what, subject);
    return found == nullptr || has_run_out(found->asked, now) ? std::nullopt : std::optional(*found);
}

std::vector<Proposal> Proposals::list(UtcTime now) const {
    const std::lock_guard lock(mutex_);
    std::vector<Proposal> open;
    std::copy_if(all_.begin(), all_.end(), std::back_inserter(open),
                 [&](const Proposal& one) { return !has_run_out(one.asked, now); });
    std::stable_sort(open.begin(), open.end(),
                     [](const Proposal& a, const Proposal& b) { return a.asked.at < b.asked.at; });
    return open;
}

}  // namespace tpf::daemon
