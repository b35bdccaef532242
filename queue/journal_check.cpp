#include "queue/journal.h"
#include "queue/row_store.h"

namespace tpf::queue {
namespace {

Status check_rows(sqlite::Database& db) {
    std::map<std::string, std::int64_t, std::less<>> counted;
    {
        TPF_TRY(auto statement, db.prepare(store::select_rows()));
        while (true) {
            TPF_TRY(const bool more, statement.step());
            if (!more) break;
            TPF_TRY(const MessageRow row, store::read_row(statement));
            if (!row.marked_sha256.empty()) {
                TPF_TRY(const PersonMarks marks, store::load_marks(db, row.marked_sha256));
                if (marks.count() != row.marked)
                    return fail(Code::journal, "marks do not match message " + row.id.str());
            }
            ++counted[std::string(to_string(row.state))];
        }
    }
    TPF_TRY(auto statement, db.prepare("SELECT state, messages FROM counts"));
    while (true) {
        TPF_TRY(const bool more, statement.step());
        if (!more) return ok();
        if (counted[statement.text(0)] != statement.number(1)) {
            return fail(Code::journal, "counts does not agree with the rows in state " + statement.text(0));
        }
    }
}

Status must_be_none(sqlite::Database& db, std::string_view select, const char* what) {
    TPF_TRY(auto statement, db.prepare(select));
    TPF_TRY(const bool found, statement.step());
    if (found) return fail(Code::journal, std::string(what) + statement.text(0));
    return ok();
}

}  // namespace

Status Journal::check() {
    return ask([](sqlite::Database& db) -> Status {
        TPF_TRY(db.check());
        TPF_TRY(check_rows(db));
        TPF_TRY(must_be_none(
            db,
            "SELECT n.spool_id FROM names n LEFT JOIN messages m ON m.id=n.spool_id WHERE m.id IS NULL "
            "OR m.name IS NOT n.avsender||'-'||n.meldings_id OR m.input_sha256 IS NOT n.input_sha256 LIMIT 1",
            "names does not agree with message "));
        return must_be_none(
            db,
            "SELECT m.id FROM messages m WHERE m.committed IS NOT NULL AND NOT EXISTS "
            "(SELECT 1 FROM names n WHERE n.avsender=substr(m.name, 1, 17) AND n.meldings_id=substr(m.name, 19) "
            "AND n.spool_id=m.id) LIMIT 1",
            "names lacks committed message ");
    });
}

}  // namespace tpf::queue
