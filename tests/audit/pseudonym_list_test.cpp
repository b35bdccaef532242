#include "audit/pseudonym_list.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <numeric>

#include "audit/event_log.h"
#include "base/encoding.h"
#include "tests/support/memory_file.h"
#include "tests/support/temp_folder.h"

namespace tpf::audit {
namespace {

constexpr const char* kFirst = "1-a2zvgphbpxjt6iz2hfthifyui6sxg4y2";
constexpr const char* kMessage = "1b4e28ba-2fa1-4d3b-a3f5-0c6a3f4d2b11";
// Made by Python's hashlib and base64 from docs/audit-log.md.
constexpr const char* kDigest = "49e52d3f32359a140b5b034d2e88d7d29fb67f52b8d95ef50dea152818535324";

SpoolId message() {
    return SpoolId::parse(kMessage).value();
}
ListHeader header(std::uint64_t persons, std::vector<unsigned> versions = {1}) {
    Salt salt;
    std::iota(salt.begin(), salt.end(), std::uint8_t{0});
    return {message(), RegisterName::parse("IPLOS").value(), persons, std::move(versions), salt};
}
/// "N-" and 32 characters that differ with `n`.
std::string pseudonym(unsigned version, unsigned n) {
    std::string text = std::to_string(version) + "-";
    for (unsigned i = 0; i < 32; ++i) text.push_back("abcdefghijklmnopqrstuvwxyz234567"[(n >> (i % 8) * 4) % 32]);
    return text;
}

struct ListFixture {
    tpf::test::TempFolder folder{"/dev/shm"};
    FileSystem& fs = posix_file_system();
    const Path path = folder.path() / kMessage;
    Digest written{};

