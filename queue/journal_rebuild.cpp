#include "queue/journal_rebuild.h"

#include <algorithm>
#include <map>

#include "base/encoding.h"
#include "base/sha256.h"
#include "queue/copy_segments.h"
#include "queue/journal_inspect.h"
#include "queue/new_journal.h"
#include "queue/old_journal.h"
#include "queue/rebuild_spool.h"
#include "queue/row_store.h"

namespace tpf::queue {
namespace {

constexpr std::size_t kEntriesAtOnce = 1000;

std::string beside(const Path& journal, std::string_view what) {
    return journal.string() + "." + std::string(what);
}

/// 20270104T093107Z
std::string compact(UtcTime time) {
    std::string text = format_utc(time);
    std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
    return text;
}

Result<bool> exists(FileSystem& fs, const Path& path) {
    const auto there = fs.info(path);
    if (!there && there.error().code() != Code::not_found) return fail(there.error());
    return there.has_value();
}

class Rebuild {
  public:
    Rebuild(const RebuildOrder& order, NewJournal& made, OldJournal& old) : order_(order), new_(made), old_(old) {}

    Status run() {
        TPF_TRY(settings_, new_.pin(order_.settings));
        // The journal's own log decides, as far as it can be read; the copy may only continue it.
        TPF_TRY(entries_of_database());
        TPF_TRY(from_copy());
        TPF_TRY(from_database());
        TPF_TRY(from_fork());
        TPF_TRY(old_.look([&](sqlite::Database& old) { return order_.carry_notes(old, new_.db()); }));
        TPF_TRY(complete_texts());
        TPF_TRY(fill_names());
        TPF_TRY(from_spool());
        TPF_TRY(fill_counts());
        TPF_TRY(report.messages, number("SELECT count(*) FROM messages"));
        TPF_TRY(report.names, number("SELECT count(*) FROM names"));
        report.entries = new_.end().size;
        return ok();
    }

    RebuildReport report;
    bool copy_is_good = true;  // whole, and the beginning of the new journal

  private:
    Result<std::uint64_t> number(std::string_view select) {
        TPF_TRY(auto statement, new_.db().prepare(select));
        TPF_TRY(const bool found, statement.step());
        return found ? static_cast<std::uint64_t>(statement.number(0)) : 0;
    }

    // --- the copy ---
    Status from_copy() {
        TPF_TRY(auto reader, CopyReader::open(order_.fs, order_.copy));
        while (true) {
            TPF_TRY(const bool more, reader.next());
            if (!more) break;
            if (reader.line()) {
                const CopyLine& line = *reader.line();
                report.copy.last_entry = std::max(report.copy.last_entry, line.seq);
                TPF_TRY(const bool fits, entry_of(line));
                same_beginning_ = same_beginning_ || fits;
                if (fits) {
                    TPF_TRY(rows_of(line));
                } else {
                    ++report.copy.foreign_lines;
                    copy_is_good = false;
                }
                order_.progress("copy", line.seq);
            } else if (!reader.place().torn) {
                ++report.copy.damaged_lines;
                copy_is_good = false;
            }
            TPF_TRY(new_.breathe());
        }
        TPF_TRY(report.copy.messages, number("SELECT count(*) FROM messages"));
        return ok();
    }

    Status texts_of(const CopyLine& line) {
        for (const auto& [digest, json] : line.settings) {
            TPF_TRY(new_.settings(digest, json));
        }
        for (const auto& [sha256, base64] : line.marks) {
            TPF_TRY(new_.marks(sha256, base64));
        }
        return ok();
    }

    Status rows_of(const CopyLine& line) {
        TPF_TRY(texts_of(line));
        for (const DayCount& day : line.persons_day) {
            TPF_TRY(new_.day(day));
        }
        for (const MessageRow& row : line.messages) {
            TPF_TRY(const bool written, store::restore(new_.db(), row));
            static_cast<void>(written);
        }
        return ok();
    }

    /// Whether the line's entry is the log's, or the next one, or lies behind a hole, where nothing contradicts it.
    Result<bool> entry_of(const CopyLine& line) {
        if (line.seq > new_.end().size + 1) {
            TPF_TRY(entries_of_database());
        }
        if (line.seq > new_.end().size + 1) {
            copy_is_good = false;
            return true;
        }
        if (line.seq <= new_.end().size) return is_of_log(line);
        const auto next = order_.audit.follow(new_.db(), line.canonical);
        if (!next || hex(next.value().head.root) != line.root) return false;
        ++report.copy.entries;
        TPF_TRY(new_.restore(next.value()));
        return true;
    }

