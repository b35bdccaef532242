#include "audit/pseudonym_list.h"

#include <sys/random.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/encoding.h"

namespace tpf::audit {
namespace {

constexpr std::string_view kMagic = "tpf-pseudonyms-1";
constexpr std::string_view kEnd = "tpf-pseudonyms-slutt";
constexpr std::size_t kBuffer = 64 * 1000;  // whole records
constexpr std::size_t kMostVersions = 4;
constexpr std::uint64_t kMostPersons = 10'000'000;
constexpr std::size_t kRegisterBytes = 12;
constexpr std::size_t kSaltAt = kListHeader - 32;
static_assert(kMagic.size() == 16 && kEnd.size() == kListRecord && kBuffer % kListRecord == 0);

void put_number(std::string& out, std::uint64_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xff));
}

std::uint64_t number_at(std::string_view text, std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(text[at + i]);
    return value;
}

std::string uuid_bytes(const SpoolId& id) {
    std::string digits;
    for (const char c : id.view()) {
        if (c != '-') digits.push_back(c);
    }
    const auto bytes = from_hex(digits);
    return bytes ? std::string(as_text(bytes.value())) : std::string();
}

Result<SpoolId> uuid_of(std::string_view bytes) {
    std::string text = hex(as_bytes(bytes));
    for (const std::size_t at : {8U, 13U, 18U, 23U}) text.insert(at, 1, '-');
    return SpoolId::parse(text);
}

std::string header_text(const ListHeader& header) {
    std::string out(kMagic);
    out += uuid_bytes(header.message);
    out += header.reg.str();
    out.resize(32 + kRegisterBytes, '\0');
    put_number(out, header.persons);
    put_number(out, header.versions.size());
    for (const unsigned version : header.versions) put_number(out, version);
    out.resize(kSaltAt, '\0');
    out += as_text(header.salt);
    return out;
}

std::optional<ListHeader> header_of(std::string_view text) {
    if (text.size() != kListHeader || !text.starts_with(kMagic)) return std::nullopt;
    const auto message = uuid_of(text.substr(16, 16));
    std::string_view name = text.substr(32, kRegisterBytes);
    name = name.substr(0, name.find('\0'));
    const auto reg = RegisterName::parse(name);
    const std::uint64_t versions = number_at(text, 48);
    if (!message || !reg || versions == 0 || versions > kMostVersions) return std::nullopt;
    ListHeader header{message.value(), reg.value(), number_at(text, 44), {}, {}};
    for (std::size_t i = 0; i < versions; ++i)
        header.versions.push_back(static_cast<unsigned>(number_at(text, 52 + 4 * i)));
    std::copy_n(text.begin() + kSaltAt, header.salt.size(), header.salt.begin());
    if (header.persons > kMostPersons || header_text(header) != text) return std::nullopt;
    return header;
}

std::uint64_t file_size(const ListHeader& header) {
    return kListHeader + kListRecord * (header.persons * header.versions.size() + 1);
}

constexpr std::uint8_t kNoDigit = 0xff;
constexpr auto kDigits = [] {
    std::array<std::uint8_t, 256> digits{};
    digits.fill(kNoDigit);
    constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
    for (std::size_t i = 0; i < kAlphabet.size(); ++i)
        digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
    return digits;
}();

std::optional<PseudonymBytes> from_base32(std::string_view text) {
    if (text.size() != 32) return std::nullopt;
    PseudonymBytes bytes{};
    unsigned seen = 0;
    for (std::size_t group = 0; group < 4; ++group) {
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < 8; ++i) {
            const unsigned digit = kDigits[static_cast<unsigned char>(text[group * 8 + i])];
            seen |= digit;
            bits = bits << 5 | (digit & 31);
        }
        for (std::size_t i = 0; i < 5; ++i) bytes[group * 5 + i] = static_cast<std::uint8_t>(bits >> (32 - 8 * i));
    }
    return seen < 32 ? std::optional(bytes) : std::nullopt;
}

