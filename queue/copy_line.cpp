#include "queue/copy_line.h"

#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/sha256.h"
#include "queue/json_text.h"
#include "queue/row_store.h"

namespace tpf::queue {
namespace {

using Json = nlohmann::json;  // an ordered map: dump() of an entry is its canonical form

constexpr std::string_view kForm = "tpf-copy-2";
constexpr std::string_view kBegin = "{\"form\":\"tpf-copy-2\",\"root\":\"";
constexpr std::string_view kEndMark = ",\"slutt\":\"";
constexpr std::size_t kTail = kEndMark.size() + 64 + 2;  // digest, then "}

/// ,"name":[object,object]  with a comma between.
class List {
  public:
    explicit List(std::string_view name) : name_(name) {}
    std::string& next() {
        text_ += text_.empty() ? ",\"" + std::string(name_) + "\":[" : ",";
        return text_;
    }
    void pair(std::string_view first, std::string_view one, std::string_view second, std::string_view other) {
        std::string& out = next();
        out.append("{\"").append(first).append("\":");
        append_json_text(out, one);
        out.append(",\"").append(second).append("\":");
        append_json_text(out, other);
        out += '}';
    }
    void close_into(std::string& line) {
        if (!text_.empty()) line.append(text_).append("]");
    }

  private:
    std::string_view name_;
    std::string text_;
};

class LineWriter {
  public:
    LineWriter(sqlite::Database& db, std::set<std::string>& known, bool all_days)
        : db_(db), known_(known), all_days_(all_days) {}

    Result<std::string> write(const WrittenEntry& entry) {
        if (entry.message) {
            TPF_TRY(rows("WHERE id=?1", *entry.message, true));
            TPF_TRY(rows("WHERE duplicate_of=?1", *entry.message, false));
        }
        std::string line(kBegin);
        line.append(hex(entry.head.root)).append("\",\"entry\":").append(entry.canonical);
        for (List* list : {&messages_, &settings_, &marks_, &days_}) list->close_into(line);
        const std::string digest = hex(sha256(line));
        return line.append(kEndMark).append(digest).append("\"}\n");
    }

  private:
    struct Wanted {
        std::string settings, marks, avsender, day;
    };

    Status rows(std::string_view where, const SpoolId& id, bool with_day) {
        TPF_TRY(const auto wanted, select(where, id, with_day));
        for (const Wanted& one : wanted) {
            TPF_TRY(text_of(one.settings, "SELECT json FROM settings WHERE digest=?1", settings_, "digest", "json"));
            TPF_TRY(text_of(one.marks, "SELECT base64 FROM marks WHERE sha256=?1", marks_, "sha256", "base64"));
            if (!one.day.empty()) {
                TPF_TRY(day(one));
            }
        }
        return ok();
    }

    Result<std::vector<Wanted>> select(std::string_view where, const SpoolId& id, bool with_day) {
        static const int state = store::column_of("state"), settings = store::column_of("settings"),
                         marks = store::column_of("marked_sha256"), name = store::column_of("name"),
                         committed = store::column_of("committed");
        TPF_TRY(auto statement, db_.prepare(store::select_rows() + std::string(where)));
        statement.bind(1, id.view());
        std::vector<Wanted> wanted;
        while (true) {
            TPF_TRY(const bool more, statement.step());
            if (!more) return wanted;
            store::append_json(statement, messages_.next());
            Wanted& one = wanted.emplace_back(Wanted{statement.text(settings), statement.text(marks), {}, {}});
            if (!with_day || statement.is_null(committed)) continue;
            if (!all_days_ && statement.text(state) != to_string(State::committed)) continue;
            one.avsender = statement.text(name).substr(0, 17);
            one.day = format_date(norwegian_date(UtcTime(std::chrono::seconds(statement.number(committed)))));
        }
    }

    Status text_of(const std::string& digest, std::string_view select, List& list, std::string_view key,
                   std::string_view value) {
        if (digest.empty() || known_.contains(digest)) return ok();
        TPF_TRY(auto statement, db_.prepare(select));
        statement.bind(1, digest);
        TPF_TRY(const bool found, statement.step());
        if (!found) return ok();  // the check says so; the copy is not the place to stop for it
        list.pair(key, digest, value, statement.text(0));
        known_.insert(digest);
        return ok();
    }

