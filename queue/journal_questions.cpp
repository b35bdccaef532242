#include <algorithm>

#include "base/encoding.h"
#include "base/sha256.h"
#include "queue/journal.h"
#include "queue/journal_writer.h"
#include "queue/row_store.h"

namespace tpf::queue {
namespace {

using Rows = std::vector<MessageRow>;
using Bind = std::function<void(sqlite::Statement&)>;

/// SELECT … FROM messages `where`, in the writer's thread.
Result<Rows> rows_where(Journal& journal, const std::string& where, const Bind& bind) {
    Rows rows;
    TPF_TRY(journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(auto statement, db.prepare(store::select_rows() + where));
        bind(statement);
        TPF_TRY(rows, store::read_rows(statement));
        return ok();
    }));
    return rows;
}

Result<std::vector<SpoolId>> ids_where(Journal& journal, const std::string& where, const Bind& bind) {
    std::vector<SpoolId> ids;
    TPF_TRY(journal.ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(auto statement, db.prepare("SELECT id FROM messages " + where));
        bind(statement);
        while (true) {
            TPF_TRY(const bool more, statement.step());
            if (!more) return ok();
            const auto id = SpoolId::parse(statement.text(0));
            if (!id) return fail(Code::journal, "a message's row holds no spool id");
            ids.push_back(id.value());
        }
    }));
    return ids;
}

std::int64_t seconds(UtcTime time) {
    return time.time_since_epoch().count();
}

int rank(State state) {
    switch (state) {
        case State::delivered:
            return 0;
        case State::committed:
            return 1;
        case State::claimed:
            return 2;
        case State::held:
            return 3;
        case State::quarantined:
            return 4;
        case State::discarded:
            return 5;
        case State::duplicate:
            return 6;
    }
    return 7;
}

bool is_id_prefix(std::string_view text) {
    return text.size() >= 4 && text.size() <= 36 && text.find_first_not_of("0123456789abcdef-") == text.npos;
}

}  // namespace

Result<std::optional<MessageRow>> Journal::find(const SpoolId& id) {
    std::optional<MessageRow> row;
    TPF_TRY(writer_->ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(row, store::load(db, id));
        return ok();
    }));
    return row;
}

Result<std::optional<MessageRow>> Journal::find_by_name(const MessageName& name) {
    TPF_TRY(auto rows, rows_where(*this, "WHERE id=(SELECT spool_id FROM names WHERE avsender=?1 AND meldings_id=?2)",
                                  [&](sqlite::Statement& statement) {
                                      statement.bind(1, name.avsender.str()).bind(2, name.meldings_id.view());
                                  }));
    if (rows.empty()) return std::optional<MessageRow>();
    return std::optional<MessageRow>(std::move(rows.front()));
}

Result<MessageRow> Journal::resolve(std::string_view text) {
    if (const auto id = SpoolId::parse(text)) {
        TPF_TRY(auto row, find(id.value()));
        if (row) return std::move(*row);
    }
    Rows rows;
    if (const auto name = MessageName::parse(text)) {
        // By the MeldingsId's index, then the whole name.
        TPF_TRY(rows, rows_where(*this, "WHERE name IS NOT NULL AND substr(name, 19)=?1 AND name=?2 LIMIT 50",
                                 [&](sqlite::Statement& statement) {
                                     statement.bind(1, name.value().meldings_id.view()).bind(2, text);
                                 }));
    } else if (MeldingsId::parse(text)) {
        TPF_TRY(rows, rows_where(*this, "WHERE name IS NOT NULL AND substr(name, 19)=?1 LIMIT 50",
                                 [&](sqlite::Statement& statement) { statement.bind(1, text); }));
    } else if (is_id_prefix(text)) {
        TPF_TRY(rows, rows_where(*this, "WHERE id>=?1 AND id<?2 LIMIT 50", [&](sqlite::Statement& statement) {
                    statement.bind(1, text).bind(2, std::string(text) + "g");
                }));
    }
    if (rows.size() > 1) std::erase_if(rows, [](const MessageRow& row) { return row.state == State::duplicate; });
    if (rows.empty()) return fail(Code::not_found, "no message of that id");
    if (rows.size() > 1) return fail(Code::usage, "more than one message fits; give its whole spool id");
    return std::move(rows.front());
}

