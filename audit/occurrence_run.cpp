#include "audit/occurrence_run.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <queue>

#include "base/encoding.h"

namespace tpf::audit {
namespace {

constexpr std::size_t kEntry = 12;
constexpr std::size_t kPerBlock = 682;
constexpr std::size_t kBlock = kPerBlock * kEntry;
constexpr std::size_t kFence = 16;
constexpr std::size_t kUuid = 36;
constexpr std::size_t kTail = 8 + 32;  // length of the facts, digest of all tables
constexpr std::uint64_t kMostFacts = 1 << 20;
constexpr std::uint64_t kAskEvery = 1 << 20;  // occurrences: a second at most
constexpr std::string_view kForm = "tpf-occurrences-1";

void put_number(std::vector<std::uint8_t>& out, std::uint64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}
std::uint64_t number_at(const std::uint8_t* at, std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | at[i];
    return value;
}
void append(std::vector<std::uint8_t>& out, std::string_view text) {
    out.insert(out.end(), text.begin(), text.end());
}

Error damaged() {
    return Error(Code::record_damaged, "a run of the occurrence index is damaged");
}

Result<std::vector<std::uint8_t>> read_part(File& file, std::uint64_t from, std::uint64_t size) {
    std::vector<std::uint8_t> bytes(size);
    TPF_TRY(file.seek(from));
    TPF_TRY(const std::size_t got, file.read(bytes));
    if (got != size) return fail(damaged());
    return bytes;
}

std::string facts_text(const RunFacts& facts, std::uint64_t messages) {
    nlohmann::json json{{"form", kForm},
                        {"first", facts.first},
                        {"last", facts.last},
                        {"root", facts.root},
                        {"occurrences", facts.occurrences},
                        {"messages", messages},
                        {"unreadable", facts.unreadable},
                        {"not_recorded", facts.not_recorded}};
    return json.dump();
}

/// Nothing where it is not what facts_text() writes.
std::optional<RunFacts> facts_of(std::string_view text, std::uint64_t& messages) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) return std::nullopt;
    RunFacts facts;
    try {
        facts = {json.at("first"),       json.at("last"),       json.at("root"),
                 json.at("occurrences"), json.at("unreadable"), json.at("not_recorded")};
        messages = json.at("messages");
    } catch (const nlohmann::json::exception&) {
        return std::nullopt;
    }
    if (facts_text(facts, messages) != text) return std::nullopt;
    return facts;
}

}  // namespace

OccurrenceKey occurrence_key(const PseudonymBytes& bytes) {
    OccurrenceKey key{};
    std::copy_n(bytes.begin(), key.size(), key.begin());
    return key;
}

Result<RunWriter> RunWriter::create(FileSystem& fs, const Path& path) {
    TPF_TRY(auto file, fs.create(path, 0600));
    return RunWriter(std::move(file));
}

Status RunWriter::add(const Occurrence& occurrence) {
    block_.insert(block_.end(), occurrence.key.begin(), occurrence.key.end());
    put_number(block_, occurrence.message, 4);
    ++count_;
    return block_.size() < kBlock ? ok() : flush();
}

Status RunWriter::flush() {
    if (block_.empty()) return ok();
    fence_.insert(fence_.end(), block_.begin(), block_.begin() + 8);
    const Digest digest = sha256(block_);
    fence_.insert(fence_.end(), digest.begin(), digest.begin() + 8);
    TPF_TRY(file_->write(block_));
    file_->start_writeback();
    block_.clear();
    return ok();
}

Status RunWriter::end(RunFacts facts, const std::vector<SpoolId>& messages) {
    TPF_TRY(flush());
    facts.occurrences = count_;
    for (const SpoolId& id : messages) append(fence_, id.view());
    const std::string text = facts_text(facts, messages.size());
    append(fence_, text);
    put_number(fence_, text.size(), 8);
    const Digest digest = sha256(fence_);
    fence_.insert(fence_.end(), digest.begin(), digest.end());
    TPF_TRY(file_->write(fence_));
    return file_->sync();
}

Result<Run> Run::open(FileSystem& fs, const Path& path) {
    TPF_TRY(auto file, fs.open_read(path));
    TPF_TRY(const FileInfo info, fs.info(*file));
    if (info.size < kTail) return fail(damaged());
    TPF_TRY(const auto tail, read_part(*file, info.size - kTail, kTail));
    const std::uint64_t length = number_at(tail.data(), 8);
    if (length > kMostFacts || info.size < kTail + length) return fail(damaged());
    TPF_TRY(const auto text, read_part(*file, info.size - kTail - length, length));
    std::uint64_t messages = 0;
    auto facts = facts_of(as_text(text), messages);
    if (!facts || messages > info.size / kUuid || facts->occurrences > info.size / kEntry) return fail(damaged());
    const std::uint64_t blocks = (facts->occurrences + kPerBlock - 1) / kPerBlock;
    const std::uint64_t tables = blocks * kFence + messages * kUuid;
    if (info.size != facts->occurrences * kEntry + tables + length + kTail) return fail(damaged());
    TPF_TRY(auto bytes, read_part(*file, facts->occurrences * kEntry, tables + length + 8));
    const Digest digest = sha256(bytes);
    if (!std::equal(digest.begin(), digest.end(), tail.begin() + 8)) return fail(damaged());
    std::vector<SpoolId> ids;
    ids.reserve(messages);
    for (std::uint64_t i = 0; i < messages; ++i) {
        const auto id = SpoolId::parse(as_text(ByteView(bytes).subspan(blocks * kFence + i * kUuid, kUuid)));
        if (!id) return fail(damaged());
        ids.push_back(id.value());
    }
    bytes.resize(blocks * kFence);
    return Run(std::move(file), std::move(*facts), std::move(ids), std::move(bytes));
}

