#include "daemon/lookups.h"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <set>

#include "audit/event_log.h"
#include "base/encoding.h"
#include "base/log.h"
#include "daemon/control_protocol.h"
#include "daemon/list_place.h"

namespace tpf::daemon {
namespace {

constexpr std::size_t kMaxRecord = 1 << 20;
constexpr std::chrono::minutes kEvery{10};
constexpr const char* kForm = "tpf-oppslag-1";
constexpr std::size_t kMostPseudonyms = 20'000;  // whose record is smaller than kMaxRecord
constexpr std::size_t kMostWaiting = 20;         // requests of one operator
constexpr std::size_t kPage = 200;
// By its index or not at all (audit::prepare_lists()). Entries have one form, in which quotes inside of texts are
// escaped; a damaged one is no error here.
constexpr const char* kAnswered =
    " FROM audit INDEXED BY audit_answered WHERE kind = 'operator' AND instr(fields, '\"step\":\"answered\"') > 0";

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
    Path list_of(const SpoolId& message) override { return list_place(spool_.fs(), spool_.folders(), message); }

  private:
    queue::Journal& journal_;
    const queue::Spool& spool_;
};

std::string text_of(const audit::Pseudonym& one) {
    return std::to_string(one.version) + ":" + hex(one.bytes);
}

Error stopped() {
    return Error(Code::unavailable, "the service stops", "ask again when it runs");
}

// --- what was answered ---

struct Answer {
    std::string request;
    std::string sha256;
    EarlierLookup what;
};
struct AnsweredPage {
    std::int64_t time = INT64_MIN;  ///< of its last one, with `seq`
    std::int64_t seq = 0;
    std::vector<Answer> answers{};
    bool last = false;
};

Answer answer_of(UtcTime time, std::string actor, const std::string& fields) {
    const Json json = Json::parse(fields, nullptr, false);
    const auto text = [&](const char* name) {
        const bool there = json.is_object() && json.contains(name) && json[name].is_string();
        return there ? json[name].get<std::string>() : std::string();
    };
    return {text("request"),
            text("lookup_sha256"),
            {time, std::move(actor), text("approved_by"), text("command"), text("reason")}};
}

/// Few at a time: all commits wait.
Status next_page(sqlite::Database& db, AnsweredPage& page) {
    page.answers.clear();
    TPF_TRY(auto statement, db.prepare("SELECT time, seq, actor, fields" + std::string(kAnswered) +
                                       " AND (time, seq) > (?1, ?2) ORDER BY time, seq LIMIT ?3"));
    statement.bind(1, page.time).bind(2, page.seq).bind(3, std::int64_t{kPage});
    while (true) {
        TPF_TRY(const bool more, statement.step());
        if (!more) break;
        page.time = statement.number(0);
        page.seq = statement.number(1);
        page.answers.push_back(
            answer_of(UtcTime(std::chrono::seconds(page.time)), statement.text(2), statement.text(3)));
    }
    page.last = page.answers.size() < kPage;
    return ok();
}

enum class About { one_of_them, another, uncertain };

/// `wanted`: sorted. Uncertain: its record cannot be read, or is not the one that its entry names.
About about_one_of(FileSystem& fs, const Path& folder, const Answer& answer, const std::vector<std::string>& wanted) {
    if (!SpoolId::parse(answer.request)) return About::uncertain;
    const auto text = read_small(fs, folder / answer.request, kMaxRecord);
    if (!text || hex(sha256(text.value())) != answer.sha256) return About::uncertain;
    const Json json = Json::parse(text.value(), nullptr, false);
    if (!json.is_object() || !json.contains("pseudonyms") || !json["pseudonyms"].is_array()) return About::uncertain;
    for (const Json& one : json["pseudonyms"]) {
        if (!one.is_string()) return About::uncertain;
        if (std::binary_search(wanted.begin(), wanted.end(), one.get_ref<const std::string&>()))
            return About::one_of_them;
    }
    return About::another;
}

// --- where somebody occurs ---

/// As OccurrenceIndex::extend(), but it ends where the disk's reserve begins. Code::unavailable: it was told to stop.
Status extend(Core& core, audit::OccurrenceIndex& index, const audit::OccurrenceIndex::Progress& progress) {
    Status good = core.spool.check_room(0);
    if (!good) return good;
    TPF_TRY(index.extend([&](std::uint64_t done, std::uint64_t of) {
        if (good) good = core.spool.check_room(0);
        if (good && progress && !progress(done, of)) good = fail(stopped());
        return good.has_value();
    }));
    return good;
}

/// Code::unavailable: it was told to stop; the next start's index begins by forgetting what the log says is deleted.
Status forget(Core& core, audit::OccurrenceIndex& index, const SpoolId& message) {
    TPF_TRY(const bool gone, index.forget(message, [&] { return !core.lifecycle.stopping(); }));
    return gone ? ok() : Status(fail(stopped()));
}

/// Is one of them in that list? Code::record_damaged: it is not the one that its entry names.
Result<bool> occurs_in(FileSystem& fs, const Path& path, const std::string& sha256,
                       const std::set<std::pair<unsigned, audit::PseudonymBytes>>& wanted) {
    TPF_TRY(auto list, audit::ListReader::open(fs, path));
    const auto versions = list.header().versions;
    bool found = false;
    TPF_TRY(const Digest digest, list.read([&](std::uint64_t number, auto record) {
        std::pair<unsigned, audit::PseudonymBytes> one{versions[number % versions.size()], {}};
        std::copy(record.begin(), record.end(), one.second.begin());
        found = found || wanted.contains(one);
    }));
    if (hex(digest) != sha256) return fail(Code::record_damaged, "a list that the log does not speak of");
    return found;
}

/// The index has the beginnings of pseudonyms, without versions, and knows no more than when it was made: what counts
/// is the list itself, and what the log says of it now.
Status keep_true(Core& core, const Lookup& lookup, audit::Occurrences& found,
                 const audit::OccurrenceIndex::Progress& progress) {
    std::set<std::pair<unsigned, audit::PseudonymBytes>> wanted;
    for (const auto& one : lookup.pseudonyms) wanted.emplace(one.version, one.bytes);
    std::set<SpoolId> sure;
    for (const SpoolId& id : found.messages) {
        if (progress && !progress(found.through, found.through)) return fail(stopped());
        audit::ListState state;
        TPF_TRY(core.journal.ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(state, audit::list_state(db, id));
            return ok();
        }));
        if (state.kind != audit::ListKind::kept) continue;
        auto in = occurs_in(core.fs, list_place(core.fs, core.spool.folders(), id), state.sha256, wanted);
        if (!in && in.error().code() == Code::not_found)  // it has moved meanwhile
            in = occurs_in(core.fs, list_place(core.fs, core.spool.folders(), id), state.sha256, wanted);
        if (!in) ++found.unreadable;
        if (in && in.value()) sure.insert(id);
    }
    found.messages = std::move(sure);
    return ok();
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
    if (lookup.pseudonyms.size() > kMostPseudonyms) return fail(Code::usage, "that is about too many pseudonyms");
    const std::vector<Proposal> open = core_.proposals.list(now);
    const auto mine = std::count_if(open.begin(), open.end(), [&](const Proposal& one) {
        return asked_.contains(one.subject) && one.asked.by.uid == lookup.request.asked.by.uid;
    });
    if (mine >= static_cast<std::ptrdiff_t>(kMostWaiting))
        return fail(Code::usage, std::to_string(mine) + " of your look-ups wait already");
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
        TPF_TRY(auto statement, db.prepare("SELECT count(*)" + std::string(kAnswered) + " AND time>=?1"));
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
    // Without it the digest in the log would tell whose look-up it was to anybody with a list of pseudonyms.
    Json json{{"form", kForm},
              {"request", lookup.request.subject},
              {"salt", hex(audit::random_salt())},
              {"pseudonyms", Json::array()}};
    for (const auto& one : lookup.pseudonyms) json["pseudonyms"].push_back(text_of(one));
    const std::string text = json.dump() + "\n";
    TPF_TRY(write_atomically(core_.fs, folder() / lookup.request.subject, text, 0600));
    return hex(sha256(text));
}