Result<bool> Journal::knows_meldings_id(const MeldingsId& id) {
    bool known = false;
    TPF_TRY(writer_->ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(auto statement,
                db.prepare("SELECT 1 FROM messages WHERE name IS NOT NULL AND substr(name, 19)=?1 LIMIT 1"));
        statement.bind(1, id.view());
        TPF_TRY(known, statement.step());
        return ok();
    }));
    return known;
}

Result<std::optional<MessageRow>> Journal::find_by_input_digest(std::string_view sha256,
                                                                const std::optional<Avsender>& sender) {
    TPF_TRY(auto rows,
            rows_where(*this, "WHERE input_sha256=?1 AND sender IS ?2 AND state<>'duplicate' ORDER BY received, id",
                       [&](sqlite::Statement& statement) {
                           statement.bind(1, sha256);
                           if (sender) statement.bind(2, sender->str());
                       }));
    const auto best = std::min_element(rows.begin(), rows.end(), [](const MessageRow& a, const MessageRow& b) {
        return rank(a.state) < rank(b.state);
    });
    if (best == rows.end()) return std::optional<MessageRow>();
    return std::optional<MessageRow>(std::move(*best));
}

Result<Rows> Journal::duplicates_of(const SpoolId& id) {
    return rows_where(*this, "WHERE duplicate_of=?1 ORDER BY received, id",
                      [&](sqlite::Statement& statement) { statement.bind(1, id.view()); });
}

Result<Rows> Journal::list(const ListQuery& query) {
    std::string where = "WHERE 1";
    if (query.state) where += " AND state=?1";
    if (query.sender) where += " AND sender=?2";
    if (query.received_before) where += " AND received<?3";
    where += query.newest_first ? " ORDER BY received DESC, id DESC" : " ORDER BY received, id";
    return rows_where(*this, where + " LIMIT ?4 OFFSET ?5", [&](sqlite::Statement& statement) {
        if (query.state) statement.bind(1, to_string(*query.state));
        if (query.sender) statement.bind(2, query.sender->str());
        if (query.received_before) statement.bind(3, seconds(*query.received_before));
        statement.bind(4, static_cast<std::int64_t>(query.limit)).bind(5, static_cast<std::int64_t>(query.offset));
    });
}

Result<std::vector<SpoolId>> Journal::ids_in(State state) {
    return ids_where(*this, "WHERE state=?1 ORDER BY received, id",
                     [&](sqlite::Statement& statement) { statement.bind(1, to_string(state)); });
}

Result<std::vector<Journal::BoundSettings>> Journal::bound_settings() {
    std::vector<BoundSettings> all;
    TPF_TRY(writer_->ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(auto statement,
                db.prepare("SELECT s.json, m.register, MIN(m.id), COUNT(*) FROM messages m JOIN settings s "
                           "ON s.digest = m.settings WHERE m.state IN (?1, ?2) OR (m.state = ?3 AND m.committed NOT "
                           "NULL) GROUP BY m.settings, m.register"));
        statement.bind(1, to_string(State::claimed));
        statement.bind(2, to_string(State::committed));
        statement.bind(3, to_string(State::quarantined));
        while (true) {
            TPF_TRY(const bool more, statement.step());
            if (!more) return ok();
            const auto example = SpoolId::parse(statement.text(2));
            if (!example) return fail(Code::journal, "a message's row holds no spool id");
            BoundSettings& one = all.emplace_back(BoundSettings{statement.text(0), {}, example.value(), 0});
            one.messages = static_cast<std::uint64_t>(statement.number(3));
            if (statement.is_null(1)) continue;
            TPF_TRY(one.to, RegisterName::parse(statement.text(1)));
        }
    }));
    return all;
}

