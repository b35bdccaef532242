#include "queue/old_journal.h"

#include <algorithm>
#include <iterator>

#include "base/encoding.h"
#include "base/sha256.h"
#include "queue/row_store.h"

namespace tpf::queue {
namespace {

// Rows are never deleted, so rowids have no gaps. Behind a page that cannot be read the next rows are tried one by one,
// then in growing steps: a page holds a few rows, a whole branch of the tree thousands.
constexpr int kSingleSteps = 64;
constexpr std::int64_t kLastRow = std::int64_t{1} << 40;

}  // namespace

Result<OldJournal> OldJournal::open(const Path& path, AuditSink& audit) {
    auto db = sqlite::Database::inspect(path);
    if (!db && db.error().code() == Code::locked) return fail(db.error());
    if (!db) return OldJournal(std::nullopt, audit, db.error().detail());
    if (const Status made = store::check_made(db.value()); !made) {
        const auto other = store::is_of_other_version(db.value());
        if (made.error().code() == Code::locked || (other && other.value())) return fail(made.error());
        return OldJournal(std::nullopt, audit, made.error().detail());
    }
    return OldJournal(std::move(db).value(), audit, {});
}

void OldJournal::say(const Error& error) {
    if (why_.empty()) why_ = error.detail();
}

Status OldJournal::each_row(const std::function<Status(const MessageRow&)>& take) {
    std::int64_t from = 0, step = 1;
    int failures = 0;
    while (db_ && from < kLastRow) {
        std::int64_t passed = 0;
        bool broken = false;
        TPF_TRY(some_rows(from, take, passed, broken));
        if (!broken) return ok();
        if (passed > 0) {
            failures = 0;
            step = 1;
        }
        if (++failures > kSingleSteps) step *= 2;
        from += passed + step;
    }
    return ok();
}

Status OldJournal::some_rows(std::int64_t from, const std::function<Status(const MessageRow&)>& take,
                             std::int64_t& passed, bool& broken) {
    auto statement = db_->prepare(store::select_rows() + "WHERE rowid>=?1 ORDER BY rowid");
    if (!statement) {
        say(statement.error());
        broken = true;
        return ok();
    }
    statement.value().bind(1, from);
    while (true) {
        const auto more = statement.value().step();
        if (!more) {
            say(more.error());
            broken = true;
            return ok();
        }
        if (!more.value()) return ok();
        ++passed;
        const auto row = store::read_row(statement.value());
        if (row) {
            TPF_TRY(take(row.value()));
        } else {
            say(row.error());
        }
    }
}

std::vector<WrittenEntry> OldJournal::entries(const TreeHead& from, std::size_t limit) {
    std::vector<WrittenEntry> good;
    for (std::size_t step = limit; db_ && step > 0 && good.size() < limit;) {
        auto some = audit_->entries(*db_, good.empty() ? from : good.back().head, std::min(step, limit - good.size()));
        if (!some) {
            if (step == 1) say(some.error());
            step /= 2;  // up to the first that cannot be read
            continue;
        }
        if (some.value().empty()) break;
        good.insert(good.end(), std::make_move_iterator(some.value().begin()),
                    std::make_move_iterator(some.value().end()));
    }
    return good;
}

std::uint64_t OldJournal::last_entry() {
    if (!db_) return 0;
    const auto last = audit_->size(*db_);
    return last ? last.value() : 0;
}

std::optional<std::string> OldJournal::text(std::string_view select, std::string_view key) {
    if (!db_) return std::nullopt;
    auto statement = db_->prepare(select);
    if (!statement) return std::nullopt;
    statement.value().bind(1, key);
    const auto found = statement.value().step();
    if (!found || !found.value()) return std::nullopt;
    return statement.value().text(0);
}

std::optional<std::string> OldJournal::settings(std::string_view digest) {
    auto json = text("SELECT json FROM settings WHERE digest=?1", digest);
    return json && hex(sha256(*json)) == digest ? json : std::nullopt;
}

std::optional<std::string> OldJournal::marks(std::string_view sha256) {
    auto list = text("SELECT base64 FROM marks WHERE sha256=?1", sha256);
    if (!list) return std::nullopt;
    const auto bytes = from_base64(*list);
    return bytes && hex(tpf::sha256(as_text(bytes.value()))) == sha256 ? list : std::nullopt;
}

std::vector<DayCount> OldJournal::persons_day() {
    std::vector<DayCount> days;
    if (!db_) return days;
    auto statement = db_->prepare("SELECT avsender, day, persons FROM persons_day");
    if (!statement) return days;
    while (true) {
        const auto more = statement.value().step();
        if (!more || !more.value()) return days;
        const std::int64_t persons = statement.value().number(2);
        if (!Avsender::parse(statement.value().text(0)) || !parse_date(statement.value().text(1)) || persons < 0)
            continue;
        days.push_back({statement.value().text(0), statement.value().text(1), static_cast<std::uint64_t>(persons)});
    }
}

}  // namespace tpf::queue