    Status day(const Wanted& one) {
        TPF_TRY(auto statement, db_.prepare("SELECT persons FROM persons_day WHERE avsender=?1 AND day=?2"));
        statement.bind(1, one.avsender).bind(2, one.day);
        TPF_TRY(const bool found, statement.step());
        if (!found) return ok();
        std::string& out = days_.next();
        out += "{\"avsender\":";
        append_json_text(out, one.avsender);
        out += ",\"day\":";
        append_json_text(out, one.day);
        out.append(",\"persons\":").append(std::to_string(statement.number(0))).append("}");
        return ok();
    }

    sqlite::Database& db_;
    std::set<std::string>& known_;
    bool all_days_;
    List messages_{"messages"}, settings_{"settings"}, marks_{"marks"}, days_{"persons_day"};
};

std::string text_in(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Failure damaged(const char* what) {
    return fail(Code::record_damaged, what);
}

Status read_tables(const Json& json, CopyLine& line) {
    static const Json kNone = Json::array();
    const auto list = [&json](const char* key) -> const Json& {
        const auto found = json.find(key);
        return found != json.end() && found->is_array() ? *found : kNone;
    };
    for (const Json& one : list("messages")) {
        auto row = store::row_from_json(one);
        if (!row) return damaged("a row does not match its digest");
        line.messages.push_back(std::move(row).value());
    }
    for (const Json& one : list("settings")) {
        std::string digest = text_in(one, "digest"), text = text_in(one, "json");
        if (hex(sha256(text)) != digest) return damaged("settings do not match their digest");
        line.settings.emplace_back(std::move(digest), std::move(text));
    }
    for (const Json& one : list("marks")) {
        std::string digest = text_in(one, "sha256"), text = text_in(one, "base64");
        const auto bytes = from_base64(text);
        if (!bytes || hex(sha256(as_text(bytes.value()))) != digest) return damaged("marks do not match their digest");
        line.marks.emplace_back(std::move(digest), std::move(text));
    }
    for (const Json& one : list("persons_day")) {
        const auto persons = one.find("persons");
        if (persons == one.end() || !persons->is_number_unsigned()) return damaged("persons_day has not its form");
        line.persons_day.push_back({text_in(one, "avsender"), text_in(one, "day"), persons->get<std::uint64_t>()});
    }
    return ok();
}

}  // namespace

Result<std::string> write_copy_line(sqlite::Database& db, const WrittenEntry& entry, std::set<std::string>& known,
                                    bool all_days) {
    return LineWriter(db, known, all_days).write(entry);
}

bool copy_line_is_whole(std::string_view line) {
    if (line.size() <= kTail || !line.ends_with("\"}")) return false;
    const std::string_view body = line.substr(0, line.size() - kTail);
    const std::string_view tail = line.substr(body.size());
    return tail.starts_with(kEndMark) && tail.substr(kEndMark.size(), 64) == hex(sha256(body));
}

Result<CopyLine> parse_copy_line(std::string_view text) {
    if (!copy_line_is_whole(text)) return damaged("a line does not match its end mark");
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return damaged("not a line of this form");
    if (const std::string form = text_in(json, "form"); form != kForm && form.starts_with("tpf-copy-"))
        return fail(Code::journal, "the journal's copy has the form " + form + ", this program knows " +
                                       std::string(kForm) + ": another version of it wrote that");
    if (text_in(json, "form") != kForm) return damaged("not a line of this form");
    const auto entry = json.find("entry");
    if (entry == json.end() || !entry->is_object()) return damaged("a line without its entry");
    const auto seq = entry->find("seq");
    if (seq == entry->end() || !seq->is_number_unsigned()) return damaged("a line without its number");
    CopyLine line;
    line.seq = seq->get<std::uint64_t>();
    line.root = text_in(json, "root");
    line.canonical = entry->dump();
    TPF_TRY(read_tables(json, line));
    return line;
}

}  // namespace tpf::queue
