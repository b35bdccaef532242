#include "daemon/lookups.h"

#include <algorithm>
#include <condition_variable>

#include "audit/event_log.h"
#include "base/encoding.h"
#include "base/log.h"
#include "daemon/control_protocol.h"

namespace tpf::daemon {
namespace {

constexpr std::size_t kMaxRecord = 1 << 20;
constexpr std::chrono::minutes kEvery{10};
constexpr const char* kForm = "tpf-oppslag-1";

class JournalLog final : public audit::ListedLog {
  public:
    JournalLog(queue::Journal& journal, const queue::Spool& spool) : journal_(journal), spool_(spool) {}
    Result<std::uint64_t> size() override {
        std::uint64_t size = 0;
        TPF_TRY(journal_.ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(size, audit::EventLog().size(db));
            return ok();
        }));
        return size;
    }
    Result<std::string> root(std::uint64_t size) override {
        TreeHead head;
        TPF_TRY(journal_.ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(head, audit::EventLog().head(db, size));
            return ok();
        }));
        return base64(head.root);
    }
    Result<std::vector<audit::ListedMessage>> lists(std::uint64_t after, std::uint64_t through) override {
        std::vector<audit::ListedMessage> listed;
        TPF_TRY(journal_.ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(listed, audit::lists_between(db, after, through));
            return ok();
        }));
        return listed;
    }
    Path list_of(const SpoolId& message) override { return spool_.folders().list_of(message); }

  private:
    queue::Journal& journal_;
    const queue::Spool& spool_;
};

std::string text_of(const audit::Pseudonym& one) {
    return std::to_string(one.version) + ":" + hex(one.bytes);
}

}  // namespace

std::unique_ptr<audit::ListedLog> listed_log(queue::Journal& journal, const queue::Spool& spool) {
    return std::make_unique<JournalLog>(journal, spool);
}

Status forget_lookups(Proposals& proposals, UtcTime now) {
    for (const Proposal& one : proposals.list(now)) {
        if (one.what != kPseudonymLookup && one.what != kPersonLookup) continue;
        TPF_TRY(proposals.drop(one.what, one.subject));
    }
    return ok();
}

Lookups::~Lookups() {
    keeper_.request_stop();
}

Status Lookups::ask(const Lookup& lookup) {
    const std::lock_guard lock(mutex_);
    const UtcTime now = core_.clock.utc();
    std::erase_if(asked_, [&](const auto& one) {
        return !core_.proposals.find(kPseudonymLookup, one.first, now) &&
               !core_.proposals.find(kPersonLookup, one.first, now);
    });
    TPF_TRY(core_.proposals.propose(lookup.request.what, lookup.request.subject, lookup.request.asked.by, now));
    asked_.emplace(lookup.request.subject, lookup.pseudonyms);
    return ok();
}

std::vector<Proposal> Lookups::waiting() const {
    const std::lock_guard lock(mutex_);
    std::vector<Proposal> list = core_.proposals.list(core_.clock.utc());
    std::erase_if(list, [&](const Proposal& one) { return !asked_.contains(one.subject); });
    return list;
}

Result<Lookup> Lookups::find(const std::string& id) const {
    std::vector<Proposal> found = waiting();
    std::erase_if(found, [&](const Proposal& one) { return id.size() < 4 || !one.subject.starts_with(id); });
    if (found.size() > 1) return fail(Code::not_found, "more than one request begins so");
    if (found.empty()) return fail(Code::not_found, "there is no such request", "`tpfctl audit requests`");
    const std::lock_guard lock(mutex_);
    const auto asked = asked_.find(found.front().subject);
    if (asked == asked_.end()) return fail(Code::not_found, "there is no such request", "`tpfctl audit requests`");
    return Lookup{std::move(found.front()), asked->second};
}

Status Lookups::approve(const Lookup& lookup, const Actor& second) {
    TPF_TRY(core_.proposals.approve(lookup.request.what, lookup.request.subject, second, core_.clock.utc()));
    return ok();
}

Status Lookups::take(const Lookup& lookup) {
    TPF_TRY(core_.proposals.take(lookup.request.what, lookup.request.subject, core_.clock.utc()));
    const std::lock_guard lock(mutex_);
    asked_.erase(lookup.request.subject);
    return ok();
}

Result<std::uint64_t> Lookups::answered_today() const {
    std::uint64_t count = 0;
    const auto midnight = std::chrono::floor<std::chrono::days>(core_.clock.utc());
    TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(auto statement, db.prepare("SELECT count(*) FROM audit WHERE kind='operator' AND time>=?1 AND "
                                           "json_extract(fields, '$.step')='answered'"));
        statement.bind(1, std::int64_t{midnight.time_since_epoch() / std::chrono::seconds(1)});
        TPF_TRY(const bool row, statement.step());
        if (row) count = static_cast<std::uint64_t>(statement.number(0));
        return ok();
    }));
    return count;
}

