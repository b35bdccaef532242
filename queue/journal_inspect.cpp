#include "queue/journal_inspect.h"

#include <map>
#include <set>

#include "base/encoding.h"
#include "base/sha256.h"
#include "queue/copy_segments.h"
#include "queue/row_store.h"

namespace tpf::queue {
namespace {

constexpr int kRowsAtOnce = 500;
constexpr std::size_t kEntriesAtOnce = 1000;
constexpr std::size_t kLinesAtOnce = 500;

class Inspector {
  public:
    explicit Inspector(const InspectOrder& order) : order_(order) {}

    Result<InspectReport> run() {
        TPF_TRY(part([this] { return pages(); }));
        TPF_TRY(part([this] { return settings(); }));
        TPF_TRY(part([this] { return messages(); }));
        TPF_TRY(part([this] { return counts(); }));
        TPF_TRY(part([this] { return names(); }));
        TPF_TRY(part([this] { return entries(); }));
        TPF_TRY(part([this] { return copy(); }));
        if (order_.spool != nullptr) {
            TPF_TRY(part([this] { return folders(); }));
        }
        return report_;
    }

  private:
    void fault(std::string what) {
        ++report_.faults;
        if (report_.some.size() < InspectReport::kMostTold) report_.some.push_back(std::move(what));
    }
    void fault_of_copy(const std::string& what) {
        ++report_.copy_faults;
        fault("copy: " + what);
    }
    void progress(std::string_view what, std::uint64_t done, std::uint64_t of = 0) {
        order_.progress({what, done, of});
    }
    /// What SQLite cannot read ends this part, not the check.
    template <class Part>
    Status part(Part&& look) {
        Status looked = look();
        if (looked || looked.error().code() != Code::journal) return looked;
        fault("database: " + looked.error().detail());
        return ok();
    }
    /// A question whose Code::journal is ours to report: asked through the journal, it would stop it here.
    template <class Question>
    Status ask(Question&& question) {
        Status inner = ok();
        TPF_TRY(order_.ask([&](sqlite::Database& db) -> Status {
            inner = question(db);
            return ok();
        }));
        return inner;
    }

    Status pages() {
        return ask([this](sqlite::Database& db) -> Status {
            TPF_TRY(const std::uint64_t count, number(db, "PRAGMA page_count"));
            TPF_TRY(const std::uint64_t size, number(db, "PRAGMA page_size"));
            progress("pages", 0, count);
            if (count * size > order_.most_page_bytes) {
                report_.notes.emplace_back(
                    "pages of the database were not compared, all commits would have waited for it: "
                    "stop tpfd and check again");
                return ok();
            }
            TPF_TRY(auto statement, db.prepare("PRAGMA quick_check(20)"));
            while (true) {
                TPF_TRY(const bool more, statement.step());
                if (!more) return ok();
                if (statement.text(0) != "ok") fault("database: " + statement.text(0));
            }
        });
    }

    static Result<std::uint64_t> number(sqlite::Database& db, std::string_view select) {
        TPF_TRY(auto statement, db.prepare(select));
        TPF_TRY(const bool found, statement.step());
        return found ? static_cast<std::uint64_t>(statement.number(0)) : 0;
    }

    Status settings() {
        return ask([this](sqlite::Database& db) -> Status {
            TPF_TRY(auto statement, db.prepare("SELECT digest, json FROM settings"));
            while (true) {
                TPF_TRY(const bool more, statement.step());
                if (!more) return ok();
                if (hex(sha256(statement.text(1))) != statement.text(0))
                    fault("settings " + statement.text(0) + " do not match their digest");
                settings_.insert(statement.text(0));
            }
        });
    }

    Status messages() {
        std::string after;
        std::uint64_t all = 0;
        TPF_TRY(ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(all, number(db, "SELECT count(*) FROM messages"));
            return ok();
        }));
        while (true) {
            const std::string before = after;
            TPF_TRY(ask([&](sqlite::Database& db) { return some_messages(db, after); }));
            if (after == before) return ok();
            progress("messages", report_.messages, all);
        }
    }