ListState state_of(const std::string& kind, std::uint64_t seq, const std::string& fields) {
    ListState state;
    state.seq = seq;
    const auto json = nlohmann::json::parse(fields, nullptr, false);
    if (kind == "list-deleted") {
        state.kind = ListKind::deleted;
        return state;
    }
    const auto text = [&](const char* name) {
        const auto found = json.is_object() ? json.find(name) : json.end();
        return json.is_object() && found != json.end() && found->is_string() ? found->get<std::string>()
                                                                             : std::string();
    };
    state.sha256 = text("pseudonyms_sha256");
    state.reg = text("register");
    state.versions = text("pseudonym_versions");
    state.kind = state.sha256.empty() ? ListKind::not_recorded : ListKind::kept;
    return state;
}

}  // namespace

Salt random_salt() {
    Salt salt;
    if (getrandom(salt.data(), salt.size(), 0) != static_cast<ssize_t>(salt.size())) std::abort();
    return salt;
}

Result<Pseudonym> parse_pseudonym(std::string_view text) {
    const auto dash = text.find('-');
    unsigned version = 0;
    const char* const end = text.data() + std::min(dash, text.size());
    const auto [stop, error] = std::from_chars(text.data(), end, version);
    const bool number = error == std::errc{} && stop == end && version != 0 && version <= 9999 && text.front() != '0';
    const auto bytes =
        dash == std::string_view::npos ? std::optional<PseudonymBytes>() : from_base32(text.substr(dash + 1));
    if (!number || !bytes) return fail(Code::usage, "that is not a pseudonym: VERSION-32 characters of a-z and 2-7");
    return Pseudonym{version, *bytes};
}

Status ListWriter::begin(const ListHeader& header) {
    const bool good = !header.versions.empty() && header.versions.size() <= kMostVersions &&
                      header.persons <= kMostPersons && header.reg.str().size() <= kRegisterBytes;
    if (!good || !versions_.empty()) return fail(Code::internal, "a list of pseudonyms with a header that has no form");
    versions_ = header.versions;
    left_ = header.persons * versions_.size();
    return put(as_bytes(header_text(header)));
}

Status ListWriter::add(std::string_view pseudonym) {
    const auto parsed = parse_pseudonym(pseudonym);
    if (!parsed || left_ == 0 || parsed.value().version != versions_[next_])
        return fail(Code::internal, "a pseudonym that does not belong in its message's list");
    --left_;
    next_ = (next_ + 1) % versions_.size();
    return put(parsed.value().bytes);
}

Status ListWriter::add_none() {
    if (left_ < versions_.size() || next_ != 0) return fail(Code::internal, "a person too many in a list");
    left_ -= versions_.size();
    constexpr PseudonymBytes kNone{};
    for (std::size_t i = 0; i < versions_.size(); ++i) {
        TPF_TRY(put(kNone));
    }
    return ok();
}

Result<Digest> ListWriter::end() {
    if (left_ != 0 || versions_.empty()) return fail(Code::internal, "a list of pseudonyms ended before its message");
    TPF_TRY(put(as_bytes(kEnd)));
    TPF_TRY(flush());
    return digest_.finish();
}

Status ListWriter::put(std::span<const std::uint8_t> bytes) {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    return buffer_.size() < kBuffer ? ok() : flush();
}

Status ListWriter::flush() {
    digest_.update(buffer_);
    TPF_TRY(file_.write(buffer_));
    file_.start_writeback();
    buffer_.clear();
    return ok();
}

Result<ListReader> ListReader::open(FileSystem& fs, const Path& path) {
    TPF_TRY(auto file, fs.open_read(path));
    TPF_TRY(const FileInfo info, fs.info(*file));
    std::string first(kListHeader, '\0');
    TPF_TRY(const std::size_t got, file->read({reinterpret_cast<std::uint8_t*>(first.data()), first.size()}));
    auto header = got == kListHeader ? header_of(first) : std::nullopt;
    if (!header || info.size != file_size(*header))
        return fail(Code::record_damaged, path.filename().string() + " in the pseudonym log is no whole list");
    return ListReader(std::move(file), std::move(*header), std::move(first));
}

