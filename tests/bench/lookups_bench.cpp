// tpf-lookups-bench DIR OCCURRENCES PERSONS EACH: what questions in the pseudonym log cost. Writes lists of EACH
// persons each, drawn from PERSONS, until there are OCCURRENCES; makes the index; asks for persons, and reads the lists
// that the index names, as the core does before it answers: first with index and lists dropped from the page cache,
// then again. Prints one JSON object. DIR is there and empty; it takes some 45 bytes an occurrence.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "audit/occurrence_index.h"
#include "base/encoding.h"
#include "tests/bench/measure.h"

namespace {

using namespace tpf;
using bench::must;
using bench::now;
using Json = nlohmann::ordered_json;

constexpr std::size_t kQuestions = 50;

/// splitmix64 (Steele, Lea, Flood 2014): pseudonyms are as evenly spread.
std::uint64_t mixed(std::uint64_t n) {
    n += 0x9e3779b97f4a7c15;
    n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9;
    n = (n ^ n >> 27) * 0x94d049bb133111eb;
    return n ^ n >> 31;
}
audit::PseudonymBytes person(std::uint64_t n) {
    audit::PseudonymBytes bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::uint8_t>(mixed(3 * n + i / 8) >> (8 * (i % 8)));
    return bytes;
}
std::string text_of(const audit::PseudonymBytes& bytes) {
    std::string text = "1-";
    for (std::size_t group = 0; group < 4; ++group) {
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < 5; ++i) bits = bits << 8 | bytes[group * 5 + i];
        for (std::size_t i = 0; i < 8; ++i) text += "abcdefghijklmnopqrstuvwxyz234567"[bits >> (35 - 5 * i) & 31];
    }
    return text;
}

class Lists final : public audit::ListedLog {
  public:
    Lists(Path folder, std::uint64_t occurrences, std::uint64_t persons, std::uint64_t each)
        : folder_(std::move(folder)) {
        FileSystem& fs = posix_file_system();
        std::uint64_t drawn = 0;
        for (std::uint64_t done = 0; done < occurrences; done += each) {
            const SpoolId id = SpoolId::random();
            if (!fs.info(list_of(id).parent_path())) must(fs.make_folder(list_of(id).parent_path(), 0700));
            const auto file = must(fs.create(list_of(id), 0600));
            audit::ListWriter list(*file);
            must(list.begin({id, must(RegisterName::parse("IPLOS")), each, {1}}));
            for (std::uint64_t i = 0; i < each; ++i) must(list.add(text_of(person(mixed(drawn++) % persons))));
            entries_.push_back({id, {audit::ListKind::kept, entries_.size() + 1, hex(must(list.end())), "IPLOS", "1"}});
        }
    }
    Result<std::uint64_t> size() override { return entries_.size(); }
    Result<std::string> root(std::uint64_t size) override { return std::to_string(size); }
    Result<std::vector<audit::ListedMessage>> lists(std::uint64_t after, std::uint64_t through) override {
        return std::vector<audit::ListedMessage>(entries_.begin() + static_cast<std::ptrdiff_t>(after),
                                                 entries_.begin() + static_cast<std::ptrdiff_t>(through));
    }
    Path list_of(const SpoolId& id) override { return folder_ / id.view().substr(0, 2) / id.view(); }

  private:
    Path folder_;
    std::vector<audit::ListedMessage> entries_;
};

void drop_file(const Path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ::fsync(fd);
    ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    ::close(fd);
}

/// Whether the list has the pseudonym: read whole, with its digest.
bool is_in(const Path& list, const audit::PseudonymBytes& wanted) {
    auto reader = must(audit::ListReader::open(posix_file_system(), list));
    bool found = false;
    static_cast<void>(must(reader.read([&](std::uint64_t, auto record) {
        found = found || std::equal(record.begin(), record.end(), wanted.begin());
    })));
    return found;
}

struct Answers {
    std::vector<double> index{};  // seconds of each question
    std::vector<double> lists{};  // of reading the lists that it named
    std::uint64_t found = 0;

    void ask(audit::OccurrenceIndex& of, Lists& log, std::uint64_t persons, const Path* cold) {
        for (std::uint64_t q = 0; q < kQuestions; ++q) {
            const auto wanted = person(mixed(q + 1'000'000'007) % persons);
            if (cold != nullptr) {
                for (const std::string& name : must(posix_file_system().list(*cold))) drop_file(*cold / name);
            }
            const double begun = now(CLOCK_MONOTONIC);
            const auto messages = must(of.find({wanted})).messages;
            index.push_back(now(CLOCK_MONOTONIC) - begun);
            if (cold != nullptr) {
                for (const SpoolId& id : messages) drop_file(log.list_of(id));
            }
            const double reading = now(CLOCK_MONOTONIC);
            for (const SpoolId& id : messages) found += is_in(log.list_of(id), wanted) ? 1U : 0U;
            lists.push_back(now(CLOCK_MONOTONIC) - reading);
        }
    }
};

Json summary(std::vector<double> seconds) {
    std::sort(seconds.begin(), seconds.end());
    return {{"median", seconds[seconds.size() / 2]}, {"slowest", seconds.back()}};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fprintf(stderr, "usage: tpf-lookups-bench DIR OCCURRENCES PERSONS EACH\n");
        return 64;
    }
    const Path folder = argv[1];
    const std::uint64_t occurrences = std::strtoull(argv[2], nullptr, 10),
                        persons = std::strtoull(argv[3], nullptr, 10), each = std::strtoull(argv[4], nullptr, 10);
    must(posix_file_system().make_folder(folder / "lists", 0700));
    Lists lists(folder / "lists", occurrences, persons, each);
    const Path place = folder / "index";
    const auto index = must(audit::OccurrenceIndex::open(posix_file_system(), place, lists));
    const double begun = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    must(index->extend(nullptr));
    const double wall = now(CLOCK_MONOTONIC) - begun, used = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    std::uint64_t bytes = 0;
    const auto files = must(posix_file_system().list(place));
    for (const std::string& name : files) bytes += must(posix_file_system().info(place / name)).size;
    Answers cold;
    Answers warm;
    cold.ask(*index, lists, persons, &place);
    warm.ask(*index, lists, persons, nullptr);
    std::printf("%s\n", Json{{"occurrences", occurrences},
                             {"messages", must(lists.size())},
                             {"index_seconds", wall},
                             {"index_processor_seconds", used},
                             {"index_bytes", bytes},
                             {"runs", files.size()},
                             {"found_in_each", static_cast<double>(warm.found) / kQuestions},
                             {"cold_seconds", summary(cold.index)},
                             {"cold_lists_seconds", summary(cold.lists)},
                             {"warm_seconds", summary(warm.index)},
                             {"warm_lists_seconds", summary(warm.lists)}}
                            .dump(1)
                            .c_str());
    return 0;
}
