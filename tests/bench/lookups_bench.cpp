// tpf-lookups-bench DIR OCCURRENCES PERSONS EACH: what questions in the pseudonym log cost. Writes lists of EACH
// persons each, drawn from PERSONS, until there are OCCURRENCES; makes the index; asks for persons, first with the
// index's files dropped from the page cache, then again. Prints one JSON object. DIR is there and empty; it takes some
// 45 bytes an occurrence.

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

void drop_from_cache(const Path& folder) {
    for (const std::string& name : must(posix_file_system().list(folder))) {
        const int fd = ::open((folder / name).c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) continue;
        ::fsync(fd);
        ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        ::close(fd);
    }
}

/// Seconds of each question, sorted; the messages found by all.
std::vector<double> ask(audit::OccurrenceIndex& index, std::uint64_t persons, const Path* cold, std::uint64_t& found) {
    std::vector<double> seconds;
    for (std::uint64_t q = 0; q < kQuestions; ++q) {
        if (cold != nullptr) drop_from_cache(*cold);
        const double begun = now(CLOCK_MONOTONIC);
        found += must(index.find({person(mixed(q + 1'000'000'007) % persons)})).messages.size();
        seconds.push_back(now(CLOCK_MONOTONIC) - begun);
    }
    std::sort(seconds.begin(), seconds.end());
    return seconds;
}

Json summary(const std::vector<double>& seconds) {
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
    std::uint64_t found = 0;
    const auto cold = ask(*index, persons, &place, found);
    const auto warm = ask(*index, persons, nullptr, found);
    std::printf("%s\n", Json{{"occurrences", occurrences},
                             {"messages", must(lists.size())},
                             {"index_seconds", wall},
                             {"index_processor_seconds", used},
                             {"index_bytes", bytes},
                             {"runs", files.size()},
                             {"found_in_each", static_cast<double>(found) / (2 * kQuestions)},
                             {"cold_seconds", summary(cold)},
                             {"warm_seconds", summary(warm)}}
                            .dump(1)
                            .c_str());
    return 0;
}
