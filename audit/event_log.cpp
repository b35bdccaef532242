#include "audit/event_log.h"

#include <algorithm>
#include <bit>

#include "audit/pseudonym_list.h"
#include "audit/segments.h"
#include "base/encoding.h"

namespace tpf::audit {
namespace {

constexpr std::string_view kSchema = R"sql(
CREATE TABLE IF NOT EXISTS audit(seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL,
  actor TEXT NOT NULL, message TEXT, fields TEXT NOT NULL, leaf BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS audit_nodes(id INTEGER PRIMARY KEY, hash BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS audit_by_message ON audit(message) WHERE message IS NOT NULL;
CREATE TRIGGER IF NOT EXISTS audit_next_only BEFORE INSERT ON audit
  WHEN new.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM audit)
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS audit_no_update BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS audit_no_delete BEFORE DELETE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS audit_nodes_next_only BEFORE INSERT ON audit_nodes
  WHEN new.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM audit_nodes)
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS audit_nodes_no_update BEFORE UPDATE ON audit_nodes
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS audit_nodes_no_delete BEFORE DELETE ON audit_nodes
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
)sql";
constexpr std::string_view kColumns = "SELECT seq, time, kind, actor, message, fields, leaf FROM audit ";
constexpr std::string_view kRowsAfter =
    "SELECT seq, time, kind, actor, message, fields, leaf FROM audit WHERE seq>?1 ORDER BY seq LIMIT ?2";

std::string row_name(std::uint64_t seq) {
    return "audit entry " + std::to_string(seq);
}
std::string node_name(unsigned level, std::uint64_t index) {
    return "node " + std::to_string(index) + " of level " + std::to_string(level) +
           " of the audit log's tree (entries " + std::to_string((index << level) + 1) + " to " +
           std::to_string((index + 1) << level) + ")";
}

std::optional<Digest> digest_in(const sqlite::Statement& statement, int column) {
    const auto bytes = statement.blob(column);
    Digest digest{};
    if (bytes.size() != digest.size()) return std::nullopt;
    std::copy(bytes.begin(), bytes.end(), digest.begin());
    return digest;
}

Result<LoggedEvent> read_event(const sqlite::Statement& statement) {
    LoggedEvent event;
    event.seq = static_cast<std::uint64_t>(statement.number(0));
    event.time = UtcTime(std::chrono::seconds(statement.number(1)));
    event.kind = statement.text(2);
    event.actor = statement.text(3);
    if (const auto text = statement.text_or_null(4)) {
        const auto id = SpoolId::parse(*text);
        if (!id) return fail(Code::journal, row_name(event.seq) + ": message");
        event.message = id.value();
    }
    event.fields = statement.text(5);
    const auto leaf = digest_in(statement, 6);
    if (!leaf) return fail(Code::journal, row_name(event.seq) + ": no leaf hash");
    event.leaf = *leaf;
    return event;
}

/// The bytes of the entry that the row is, when it is number `seq` and has the leaf hash of that row.
Result<std::string> checked(const LoggedEvent& event, std::uint64_t seq) {
    if (event.seq != seq)
        return fail(Code::journal, row_name(event.seq) + " stands where entry " + std::to_string(seq) +
                                       " belongs: what is between them is missing");
    auto bytes = canonical_entry(event);
    if (!bytes) return fail(Code::journal, row_name(seq) + " is " + bytes.error().detail());
    if (leaf_hash(bytes.value()) != event.leaf)
        return fail(Code::journal, row_name(seq) + " does not match its leaf hash");
    return bytes;
}

Status insert(sqlite::Database& db, const EntryParts& entry, const Digest& leaf) {
    TPF_TRY(auto statement, db.prepare("INSERT INTO audit(seq, time, kind, actor, message, fields, leaf) "
                                       "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
    statement.bind(1, static_cast<std::int64_t>(entry.seq));
    statement.bind(2, std::int64_t{entry.time.time_since_epoch().count()});
    statement.bind(3, entry.kind).bind(4, entry.actor).bind(6, entry.fields).bind_blob(7, leaf);
    if (entry.message) statement.bind(5, entry.message->view());
    return statement.run();
}

Status insert_nodes(sqlite::Database& db, std::uint64_t old_size, const std::vector<Digest>& completed) {
    std::uint64_t id = nodes_of_size(old_size);
    for (const Digest& node : completed) {
        TPF_TRY(auto statement, db.prepare("INSERT INTO audit_nodes(id, hash) VALUES(?1, ?2)"));
        statement.bind(1, static_cast<std::int64_t>(++id));
        TPF_TRY(statement.bind_blob(2, node).run());
    }
    return ok();
}

/// The tree head that `leaf` makes as the next one; `completed` as append() sets it. Nothing is written.
Result<TreeHead> next_head(sqlite::Database& db, std::uint64_t size, const Digest& leaf,
                           std::vector<Digest>& completed) {
    StoredNodes nodes(db);
    TPF_TRY(CompactRange edge, range_at(nodes, size));
    append(edge, leaf, completed);
    return head_of(edge);
}

/// Nodes may be damaged where every entry is good: then the leaf hashes tell.
Result<CompactRange> edge_from_leaves(sqlite::Database& db, std::uint64_t size) {
    TPF_TRY(auto statement, db.prepare("SELECT leaf FROM audit WHERE seq<=?1 ORDER BY seq"));
    statement.bind(1, static_cast<std::int64_t>(size));
    CompactRange edge;
    while (true) {
        TPF_TRY(const bool more, statement.step());
        if (!more) return edge;
        const auto leaf = digest_in(statement, 0);
        if (!leaf) return fail(Code::journal, row_name(edge.size + 1) + ": no leaf hash");
        append(edge, *leaf);
    }
}

Result<CompactRange> edge_of(sqlite::Database& db, const TreeHead& head) {
    StoredNodes nodes(db);
    auto edge = range_at(nodes, head.size);
    if (edge && head_of(edge.value()) == head) return edge;
    TPF_TRY(CompactRange recomputed, edge_from_leaves(db, head.size));
    if (head_of(recomputed) == head) return recomputed;
    return fail(Code::journal, "the audit log up to entry " + std::to_string(head.size) + " is another one");
}

/// The nodes that are stored, in their order, held against those that verify() computes.
class NodeWalk {
  public:
    static Result<NodeWalk> begin(sqlite::Database& db, std::uint64_t size) {
        TPF_TRY(auto statement, db.prepare("SELECT id, hash FROM audit_nodes WHERE id>?1 ORDER BY id"));
        statement.bind(1, static_cast<std::int64_t>(nodes_of_size(size)));
        return NodeWalk(std::move(statement));
    }
    /// Leaf `index` completed these.
    Status next(std::uint64_t index, const std::vector<Digest>& completed) {
        for (unsigned level = 1; level <= completed.size(); ++level) {
            const std::uint64_t at = index >> level;
            TPF_TRY(const bool found, statement_.step());
            if (!found || static_cast<std::uint64_t>(statement_.number(0)) != node_row(level, at))
                return fail(Code::journal, node_name(level, at) + " is missing");
            if (digest_in(statement_, 1) != completed[level - 1])
                return fail(Code::journal, node_name(level, at) + " does not follow from its entries");
        }
        return ok();
    }

  private:
    explicit NodeWalk(sqlite::Statement statement) : statement_(std::move(statement)) {}
    sqlite::Statement statement_;
};

Result<bool> any(sqlite::Database& db, std::string_view select, std::uint64_t number) {
    TPF_TRY(auto statement, db.prepare(select));
    return statement.bind(1, static_cast<std::int64_t>(number)).step();
}

/// Behind the last entry, and before the first.
Status nothing_beside(sqlite::Database& db, std::uint64_t size) {
    TPF_TRY(const bool row, any(db, "SELECT 1 FROM audit WHERE seq<1 AND ?1 IS NOT NULL LIMIT 1", size));
    TPF_TRY(const bool node, any(db, "SELECT 1 FROM audit_nodes WHERE id<1 OR id>?1 LIMIT 1", nodes_of_size(size)));
    if (row) return fail(Code::journal, "the audit log has an entry with a number below 1");
    if (node)
        return fail(Code::journal, "the audit log's tree has nodes that its " + std::to_string(size) +
                                       " entries do not make up: entries at its end are missing");
    return ok();
}

}  // namespace

std::uint64_t nodes_of_size(std::uint64_t size) {
    return size - static_cast<std::uint64_t>(std::popcount(size));
}

std::uint64_t node_row(unsigned level, std::uint64_t index) {
    return nodes_of_size(((index + 1) << level) - 1) + level;
}

Result<Digest> StoredNodes::node(unsigned level, std::uint64_t index) {
    TPF_TRY(auto statement, db_->prepare(level == 0 ? "SELECT leaf FROM audit WHERE seq=?1"
                                                    : "SELECT hash FROM audit_nodes WHERE id=?1"));
    statement.bind(1, static_cast<std::int64_t>(level == 0 ? index + 1 : node_row(level, index)));
    TPF_TRY(const bool found, statement.step());
    const auto digest = found ? digest_in(statement, 0) : std::nullopt;
    if (!digest) return fail(Code::journal, node_name(level, index) + " is missing");
    return *digest;
}

Status EventLog::prepare(sqlite::Database& db) {
    TPF_TRY(db.execute(kSchema));
    TPF_TRY(prepare_checkpoints(db));
    TPF_TRY(prepare_segments(db));
    return prepare_lists(db);
}

Result<WrittenEntry> EventLog::append(sqlite::Database& db, const AuditEntry& entry, UtcTime time) {
    TPF_TRY(const std::uint64_t before, size(db));
    EntryParts parts{before + 1, time, std::string(to_string(entry.kind())), entry.actor(), entry.message(), {}};
    TPF_TRY(parts.fields, fields_text(entry));
    auto bytes = canonical_entry(parts);
    if (!bytes) return fail(Code::internal, bytes.error().detail());
    const Digest leaf = leaf_hash(bytes.value());
    std::vector<Digest> completed;
    TPF_TRY(const TreeHead head, next_head(db, before, leaf, completed));
    TPF_TRY(insert(db, parts, leaf));
    TPF_TRY(insert_nodes(db, before, completed));
    if (entry.witnessed()) {
        TPF_TRY(keep_witnessed(db, *entry.witnessed(), time));
    }
    return WrittenEntry{head, parts.message, std::move(bytes).value()};
}

Status EventLog::seal(sqlite::Database& db, UtcTime time) {
    const CheckpointSigner* const keys = signer_;
    const auto signer = keys == nullptr ? nullptr : keys->signer();
    return signer ? make_checkpoint(db, *this, *signer, time) : ok();
}

Result<std::uint64_t> EventLog::size(sqlite::Database& db) {
    TPF_TRY(auto statement, db.prepare("SELECT coalesce(max(seq), 0) FROM audit"));
    TPF_TRY(const bool found, statement.step());
    return found ? static_cast<std::uint64_t>(statement.number(0)) : 0;
}

Result<TreeHead> EventLog::head(sqlite::Database& db, std::uint64_t size_then) {
    TPF_TRY(const std::uint64_t now, size(db));
    if (size_then > now) return fail(Code::not_found, "no " + row_name(size_then));
    StoredNodes nodes(db);
    TPF_TRY(const CompactRange edge, range_at(nodes, size_then));
    return head_of(edge);
}

Result<std::vector<WrittenEntry>> EventLog::entries(sqlite::Database& db, const TreeHead& from, std::size_t limit) {
    TPF_TRY(CompactRange at, edge_of(db, from));
    TPF_TRY(auto statement, db.prepare(kRowsAfter));
    statement.bind(1, static_cast<std::int64_t>(from.size)).bind(2, static_cast<std::int64_t>(limit));
    std::vector<WrittenEntry> entries;
    while (true) {
        TPF_TRY(const bool more, statement.step());
        if (!more) return entries;
        TPF_TRY(const LoggedEvent event, read_event(statement));
        TPF_TRY(std::string bytes, checked(event, at.size + 1));
        audit::append(at, event.leaf);
        entries.push_back({head_of(at), event.message, std::move(bytes)});
    }
}

Result<WrittenEntry> EventLog::follow(sqlite::Database& db, std::string_view canonical) {
    TPF_TRY(const EntryParts parts, parse_entry(canonical));
    TPF_TRY(const std::uint64_t before, size(db));
    if (parts.seq != before + 1)
        return fail(Code::journal, row_name(parts.seq) + " does not follow entry " + std::to_string(before));
    std::vector<Digest> completed;
    TPF_TRY(const TreeHead head, next_head(db, before, leaf_hash(canonical), completed));
    return WrittenEntry{head, parts.message, std::string(canonical)};
}

Status EventLog::restore(sqlite::Database& db, const WrittenEntry& entry) {
    TPF_TRY(const EntryParts parts, parse_entry(entry.canonical));
    TPF_TRY(const std::uint64_t before, size(db));
    const Digest leaf = leaf_hash(entry.canonical);
    std::vector<Digest> completed;
    TPF_TRY(const TreeHead head, next_head(db, before, leaf, completed));
    if (head != entry.head || parts.seq != head.size)
        return fail(Code::journal, row_name(parts.seq) + " is not the next one of this log");
    TPF_TRY(insert(db, parts, leaf));
    return insert_nodes(db, before, completed);
}

Result<std::vector<LoggedEvent>> EventLog::list(sqlite::Database& db, const EventFilter& filter) {
    std::string sql(kColumns);
    sql += "WHERE seq>?1";
    if (filter.through) sql += " AND seq<=?8";
    if (filter.from) sql += " AND time>=?2";
    if (filter.until) sql += " AND time<?3";
    if (filter.kind) sql += " AND kind=?4";
    if (filter.actor) sql += " AND actor=?5";
    if (filter.message) sql += " AND message=?6";
    if (!filter.kommune.empty() || !filter.to_register.empty())
        sql += " AND message IN (SELECT id FROM messages WHERE 1";
    if (!filter.kommune.empty()) sql += " AND (substr(sender, 1, 4)=?9 OR substr(name, 1, 4)=?9)";
    if (!filter.to_register.empty()) sql += " AND register=?10";
    if (!filter.kommune.empty() || !filter.to_register.empty()) sql += " AND messages.id=audit.message)";
    sql += filter.newest_first ? " ORDER BY seq DESC LIMIT ?7" : " ORDER BY seq LIMIT ?7";
    TPF_TRY(auto statement, db.prepare(sql));
    statement.bind(1, static_cast<std::int64_t>(filter.after));
    if (filter.from) statement.bind(2, std::int64_t{filter.from->time_since_epoch().count()});
    if (filter.until) statement.bind(3, std::int64_t{filter.until->time_since_epoch().count()});
    if (filter.kind) statement.bind(4, to_string(*filter.kind));
    if (filter.actor) statement.bind(5, *filter.actor);
    if (filter.message) statement.bind(6, filter.message->view());
    statement.bind(7, static_cast<std::int64_t>(filter.limit));
    if (filter.through) statement.bind(8, static_cast<std::int64_t>(*filter.through));
    if (!filter.kommune.empty()) statement.bind(9, filter.kommune);
    if (!filter.to_register.empty()) statement.bind(10, filter.to_register);
    std::vector<LoggedEvent> events;
    while (true) {
        TPF_TRY(const bool more, statement.step());
        if (!more) return events;
        TPF_TRY(auto event, read_event(statement));
        events.push_back(std::move(event));
    }
}

Result<std::uint64_t> EventLog::verify(sqlite::Database& db, CompactRange& at, std::size_t limit) {
    TPF_TRY(auto statement, db.prepare(kRowsAfter));
    statement.bind(1, static_cast<std::int64_t>(at.size)).bind(2, static_cast<std::int64_t>(limit));
    TPF_TRY(NodeWalk nodes, NodeWalk::begin(db, at.size));
    std::vector<Digest> completed;
    for (std::uint64_t done = 0;; ++done) {
        TPF_TRY(const bool more, statement.step());
        if (!more) {
            if (done < limit) {
                TPF_TRY(nothing_beside(db, at.size));
            }
            return done;
        }
        TPF_TRY(const LoggedEvent event, read_event(statement));
        TPF_TRY(const std::string bytes, checked(event, at.size + 1));
        CompactRange next = at;
        audit::append(next, event.leaf, completed);
        TPF_TRY(nodes.next(at.size, completed));
        at = std::move(next);
    }
}

}  // namespace tpf::audit