Result<std::map<State, std::uint64_t>> Journal::counts() {
    std::map<State, std::uint64_t> counts;
    TPF_TRY(writer_->ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(auto statement, db.prepare("SELECT state, messages FROM counts"));
        while (true) {
            TPF_TRY(const bool more, statement.step());
            if (!more) return ok();
            const auto state = parse_state(statement.text(0));
            if (!state) return fail(Code::journal, "counts holds an unknown state");
            counts[*state] = static_cast<std::uint64_t>(statement.number(1));
        }
    }));
    return counts;
}

Result<std::optional<UtcTime>> Journal::oldest_waiting() {
    std::optional<UtcTime> oldest;
    TPF_TRY(writer_->ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(auto statement,
                db.prepare("SELECT min(t) FROM (SELECT min(received) AS t FROM messages WHERE state='claimed' "
                           "UNION ALL SELECT min(received) FROM messages WHERE state='committed')"));
        TPF_TRY(const bool row, statement.step());
        if (row && !statement.is_null(0)) oldest = UtcTime(std::chrono::seconds(statement.number(0)));
        return ok();
    }));
    return oldest;
}

Result<Rows> Journal::in_trouble(std::size_t limit) {
    return rows_where(*this, "WHERE attempt_since IS NOT NULL ORDER BY attempt_since LIMIT ?1",
                      [&](sqlite::Statement& statement) { statement.bind(1, static_cast<std::int64_t>(limit)); });
}

Result<Rows> Journal::answers_due(std::size_t limit, const MessageRow* after) {
    return rows_where(*this, "WHERE answer_due=1 AND (received, id) > (?2, ?3) ORDER BY received, id LIMIT ?1",
                      [&](sqlite::Statement& statement) {
                          statement.bind(1, static_cast<std::int64_t>(limit));
                          const std::int64_t least = std::numeric_limits<std::int64_t>::min();
                          statement.bind(2, after == nullptr ? least : seconds(after->received));
                          statement.bind(3, after == nullptr ? std::string_view() : after->id.view());
                      });
}

Result<std::vector<SpoolId>> Journal::removable(UtcTime before, std::size_t limit) {
    return ids_where(*this,
                     "WHERE delivered IS NOT NULL AND removed IS NULL AND delivered<=?1 ORDER BY delivered LIMIT ?2",
                     [&](sqlite::Statement& statement) {
                         statement.bind(1, seconds(before)).bind(2, static_cast<std::int64_t>(limit));
                     });
}

Result<Usage> Journal::usage(State state, const std::optional<Avsender>& sender) {
    Usage usage;
    TPF_TRY(writer_->ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(usage, store::usage(db, state, sender));
        return ok();
    }));
    return usage;
}

Result<std::uint64_t> Journal::persons_on(const Avsender& sender, std::chrono::sys_days day) {
    std::uint64_t persons = 0;
    TPF_TRY(writer_->ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(auto statement, db.prepare("SELECT persons FROM persons_day WHERE avsender=?1 AND day=?2"));
        statement.bind(1, sender.str()).bind(2, format_date(day));
        TPF_TRY(const bool row, statement.step());
        if (row) persons = static_cast<std::uint64_t>(statement.number(0));
        return ok();
    }));
    return persons;
}

Result<PersonMarks> Journal::marks(const MessageRow& row) {
    PersonMarks marks;
    if (row.marked_sha256.empty()) return marks;
    TPF_TRY(writer_->ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(marks, store::load_marks(db, row.marked_sha256));
        return ok();
    }));
    if (marks.count() != row.marked) return fail(Code::journal, "marks do not match their message");
    return marks;
}

Result<std::string> Journal::settings(std::string_view digest) {
    std::string json;
    TPF_TRY(writer_->ask([&](sqlite::Database& db) -> Status {
        TPF_TRY(auto statement, db.prepare("SELECT json FROM settings WHERE digest=?1"));
        statement.bind(1, digest);
        TPF_TRY(const bool row, statement.step());
        if (!row) return fail(Code::not_found, "no settings of that digest");
        json = statement.text(0);
        if (hex(sha256(json)) != digest) return fail(Code::journal, "pinned settings do not match their digest");
        return ok();
    }));
    return json;
}

}  // namespace tpf::queue