    Result<bool> is_of_log(const CopyLine& line) {
        TPF_TRY(const TreeHead known, order_.audit.head(new_.db(), line.seq));
        return hex(known.root) == line.root;
    }

    // --- the damaged journal ---
    /// All that follow what is there already.
    Status entries_of_database() {
        while (true) {
            const auto some = old_.entries(new_.end(), kEntriesAtOnce);
            if (some.empty()) return ok();
            for (const WrittenEntry& entry : some) {
                TPF_TRY(new_.restore(entry));
                ++report.database.entries;
                TPF_TRY(new_.breathe());
            }
            order_.progress("audit log", new_.end().size);
        }
    }

    Status from_database() {
        std::uint64_t seen = 0;
        TPF_TRY(old_.each_row([&](const MessageRow& row) -> Status {
            TPF_TRY(const bool written, store::restore(new_.db(), row));
            if (written) ++report.database.messages;
            order_.progress("damaged journal", ++seen);
            return new_.breathe();
        }));
        for (const DayCount& day : old_.persons_day()) {
            TPF_TRY(new_.day(day));
        }
        TPF_TRY(entries_of_database());
        const bool one_history = report.copy.foreign_lines == 0;
        const std::uint64_t last = std::max(old_.last_entry(), one_history ? report.copy.last_entry : 0);
        if (last > new_.end().size) {
            report.entries_lost_from = new_.end().size + 1;
            report.entries_lost_to = last;
        }
        return ok();
    }

    // --- a copy that went another way ---
    /// Journal and copy had the same beginning and then each its own history (a backup that was put back and worked on,
    /// with the copy away). The log is the journal's; of what the copy's history committed nothing is forgotten, and
    /// nothing replaces what the journal says. What else it began lies in the spool, or is gone.
    Status from_fork() {
        if (!same_beginning_ || report.copy.foreign_lines == 0) return ok();
        TPF_TRY(auto reader, CopyReader::open(order_.fs, order_.copy));
        std::map<SpoolId, MessageRow> committed;  // as each stood last
        while (true) {
            TPF_TRY(const bool more, reader.next());
            if (!more) break;
            if (!reader.line()) continue;
            const CopyLine& line = *reader.line();
            const bool known = line.seq <= new_.end().size;
            TPF_TRY(const bool ours, known ? is_of_log(line) : Result<bool>(false));
            if (ours) continue;
            TPF_TRY(texts_of(line));
            for (const MessageRow& row : line.messages) {
                if (row.committed) committed.insert_or_assign(row.id, row);
            }
        }
        for (const auto& [id, row] : committed) {
            TPF_TRY(add_unknown(row));
        }
        return ok();
    }

    Status add_unknown(const MessageRow& row) {
        TPF_TRY(const auto known, store::load(new_.db(), row.id));
        if (known) return ok();
        TPF_TRY(auto taken, new_.db().prepare("SELECT 1 FROM messages WHERE name=?1 AND committed IS NOT NULL"));
        taken.bind(1, row.name->str());
        TPF_TRY(const bool by_another, taken.step());
        if (by_another) {
            ++report.names_twice;
            return ok();
        }
        TPF_TRY(const bool written, store::restore(new_.db(), row));
        return written ? new_.breathe() : Status(fail(Code::internal, "a row could not be taken from the copy"));
    }

    // --- texts that rows name ---
    Status complete_texts() {
        TPF_TRY(const auto without_settings,
                ids("SELECT id FROM messages WHERE settings NOT IN (SELECT digest FROM settings)"));
        TPF_TRY(
            const auto without_marks,
            ids("SELECT id FROM messages WHERE marked_sha256<>'' AND marked_sha256 NOT IN (SELECT sha256 FROM marks)"));
        for (const SpoolId& id : without_settings) {
            TPF_TRY(complete_settings(id));
        }
        for (const SpoolId& id : without_marks) {
            TPF_TRY(complete_marks(id));
        }
        return ok();
    }