Result<std::string> Lookups::record(const Lookup& lookup) const {
    const auto there = core_.fs.info(folder());
    if (!there) {
        if (there.error().code() != Code::not_found) return fail(there.error());
        TPF_TRY(core_.fs.make_folder(folder(), 0700));
        TPF_TRY(core_.fs.sync_folder(folder().parent_path()));
    }
    Json json{{"form", kForm}, {"request", lookup.request.subject}, {"pseudonyms", Json::array()}};
    for (const auto& one : lookup.pseudonyms) json["pseudonyms"].push_back(text_of(one));
    const std::string text = json.dump() + "\n";
    TPF_TRY(write_atomically(core_.fs, folder() / lookup.request.subject, text, 0600));
    return hex(sha256(text));
}

Result<std::vector<EarlierLookup>> Lookups::earlier(const Lookup& lookup) const {
    struct Answer {
        std::string request;
        std::string sha256;
        EarlierLookup what;
    };
    std::vector<Answer> answers;
    TPF_TRY(core_.journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(auto statement, db.prepare("SELECT time, actor, fields FROM audit WHERE kind='operator' AND "
                                           "json_extract(fields, '$.step')='answered' ORDER BY seq"));
        while (true) {
            TPF_TRY(const bool more, statement.step());
            if (!more) return ok();
            const Json fields = Json::parse(statement.text(2), nullptr, false);
            answers.push_back(
                {fields.value("request", ""),
                 fields.value("lookup_sha256", ""),
                 {UtcTime(std::chrono::seconds(statement.number(0))), statement.text(1),
                  fields.value("approved_by", ""), fields.value("command", ""), fields.value("reason", "")}});
        }
    }));
    std::vector<std::string> wanted;
    for (const auto& one : lookup.pseudonyms) wanted.push_back(text_of(one));
    std::vector<EarlierLookup> found;
    for (const Answer& answer : answers) {
        const auto text = read_small(core_.fs, folder() / answer.request, kMaxRecord);
        if (!text || hex(sha256(text.value())) != answer.sha256) {
            const bool gone = text || text.error().code() == Code::not_found || text.error().code() == Code::limit;
            if (!gone) return fail(text.error());
            found.push_back(answer.what);
            found.back().uncertain = true;
            continue;
        }
        const Json json = Json::parse(text.value(), nullptr, false);
        const bool same = std::any_of(wanted.begin(), wanted.end(), [&](const std::string& one) {
            const Json& all = json["pseudonyms"];
            return std::find(all.begin(), all.end(), one) != all.end();
        });
        if (same) found.push_back(answer.what);
    }
    return found;
}

/// Under index_mutex_.
Result<audit::OccurrenceIndex*> Lookups::index() {
    if (!index_) {
        if (!log_) log_ = listed_log(core_.journal, core_.spool);
        const Path place = core_.spool.folders().root / "occurrence-index";
        TPF_TRY(index_, audit::OccurrenceIndex::open(core_.fs, place, *log_));
    }
    return index_.get();
}

Result<audit::Occurrences> Lookups::occurrences(const Lookup& lookup,
                                                const audit::OccurrenceIndex::Progress& progress) {
    const std::lock_guard lock(index_mutex_);
    TPF_TRY(auto* const all, index());
    std::vector<audit::PseudonymBytes> wanted;
    for (const auto& one : lookup.pseudonyms) wanted.push_back(one.bytes);
    TPF_TRY(all->extend(progress));
    auto found = all->find(wanted);
    if (found || found.error().code() != Code::record_damaged) return found;
    TPF_TRY(all->extend(progress));
    return all->find(wanted);
}

Status Lookups::forget_message(const SpoolId& message) {
    const std::lock_guard lock(index_mutex_);
    TPF_TRY(auto* const all, index());
    return all->forget(message);
}

/// What fails here, fails again where somebody waits for it.
void Lookups::bring_up_to_date(const std::function<bool()>& go_on) {
    const std::lock_guard lock(index_mutex_);
    auto all = index();
    const Status done = all ? all.value()->extend([&](auto, auto) { return go_on(); }) : Status(fail(all.error()));
    if (!done)
        log::warning("the occurrence index could not be brought up to date",
                     {{"code", done.error().name()}, {"error", done.error().text()}});
}

void Lookups::keep_index() {
    keeper_ = std::jthread([this](const std::stop_token& stop) {
        std::mutex mutex;
        std::condition_variable_any wake;
        while (true) {
            std::unique_lock lock(mutex);
            wake.wait_for(lock, stop, kEvery, [] { return false; });
            if (stop.stop_requested()) return;
            bring_up_to_date([&] { return !stop.stop_requested(); });
        }
    });
}

}  // namespace tpf::daemon