Result<Digest> ListReader::read(const Each& each) {
    Sha256 digest;
    TPF_TRY(file_->seek(kListHeader));
    digest.update(first_);
    const std::uint64_t records = header_.persons * header_.versions.size();
    std::vector<std::uint8_t> block(kBuffer);
    std::uint64_t number = 0;
    for (bool end = false; !end;) {
        TPF_TRY(const std::size_t got, file_->read(block));
        digest.update(std::span(block.data(), got));
        for (std::size_t at = 0; at + kListRecord <= got; at += kListRecord, ++number) {
            const std::span<const std::uint8_t, kListRecord> record(block.data() + at, kListRecord);
            end = number == records && as_text(record) == kEnd;
            if (number < records) each(number, record);
        }
        if (got == 0 && !end)
            return fail(Code::record_damaged, "a list in the pseudonym log has no end mark: " + header_.message.str());
    }
    return digest.finish();
}

Result<Digest> file_digest(FileSystem& fs, const Path& path) {
    TPF_TRY(const auto file, fs.open_read(path));
    Sha256 digest;
    std::vector<std::uint8_t> block(kBuffer);
    while (true) {
        TPF_TRY(const std::size_t got, file->read(block));
        if (got == 0) return digest.finish();
        digest.update(std::span(block.data(), got));
    }
}

Result<ListState> list_state(sqlite::Database& db, const SpoolId& message) {
    TPF_TRY(auto statement, db.prepare("SELECT kind, seq, fields FROM audit WHERE message=?1 AND "
                                       "kind IN ('pseudonymised', 'list-deleted') ORDER BY seq DESC LIMIT 1"));
    statement.bind(1, message.view());
    TPF_TRY(const bool found, statement.step());
    if (!found) return ListState();
    return state_of(statement.text(0), static_cast<std::uint64_t>(statement.number(1)), statement.text(2));
}

Result<std::vector<ListedMessage>> lists_between(sqlite::Database& db, std::uint64_t after, std::uint64_t through) {
    std::vector<ListedMessage> found;
    {
        TPF_TRY(auto statement, db.prepare("SELECT message, seq FROM audit WHERE seq>?1 AND seq<=?2 AND "
                                           "kind='pseudonymised' AND message IS NOT NULL ORDER BY seq"));
        statement.bind(1, static_cast<std::int64_t>(after)).bind(2, static_cast<std::int64_t>(through));
        while (true) {
            TPF_TRY(const bool more, statement.step());
            if (!more) break;
            TPF_TRY(const SpoolId id, SpoolId::parse(statement.text(0)));
            found.push_back({id, {.seq = static_cast<std::uint64_t>(statement.number(1))}});
        }
    }
    std::vector<ListedMessage> listed;
    for (ListedMessage& one : found) {
        const std::uint64_t seq = one.state.seq;
        TPF_TRY(one.state, list_state(db, one.message));
        if (one.state.seq == seq || one.state.kind == ListKind::deleted) listed.push_back(std::move(one));
    }
    return listed;
}

Result<std::vector<SpoolId>> deleted_lists(sqlite::Database& db) {
    TPF_TRY(auto statement, db.prepare("SELECT DISTINCT message FROM audit WHERE kind='list-deleted'"));
    std::vector<SpoolId> ids;
    while (true) {
        TPF_TRY(const bool more, statement.step());
        if (!more) return ids;
        TPF_TRY(const SpoolId id, SpoolId::parse(statement.text(0)));
        TPF_TRY(const ListState state, list_state(db, id));
        if (state.kind == ListKind::deleted) ids.push_back(id);
    }
}

Status prepare_lists(sqlite::Database& db) {
    return db.execute(
        "CREATE INDEX IF NOT EXISTS audit_deleted_lists ON audit(message) WHERE kind = 'list-deleted';"
        "DROP INDEX IF EXISTS audit_operators;"
        "CREATE INDEX IF NOT EXISTS audit_answered ON audit(time) "
        "WHERE kind = 'operator' AND instr(fields, '\"step\":\"answered\"') > 0");
}

}  // namespace tpf::audit