    Result<std::vector<SpoolId>> ids(std::string_view select) {
        TPF_TRY(auto statement, new_.db().prepare(select));
        std::vector<SpoolId> list;
        while (true) {
            TPF_TRY(const bool more, statement.step());
            if (!more) return list;
            TPF_TRY(const SpoolId id, SpoolId::parse(statement.text(0)));
            list.push_back(id);
        }
    }

    Status complete_settings(const SpoolId& id) {
        TPF_TRY(MessageRow row, store::must_load(new_.db(), id));
        if (const auto json = old_.settings(row.settings)) return new_.settings(row.settings, *json);
        ++report.settings_lost;
        row.settings = settings_;
        return rewrite(row);
    }

    Status complete_marks(const SpoolId& id) {
        TPF_TRY(MessageRow row, store::must_load(new_.db(), id));
        if (const auto list = old_.marks(row.marked_sha256)) return new_.marks(row.marked_sha256, *list);
        ++report.marks_lost;
        row.marked_sha256.clear();
        return rewrite(row);
    }

    Status rewrite(MessageRow& row) {
        ++row.revision;
        TPF_TRY(const bool written, store::restore(new_.db(), row));
        return written ? ok() : Status(fail(Code::internal, "a row could not be written anew"));
    }

    // --- what follows from the rows ---
    Status fill_names() {
        return new_.db().run(
            "INSERT INTO names(avsender, meldings_id, spool_id, input_sha256) SELECT substr(name, 1, 17), "
            "substr(name, 19), id, input_sha256 FROM messages WHERE committed IS NOT NULL ORDER BY received "
            "ON CONFLICT DO NOTHING");
    }

    Status fill_counts() {
        return new_.db().run("UPDATE counts SET messages=(SELECT count(*) FROM messages m WHERE m.state=counts.state)");
    }

    // --- the spool, and what the audit log says of it all ---
    Status from_spool() {
        const UtcTime now = order_.clock.utc();
        TPF_TRY(const auto found, find_in_spool(new_.db(), order_.spool, order_.source_of, settings_, now));
        for (const FoundMessage& one : found) {
            auto& counts = report.spool;
            ++(one.row.state == State::committed ? counts.committed
               : one.row.state == State::claimed ? counts.claimed
                                                 : counts.quarantined);
        }
        TPF_TRY(new_.append(summary(), now));
        TPF_TRY(rename_log(now));
        for (const FoundMessage& one : found) {
            TPF_TRY(const bool written, store::restore(new_.db(), one.row));
            if (!written) return fail(Code::internal, "a row could not be taken from the spool");
            if (one.row.committed) {
                TPF_TRY(new_.name(one.row));
            }
            AuditEntry entry(AuditKind::rebuilt, order_.operator_name);
            entry.message(one.row.id).with("from", one.from).with("state", to_string(one.row.state));
            TPF_TRY(new_.append(entry, now));
        }
        return ok();
    }

    Status rename_log(UtcTime now) {
        if (report.entries_lost_from == 0 || !order_.renamed) return ok();
        TPF_TRY(AuditEntry entry, order_.renamed(new_.db()));
        report.renamed = true;
        return new_.append(entry.with("reason", order_.reason), now);
    }

    AuditEntry summary() const {
        AuditEntry entry(AuditKind::rebuilt, order_.operator_name);
        entry.with("reason", order_.reason)
            .with("messages_copy", report.copy.messages)
            .with("messages_database", report.database.messages)
            .with("messages_spool", report.spool.committed + report.spool.claimed + report.spool.quarantined)
            .with("entries_copy", report.copy.entries)
            .with("entries_database", report.database.entries)
            .with("last_entry_copy", report.copy.last_entry)
            .with("foreign_lines_copy", report.copy.foreign_lines)
            .with("names_twice", report.names_twice)
            .with("settings_lost", report.settings_lost)
            .with("marks_lost", report.marks_lost);
        if (report.entries_lost_from != 0)
            entry.with("entries_lost_from", report.entries_lost_from).with("entries_lost_to", report.entries_lost_to);
        return entry;
    }