    void write(std::uint64_t persons) {
        const auto file = fs.create(path, 0600).value();
        ListWriter list(*file);
        REQUIRE(list.begin(header(persons, {2, 1})));
        for (unsigned n = 0; n < persons; ++n) {
            if (n % 5 == 3) {
                REQUIRE(list.add_none());
                continue;
            }
            REQUIRE(list.add(pseudonym(2, n)));
            REQUIRE(list.add(pseudonym(1, n + 1)));
        }
        const auto digest = list.end();
        REQUIRE(digest);
        written = digest.value();
    }
    /// The digest of what read() met, or nothing where it failed.
    std::optional<Digest> read() {
        auto list = ListReader::open(fs, path);
        if (!list) return std::nullopt;
        const auto digest = list.value().read([](std::uint64_t, auto) {});
        return digest ? std::optional(digest.value()) : std::nullopt;
    }
};

}  // namespace

TEST_SUITE("audit/pseudonym_list") {
    TEST_CASE("a list, to the byte") {
        tpf::test::MemoryFile file;
        ListWriter list(file);
        REQUIRE(list.begin(header(2)));
        REQUIRE(list.add(kFirst));
        REQUIRE(list.add_none());
        const auto digest = list.end();
        REQUIRE(digest);
        CHECK(file.text.size() == 160);
        CHECK(hex(digest.value()) == kDigest);
        CHECK(hex(sha256(file.text)) == kDigest);
    }

    TEST_CASE_FIXTURE(ListFixture, "what was written is read, in order, whatever its size") {
        for (const unsigned persons : {0U, 1U, 7U, 1599U, 1600U, 5000U}) {
            std::filesystem::remove(path);
            write(persons);
            auto list = ListReader::open(fs, path);
            REQUIRE(list);
            CHECK(list.value().header() == header(persons, {2, 1}));
            std::uint64_t next = 0;
            std::uint64_t wrong = 0;
            const auto digest = list.value().read([&](std::uint64_t number, auto bytes) {
                if (number != next++) ++wrong;
                const auto n = static_cast<unsigned>(number / 2);
                const auto text = number % 2 == 0 ? pseudonym(2, n) : pseudonym(1, n + 1);
                const PseudonymBytes expected = n % 5 == 3 ? PseudonymBytes{} : parse_pseudonym(text).value().bytes;
                if (!std::equal(bytes.begin(), bytes.end(), expected.begin())) ++wrong;
            });
            REQUIRE(digest);
            CHECK(next == persons * 2);
            CHECK(wrong == 0);
            CHECK(digest.value() == written);
            CHECK(file_digest(fs, path).value() == written);
        }
    }

    TEST_CASE_FIXTURE(ListFixture, "a changed, cut or longer file is never the one that was written") {
        write(40);
        const std::string whole = read_small(fs, path, 10'000).value();
        for (std::size_t bit = 0; bit < whole.size() * 8; bit += 3) {
            std::string bad = whole;
            bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
            REQUIRE(write_atomically(fs, path, bad, 0600));
            REQUIRE(read() != written);
        }
        for (std::size_t size = 0; size < whole.size(); ++size) {
            REQUIRE(write_atomically(fs, path, std::string_view(whole).substr(0, size), 0600));
            REQUIRE_FALSE(read());
        }
        REQUIRE(write_atomically(fs, path, whole + "x", 0600));
        CHECK_FALSE(read());
    }

    TEST_CASE("a list that is not what its header promised has no end") {
        tpf::test::MemoryFile file;
        ListWriter list(file);
        REQUIRE(list.begin(header(1, {2, 1})));
        CHECK_FALSE(list.end());
        CHECK_FALSE(list.add(pseudonym(1, 1)));  // version 2 comes first
        REQUIRE(list.add(pseudonym(2, 1)));
        CHECK_FALSE(list.add_none());
        CHECK_FALSE(list.end());
        REQUIRE(list.add(pseudonym(1, 1)));
        CHECK_FALSE(list.add(pseudonym(2, 1)));
        CHECK(list.end());
    }

    TEST_CASE("pseudonyms have one form") {
        CHECK(parse_pseudonym(kFirst).value().version == 1);
        CHECK(hex(parse_pseudonym(kFirst).value().bytes) == "06b3533ce17dd33f233a396674171447a573731a");
        const std::string tail = std::string(kFirst).substr(1);
        for (const std::string& bad :
             {std::string(), std::string("1-"), std::string("-") + tail, "0" + tail, "01" + tail, "10000" + tail,
              "+1" + tail, "1" + tail + "a", "1" + tail.substr(0, 32), "1-A" + tail.substr(2), "1-1" + tail.substr(2),
              std::string("1") + '\0' + tail}) {
            CHECK_FALSE(parse_pseudonym(bad));
        }
    }

    TEST_CASE("what the log says of a message's list: the newest entry counts") {
        tpf::test::TempFolder folder{"/dev/shm"};
        auto db = sqlite::Database::open(folder.path() / "log.db").value();
        EventLog log;
        REQUIRE(log.prepare(db));
        const SpoolId id = message();
        const auto append = [&](const AuditEntry& entry) {
            AuditEntry copy = entry;
            REQUIRE(log.append(db, copy.message(id), UtcTime()));
        };
        CHECK(list_state(db, id).value().kind == ListKind::no_message);
        append(AuditEntry(AuditKind::received, "tpfd"));
        CHECK(list_state(db, id).value().kind == ListKind::no_message);
        append(AuditEntry(AuditKind::pseudonymised, "tpfd").with("pseudonyms", "not recorded"));
        CHECK(list_state(db, id).value().kind == ListKind::not_recorded);
        append(AuditEntry(AuditKind::pseudonymised, "tpfd")
                   .with("pseudonyms_sha256", kDigest)
                   .with("register", "KPR")
                   .with("pseudonym_versions", "2 1"));
        const auto kept = list_state(db, id).value();
        CHECK(kept.kind == ListKind::kept);
        CHECK(kept.sha256 == kDigest);
        CHECK(kept.reg == "KPR");
        CHECK(kept.versions == "2 1");
        CHECK(lists_between(db, 0, 2).value().empty());  // entry 3 is the one that counts
        CHECK(lists_between(db, 2, 3).value().size() == 1);
        CHECK(deleted_lists(db).value().empty());
        append(AuditEntry(AuditKind::list_deleted, "kari"));
        CHECK(list_state(db, id).value().kind == ListKind::deleted);
        CHECK(deleted_lists(db).value() == std::vector{id});
        append(AuditEntry(AuditKind::pseudonymised, "tpfd").with("pseudonyms_sha256", kDigest));
        CHECK(list_state(db, id).value().kind == ListKind::kept);
        CHECK(lists_between(db, 0, 5).value().size() == 1);
        CHECK(deleted_lists(db).value().empty());  // it was made again
    }
}

}  // namespace tpf::audit