    Status some_messages(sqlite::Database& db, std::string& after) {
        TPF_TRY(auto statement, db.prepare(store::select_rows() + "WHERE id>?1 ORDER BY id LIMIT ?2"));
        statement.bind(1, after).bind(2, std::int64_t{kRowsAtOnce});
        std::vector<MessageRow> rows;
        while (true) {
            TPF_TRY(const bool more, statement.step());
            if (!more) break;
            after = statement.text(0);
            ++report_.messages;
            auto row = store::read_row(statement);
            if (row) {
                rows.push_back(std::move(row).value());
            } else {
                fault("message " + after + ": the row does not match its digest");
            }
        }
        for (const MessageRow& row : rows) {
            TPF_TRY(one_message(db, row));
        }
        return ok();
    }

    Status one_message(sqlite::Database& db, const MessageRow& row) {
        const std::string message = "message " + row.id.str();
        if (!settings_.contains(row.settings)) {  // pinned since we looked, or missing
            TPF_TRY(auto statement, db.prepare("SELECT 1 FROM settings WHERE digest=?1"));
            statement.bind(1, row.settings);
            TPF_TRY(const bool found, statement.step());
            if (!found) fault(message + ": its settings are missing");
        }
        if (!row.marked_sha256.empty()) {
            const auto marks = store::load_marks(db, row.marked_sha256);
            if (!marks || marks.value().count() != row.marked)
                fault(message + ": its list of persons without a pseudonym");
        }
        if (!row.committed) return ok();
        if (!row.name) {
            fault(message + " was committed and has no name");
            return ok();
        }
        TPF_TRY(auto statement, db.prepare("SELECT spool_id FROM names WHERE avsender=?1 AND meldings_id=?2"));
        statement.bind(1, row.name->avsender.str()).bind(2, row.name->meldings_id.view());
        TPF_TRY(const bool found, statement.step());
        if (!found || statement.text(0) != row.id.view()) fault(message + " was committed, but names does not have it");
        return ok();
    }

    Status counts() {
        return ask([this](sqlite::Database& db) -> Status {
            std::map<std::string, std::int64_t> counted;
            {
                TPF_TRY(auto statement, db.prepare("SELECT state, count(*) FROM messages GROUP BY state"));
                while (true) {
                    TPF_TRY(const bool more, statement.step());
                    if (!more) break;
                    counted[statement.text(0)] = statement.number(1);
                }
            }
            TPF_TRY(auto statement, db.prepare("SELECT state, messages FROM counts"));
            while (true) {
                TPF_TRY(const bool more, statement.step());
                if (!more) return ok();
                if (counted[statement.text(0)] != statement.number(1))
                    fault("counts does not agree with the rows in state " + statement.text(0));
            }
        });
    }

    Status names() {
        std::string avsender, meldings_id;
        while (true) {
            const std::uint64_t before = report_.names;
            TPF_TRY(ask([&](sqlite::Database& db) -> Status {
                TPF_TRY(auto statement,
                        db.prepare("SELECT n.avsender, n.meldings_id, m.id IS NULL OR m.name IS NOT n.avsender||'-'||"
                                   "n.meldings_id OR m.input_sha256 IS NOT n.input_sha256 FROM names n LEFT JOIN "
                                   "messages m ON m.id=n.spool_id WHERE (n.avsender, n.meldings_id) > (?1, ?2) "
                                   "ORDER BY n.avsender, n.meldings_id LIMIT ?3"));
                statement.bind(1, avsender).bind(2, meldings_id).bind(3, std::int64_t{kRowsAtOnce});
                while (true) {
                    TPF_TRY(const bool more, statement.step());
                    if (!more) return ok();
                    avsender = statement.text(0);
                    meldings_id = statement.text(1);
                    ++report_.names;
                    if (statement.number(2) != 0)
                        fault("name " + avsender + "-" + meldings_id + " does not agree with its message");
                }
            }));
            if (report_.names == before) return ok();
            progress("names", report_.names);
        }
    }