Status Run::load(std::size_t block) {
    if (loaded_ == block) return ok();
    const std::uint64_t from = std::uint64_t{block} * kBlock;
    TPF_TRY(block_, read_part(*file_, from, std::min<std::uint64_t>(kBlock, facts_.occurrences * kEntry - from)));
    const Digest digest = sha256(block_);
    loaded_.reset();
    if (!std::equal(digest.begin(), digest.begin() + 8,
                    fence_.begin() + static_cast<std::ptrdiff_t>(block * kFence + 8)))
        return fail(damaged());
    loaded_ = block;
    return ok();
}

Occurrence Run::at(std::size_t number) const {
    Occurrence one{};
    std::copy_n(block_.begin() + static_cast<std::ptrdiff_t>(number * kEntry), one.key.size(), one.key.begin());
    one.message = static_cast<std::uint32_t>(number_at(block_.data() + number * kEntry + 8, 4));
    return one;
}

Status Run::find(const OccurrenceKey& key, std::set<SpoolId>& into) {
    const auto first_key = [&](std::size_t block) {
        OccurrenceKey first{};
        std::copy_n(fence_.begin() + static_cast<std::ptrdiff_t>(block * kFence), first.size(), first.begin());
        return first;
    };
    // The first block that begins with the key or behind it; the one before may end with it.
    std::size_t low = 0;
    for (std::size_t high = blocks(); low < high;) {
        const std::size_t middle = (low + high) / 2;
        if (first_key(middle) < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (std::size_t block = low == 0 ? 0 : low - 1; block < blocks() && first_key(block) <= key; ++block) {
        TPF_TRY(load(block));
        for (std::size_t i = 0; i < block_.size() / kEntry; ++i) {
            const Occurrence one = at(i);
            if (one.key != key) continue;
            if (one.message >= messages_.size()) return fail(damaged());
            into.insert(messages_[one.message]);
        }
    }
    return ok();
}

Result<std::optional<Occurrence>> Run::next() {
    if (next_block_ == blocks()) return std::optional<Occurrence>();
    TPF_TRY(load(next_block_));
    const Occurrence one = at(next_in_block_);
    if (one.message >= messages_.size()) return fail(damaged());
    if (++next_in_block_ == block_.size() / kEntry) {
        ++next_block_;
        next_in_block_ = 0;
    }
    return std::optional(one);
}

Result<bool> merge_runs(FileSystem& fs, std::vector<Run>& runs, const Path& to, RunFacts facts,
                        const std::set<SpoolId>& without, const std::function<bool()>& go_on) {
    constexpr std::uint32_t kDropped = UINT32_MAX;
    std::vector<SpoolId> messages;
    std::vector<std::vector<std::uint32_t>> numbers(runs.size());
    for (std::size_t i = 0; i < runs.size(); ++i) {
        for (const SpoolId& id : runs[i].messages()) {
            numbers[i].push_back(without.contains(id) ? kDropped : static_cast<std::uint32_t>(messages.size()));
            if (!without.contains(id)) messages.push_back(id);
        }
    }
    struct Head {
        Occurrence one;
        std::size_t run;
        bool operator>(const Head& other) const { return one > other.one; }
    };
    std::priority_queue<Head, std::vector<Head>, std::greater<>> heads;
    const auto advance = [&](std::size_t run) -> Status {
        while (true) {
            TPF_TRY(auto one, runs[run].next());
            if (!one) return ok();
            one->message = numbers[run][one->message];
            if (one->message == kDropped) continue;
            heads.push({*one, run});
            return ok();
        }
    };
    for (std::size_t i = 0; i < runs.size(); ++i) {
        TPF_TRY(advance(i));
    }
    TPF_TRY(auto out, RunWriter::create(fs, to));
    for (std::uint64_t done = 0; !heads.empty(); ++done) {
        if (done % kAskEvery == 0 && !go_on()) {
            TPF_TRY(fs.remove_file(to));
            return false;
        }
        const Head head = heads.top();
        heads.pop();
        TPF_TRY(out.add(head.one));
        TPF_TRY(advance(head.run));
    }
    TPF_TRY(out.end(std::move(facts), messages));
    return true;
}

}  // namespace tpf::audit