Result<std::vector<EarlierLookup>> Lookups::earlier(const Lookup& lookup) const {
    std::vector<std::string> wanted;
    for (const auto& one : lookup.pseudonyms) wanted.push_back(text_of(one));
    std::sort(wanted.begin(), wanted.end());
    std::vector<EarlierLookup> found;
    for (AnsweredPage page; !page.last;) {
        TPF_TRY(core_.journal.ask([&](sqlite::Database& db) { return next_page(db, page); }));
        for (const Answer& answer : page.answers) {
            const About about = about_one_of(core_.fs, folder(), answer, wanted);
            if (about == About::another) continue;
            found.push_back(answer.what);
            found.back().uncertain = about == About::uncertain;
        }
    }
    return found;
}

/// Under index_mutex_.
Result<audit::OccurrenceIndex*> Lookups::index() {
    if (!index_) {
        if (!log_) log_ = listed_log(core_.journal, core_.spool);
        const Path place = core_.spool.folders().root / "occurrence-index";
        TPF_TRY(auto opened, audit::OccurrenceIndex::open(core_.fs, place, *log_));
        // Whatever kept a deletion from coming so far.
        TPF_TRY(const auto deleted, deleted_messages(core_.journal));
        for (const SpoolId& id : deleted) {
            TPF_TRY(forget(core_, *opened, id));
        }
        index_ = std::move(opened);
    }
    return index_.get();
}

Result<audit::Occurrences> Lookups::occurrences(const Lookup& lookup,
                                                const audit::OccurrenceIndex::Progress& progress) {
    const std::lock_guard lock(index_mutex_);
    TPF_TRY(auto* const all, index());
    std::vector<audit::PseudonymBytes> wanted;
    for (const auto& one : lookup.pseudonyms) wanted.push_back(one.bytes);
    TPF_TRY(extend(core_, *all, progress));
    auto found = all->find(wanted);
    if (!found && found.error().code() == Code::record_damaged) {
        TPF_TRY(extend(core_, *all, progress));
        found = all->find(wanted);
    }
    if (found) {
        TPF_TRY(keep_true(core_, lookup, found.value(), progress));
    }
    return found;
}

Status Lookups::forget_message(const SpoolId& message) {
    const std::lock_guard lock(index_mutex_);
    TPF_TRY(auto* const all, index());
    return forget(core_, *all, message);
}

/// What fails here, fails again where somebody waits for it.
void Lookups::bring_up_to_date(const std::function<bool()>& go_on) {
    const std::lock_guard lock(index_mutex_);
    const auto done = [&]() -> Status {
        try {
            TPF_TRY(auto* const all, index());
            return extend(core_, *all, [&](auto, auto) { return go_on(); });
        } catch (const std::exception&) {
            return fail(Code::internal, "an exception");
        }
    }();
    if (!done && go_on())
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
