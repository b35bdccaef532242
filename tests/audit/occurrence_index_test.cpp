#include "audit/occurrence_index.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "base/encoding.h"
#include "tests/support/temp_folder.h"

namespace tpf::audit {
namespace {

PseudonymBytes person(unsigned n) {
    PseudonymBytes bytes{};
    const Digest digest = sha256("person " + std::to_string(n));
    std::copy_n(digest.begin(), bytes.size(), bytes.begin());
    return bytes;
}
std::string text_of(const PseudonymBytes& bytes) {
    std::string text = "1-";
    for (std::size_t group = 0; group < 4; ++group) {
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < 5; ++i) bits = bits << 8 | bytes[group * 5 + i];
        for (std::size_t i = 0; i < 8; ++i) text += "abcdefghijklmnopqrstuvwxyz234567"[bits >> (35 - 5 * i) & 31];
    }
    return text;
}

/// A log of messages, each an entry; the lists in a folder; and what is true, kept beside.
class World final : public ListedLog {
  public:
    explicit World(OccurrenceIndex::Limits limits) : limits_(limits) { reopen(); }

    Result<std::uint64_t> size() override { return entries_.size(); }
    Result<std::string> root(std::uint64_t size) override { return history + std::to_string(size); }
    Result<std::vector<ListedMessage>> lists(std::uint64_t after, std::uint64_t through) override {
        return std::vector<ListedMessage>(entries_.begin() + static_cast<std::ptrdiff_t>(after),
                                          entries_.begin() + static_cast<std::ptrdiff_t>(through));
    }
    Path list_of(const SpoolId& message) override { return folder_.path() / message.view(); }

    SpoolId message(const std::vector<unsigned>& persons) {
        const SpoolId id = SpoolId::random();
        const auto file = fs.create(list_of(id), 0600).value();
        ListWriter list(*file);
        REQUIRE(list.begin({id, RegisterName::parse("IPLOS").value(), persons.size(), {1}}));
        for (const unsigned one : persons) REQUIRE((one == 0 ? list.add_none() : list.add(text_of(person(one)))));
        entries_.push_back({id, {ListKind::kept, entries_.size() + 1, hex(list.end().value()), "IPLOS", "1"}});
        for (const unsigned one : persons) truth_[one].insert(id);
        return id;
    }
    void not_recorded() {
        entries_.push_back({SpoolId::random(), {ListKind::not_recorded, entries_.size() + 1, "", "KPR", "1"}});
    }
    void deleted(const SpoolId& id) {
        for (auto& entry : entries_) {
            if (entry.message == id) entry.state.kind = ListKind::deleted;
        }
        for (auto& [one, messages] : truth_) messages.erase(id);
        // Told to stop it leaves what was; nothing half is left.
        const auto before = files();
        const auto stopped = index->forget(id, [] { return false; });
        REQUIRE(stopped);
        if (!stopped.value()) CHECK(files() == before);
        const auto gone = index->forget(id, [] { return true; });
        REQUIRE(gone);
        REQUIRE(gone.value());
    }
    void reopen() { index = OccurrenceIndex::open(fs, at(), *this, limits_).value(); }
    [[nodiscard]] Path at() const { return folder_.path() / "index"; }
    [[nodiscard]] std::vector<std::string> files() { return fs.list(at()).value(); }
    /// Every person's messages, and the strangers' none.
    void check(unsigned persons) {
        REQUIRE(index->extend(nullptr));
        for (unsigned n = 1; n <= persons; ++n) REQUIRE(found(n) == truth_[n]);
        CHECK(found(1'000'000).empty());
    }
    std::set<SpoolId> found(unsigned n) {
        const auto answer = index->find({person(n)});
        REQUIRE(answer);
        CHECK(answer.value().through == entries_.size());
        return answer.value().messages;
    }

    FileSystem& fs = posix_file_system();
    std::string history = "log ";
    std::unique_ptr<OccurrenceIndex> index;

  private:
    OccurrenceIndex::Limits limits_;
    tpf::test::TempFolder folder_{"/dev/shm"};
    std::vector<ListedMessage> entries_;
    std::map<unsigned, std::set<SpoolId>> truth_;
};

/// `messages` of 1 to 60 of 40 persons, person 7 in most of them.
void fill(World& world, unsigned messages, unsigned seed) {
    std::mt19937 engine(seed);
    const auto random = [&] { return static_cast<unsigned>(engine()); };
    for (unsigned m = 0; m < messages; ++m) {
        std::vector<unsigned> persons;
        for (unsigned i = random() % 60; i > 0; --i) persons.push_back(random() % 41);
        if (random() % 10 != 0) persons.push_back(7);
        world.message(persons);
    }
}

constexpr OccurrenceIndex::Limits kSmall{100, 1000, 3};

}  // namespace