    const RebuildOrder& order_;
    NewJournal& new_;
    OldJournal& old_;
    std::string settings_;         // digest of the present ones
    bool same_beginning_ = false;  // of copy and journal
};

Status check_new(NewJournal& made, const RebuildOrder& order) {
    InspectOrder inspect{.ask = [&](const auto& question) { return question(made.db()); },
                         .audit = order.audit,
                         .fs = order.fs,
                         .copy = {},
                         .spool = &order.spool};
    TPF_TRY(const auto report, inspect_journal(inspect));
    if (report.good()) return ok();
    return fail(Code::journal, "what came out is not whole, the old journal is as it was: " + report.some.front());
}

/// The time, and a number where something of that second is kept already.
Result<std::string> free_suffix(const RebuildOrder& order) {
    const std::string time = compact(order.clock.utc());
    for (unsigned n = 1;; ++n) {
        std::string suffix = n == 1 ? time : time + "-" + std::to_string(n);
        bool taken = false;
        for (const std::string& path :
             {beside(order.journal, "damaged-" + suffix), beside(order.journal, "damaged-" + suffix + "-wal"),
              beside(order.copy, "damaged-" + suffix)}) {
            TPF_TRY(const bool there, exists(order.fs, path));
            taken = taken || there;
        }
        if (!taken) return suffix;
    }
}

/// From here on the new journal counts.
Status settle(const RebuildOrder& order, const Path& made, const std::string& suffix) {
    TPF_TRY(const bool wal, exists(order.fs, made.string() + "-wal"));
    if (wal) return fail(Code::journal, "the new journal could not be completed: " + made.string() + "-wal is there");
    TPF_TRY(order.fs.rename(made, beside(order.journal, "rebuilt-" + suffix)));
    return order.fs.sync_folder(order.journal.parent_path());
}

Result<Path> set_aside(FileSystem& fs, const Path& folder, const std::string& suffix) {
    const Path kept = beside(folder, "damaged-" + suffix);
    TPF_TRY(fs.rename(folder, kept));
    TPF_TRY(fs.sync_folder(folder.parent_path()));
    return kept;
}

}  // namespace

Result<RebuildReport> rebuild_journal(const RebuildOrder& order) {
    TPF_TRY(const auto finished, finish_rebuild(order.fs, order.journal));
    TPF_TRY(const std::string suffix, free_suffix(order));
    const Path path = beside(order.journal, "rebuilding");
    TPF_TRY(const bool folder_there, exists(order.fs, order.journal.parent_path()));
    if (!folder_there) {
        TPF_TRY(order.fs.make_folder(order.journal.parent_path(), 0700));
    }
    RebuildReport report;
    bool copy_is_good = false;
    {
        TPF_TRY(auto old, OldJournal::open(order.journal, order.audit));
        TPF_TRY(auto made, NewJournal::make(order.fs, path, order.audit));
        Rebuild rebuild(order, made, old);
        TPF_TRY(rebuild.run());
        TPF_TRY(check_new(made, order));
        TPF_TRY(made.close());
        report = std::move(rebuild.report);
        report.database.trouble = old.why();
        copy_is_good = rebuild.copy_is_good;
    }
    TPF_TRY(settle(order, path, suffix));
    TPF_TRY(report.kept, finish_rebuild(order.fs, order.journal));
    report.kept.insert(report.kept.begin(), finished.begin(), finished.end());
    if (!copy_is_good) {
        TPF_TRY(const Path kept, set_aside(order.fs, order.copy, suffix));
        report.kept.push_back(kept.string());
    }
    return report;
}

Result<std::vector<std::string>> finish_rebuild(FileSystem& fs, const Path& journal) {
    const std::string mark = journal.filename().string() + ".rebuilt-";
    std::vector<std::string> kept;
    const auto names = fs.list(journal.parent_path());
    if (!names && names.error().code() == Code::not_found) return kept;
    if (!names) return fail(names.error());
    for (const std::string& name : names.value()) {
        if (!name.starts_with(mark)) continue;
        const std::string aside = beside(journal, "damaged-" + name.substr(mark.size()));
        // The WAL first: beside another database it would be taken for that one's.
        for (const char* suffix : {"-wal", ""}) {
            TPF_TRY(const bool there, exists(fs, journal.string() + suffix));
            if (!there) continue;
            TPF_TRY(fs.rename(journal.string() + suffix, aside + suffix));
            kept.push_back(aside + suffix);
        }
        TPF_TRY(fs.sync_folder(journal.parent_path()));
        TPF_TRY(fs.rename(journal.parent_path() / name, journal));
        TPF_TRY(fs.sync_folder(journal.parent_path()));
    }
    return kept;
}

}  // namespace tpf::queue