    Status entries() {
        CompactRange at;
        while (true) {
            std::uint64_t all = 0, done = 0;
            const Status looked = ask([&](sqlite::Database& db) -> Status {
                TPF_TRY(all, order_.audit.size(db));
                TPF_TRY(done, order_.audit.verify(db, at, kEntriesAtOnce));
                return ok();
            });
            report_.entries = at.size;
            TPF_TRY(looked);
            if (done == 0) break;
            progress("audit log", at.size, all);
        }
        return ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(report_.end, order_.audit.head(db, at.size));
            return ok();
        });
    }

    Status copy() {
        TPF_TRY(auto reader, CopyReader::open(order_.fs, order_.copy));
        std::vector<CopyLine> lines;
        std::uint64_t last = 0;
        while (true) {
            TPF_TRY(const bool more, reader.next());
            if (more && !reader.line()) {
                if (!reader.place().torn) fault_of_copy(reader.place_text() + ": " + reader.fault());
                continue;
            }
            if (more) {
                const CopyLine& line = *reader.line();
                if (line.seq != last + 1)
                    fault_of_copy(reader.place_text() + " has entry " + std::to_string(line.seq) + " after entry " +
                                  std::to_string(last));
                last = line.seq;
                ++report_.copy_lines;
                lines.push_back(line);
                lines.back().settings.clear();  // checked when the line was read
                lines.back().marks.clear();
            }
            if (lines.size() == kLinesAtOnce || !more) {
                TPF_TRY(ask([&](sqlite::Database& db) { return compare(db, lines); }));
                lines.clear();
                progress("copy", reader.progress().first, reader.progress().second);
            }
            if (!more) break;
        }
        if (last < report_.entries)
            report_.notes.push_back("the copy ends at audit entry " + std::to_string(last) + " of " +
                                    std::to_string(report_.entries) +
                                    (last == 0 ? ": there is none in " + order_.copy.string() : std::string()) +
                                    "; tpfd brings it up to date");
        return ok();
    }

    Status compare(sqlite::Database& db, const std::vector<CopyLine>& lines) {
        for (const CopyLine& line : lines) {
            const std::string entry = "entry " + std::to_string(line.seq) + " of the copy";
            const auto head = order_.audit.head(db, line.seq);
            if (!head && head.error().code() == Code::not_found) {
                fault(entry + " is not in the journal: an older journal was put back, or this one lost its end");
                continue;
            }
            if (!head) return fail(head.error());
            if (hex(head.value().root) != line.root) fault(entry + " is another one in the journal");
            for (const MessageRow& row : line.messages) {
                TPF_TRY(compare(db, row, entry));
            }
        }
        return ok();
    }

    Status compare(sqlite::Database& db, const MessageRow& row, const std::string& entry) {
        const auto there = store::load(db, row.id);
        if (!there) return ok();  // its row was told of already
        if (!there.value() || there.value()->revision < row.revision) {
            fault("message " + row.id.str() + " is older in the journal than in " + entry);
        } else if (there.value()->revision == row.revision &&
                   store::digest_of(*there.value()) != store::digest_of(row)) {
            fault("message " + row.id.str() + " is another one in " + entry);
        }
        return ok();
    }

    Status folders() {
        TPF_TRY(const auto survey, order_.spool->survey());
        return ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(const auto unknown, unknown_entries(db, survey));
            for (const std::string& entry : unknown) fault(entry + " in the spool is not in the journal");
            return ok();
        });
    }

    const InspectOrder& order_;
    InspectReport report_;
    std::set<std::string> settings_;
};

}  // namespace

Result<std::vector<std::string>> unknown_entries(sqlite::Database& db, const Spool::Survey& survey) {
    std::vector<std::string> unknown;
    for (const auto& [listing, folder] : {std::pair(&survey.work, "work/"), std::pair(&survey.outbox, "outbox/"),
                                          std::pair(&survey.quarantine, "quarantine/")}) {
        for (const SpoolId& id : listing->ids) {
            TPF_TRY(auto statement, db.prepare("SELECT 1 FROM messages WHERE id=?1"));
            statement.bind(1, id.view());
            TPF_TRY(const bool found, statement.step());
            if (!found) unknown.push_back(folder + id.str());
        }
    }
    return unknown;
}

Result<InspectReport> inspect_journal(const InspectOrder& order) {
    return Inspector(order).run();
}

Result<InspectReport> inspect_journal_file(const Path& journal, InspectOrder order) {
    const auto fault = [](const std::string& what) {
        InspectReport report;
        report.faults = 1;
        report.some.push_back("the database cannot be read: " + what);
        return report;
    };
    auto db = sqlite::Database::inspect(journal);
    if (!db && (db.error().code() == Code::not_found || db.error().code() == Code::journal))
        return fault(db.error().detail());
    if (!db) return fail(db.error());
    if (const Status known = store::check_made(db.value()); !known) {
        if (known.error().code() == Code::locked) return fail(known.error());
        return fault(known.error().detail());
    }
    order.ask = [&db](const auto& question) { return question(db.value()); };
    return inspect_journal(order);
}

}  // namespace tpf::queue