TEST_SUITE("audit/occurrence_index") {
    TEST_CASE("every person's messages are found, however they came and are merged") {
        for (const auto limits :
             {kSmall, OccurrenceIndex::Limits{100'000, 100'000, 3}, OccurrenceIndex::Limits{7, 1, 1}}) {
            World world(limits);
            world.check(40);
            for (unsigned round = 0; round < 6; ++round) {
                fill(world, 1 + round * 20, round);
                world.check(40);
            }
            world.reopen();
            world.check(40);
            for (const std::string& name : world.files()) CHECK_FALSE(name.ends_with(".tmp"));
        }
    }

    TEST_CASE("there are few runs") {
        World world(kSmall);
        for (unsigned i = 0; i < 200; ++i) {
            fill(world, 2, i);
            REQUIRE(world.index->extend(nullptr));
        }
        CHECK(world.files().size() < 10);
        world.check(40);
    }

    TEST_CASE("a key over many blocks") {
        World world({100'000, 100'000, 3});
        for (unsigned i = 0; i < 2000; ++i) world.message({1, 2, 2 + i});
        world.check(50);
    }

    TEST_CASE("what is damaged or left over is made anew") {
        World world(kSmall);
        fill(world, 100, 1);
        world.check(40);
        std::mt19937 random(3);
        for (unsigned round = 0; round < 200; ++round) {
            const auto files = world.files();
            const Path victim = world.at() / files[random() % files.size()];
            std::string bytes = read_small(world.fs, victim, 1 << 22).value();
            if (round % 3 == 0) {
                bytes.resize(random() % bytes.size());
            } else {
                char& one = bytes[random() % bytes.size()];
                one = static_cast<char>(one ^ 1 << random() % 8);
            }
            REQUIRE(write_atomically(world.fs, victim, bytes, 0600));
            if (round % 2 == 0) world.reopen();
            REQUIRE(world.index->extend(nullptr));
            for (unsigned n = 1; n <= 40; ++n) {
                if (const auto answer = world.index->find({person(n)}); !answer) {
                    CHECK(answer.error().code() == Code::record_damaged);
                    REQUIRE(world.index->extend(nullptr));
                }
                REQUIRE(world.found(n) == world.found(n));
            }
            world.check(40);
        }
        REQUIRE(write_new(world.fs, world.at() / "next.tmp", "half", 0600));
        world.reopen();
        world.check(40);
        CHECK_FALSE(std::filesystem::exists(world.at() / "next.tmp"));
    }

    TEST_CASE("an index of another log is not believed") {
        World world(kSmall);
        fill(world, 50, 1);
        world.check(40);
        world.history = "another log ";
        world.reopen();
        CHECK(world.files().empty());
        world.check(40);
    }

    TEST_CASE("nothing of a deleted list is left") {
        World world(kSmall);
        fill(world, 30, 1);
        const SpoolId id = world.message({1, 2, 3, 99});
        fill(world, 30, 2);
        world.check(99);
        world.deleted(id);
        world.check(99);
        CHECK(world.found(99).empty());
        const OccurrenceKey key = occurrence_key(person(99));
        for (const std::string& name : world.files()) {
            const std::string bytes = read_small(world.fs, world.at() / name, 1 << 22).value();
            CHECK(bytes.find(as_text(key)) == std::string::npos);
            CHECK(bytes.find(id.view()) == std::string::npos);
        }
    }

    TEST_CASE("lists that cannot be read, and messages without one, are counted") {
        World world(kSmall);
        fill(world, 10, 1);
        world.not_recorded();
        world.not_recorded();
        const SpoolId missing = world.message({50});
        const SpoolId changed = world.message({51});
        std::filesystem::remove(world.list_of(missing));
        std::string bytes = read_small(world.fs, world.list_of(changed), 1000).value();
        bytes[85] = static_cast<char>(bytes[85] ^ 1);
        REQUIRE(write_atomically(world.fs, world.list_of(changed), bytes, 0600));
        fill(world, 50, 2);
        REQUIRE(world.index->extend(nullptr));
        const auto answer = world.index->find({person(50), person(51)});
        REQUIRE(answer);
        CHECK(answer.value().messages.empty());
        CHECK(answer.value().unreadable == 2);
        CHECK(answer.value().not_recorded == std::map<std::string, std::uint64_t>{{"KPR", 2}});
    }

    TEST_CASE("it can be told to stop, and goes on later") {
        World world(kSmall);
        fill(world, 40, 1);
        REQUIRE(world.index->extend([](auto, auto) { return false; }));
        CHECK(world.index->find({person(7)}).value().messages.empty());
        world.check(40);
    }

    TEST_CASE("told to stop anywhere, in the middle of a merge too, it leaves nothing half done and goes on later") {
        bool stopped = true;
        for (int at = 0; stopped; ++at) {
            World world(kSmall);
            fill(world, 40, 1);
            world.check(40);
            fill(world, 200, 2);
            int asked = 0;
            stopped = false;
            REQUIRE(world.index->extend([&](auto, auto) {
                stopped = stopped || asked++ == at;
                return !stopped;
            }));
            for (const std::string& name : world.files()) CHECK_MESSAGE(name.ends_with(".run"), name, " ", at);
            fill(world, 1, 3);
            world.check(40);
        }
    }
}

}  // namespace tpf::audit
