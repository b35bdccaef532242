#include "daemon/proposals.h"

#include <doctest/doctest.h>

#include "tests/queue/fixtures.h"
#include "tests/support/fault_fs.h"
#include "tests/support/hooked_fs.h"

namespace tpf::daemon::test {
namespace {

using namespace tpf::queue::test;
using tpf::test::Call;
using tpf::test::HookedFs;

const Actor kKari{"kari", "why \"so\"", 1001}, kOla{"ola", "seen", 1002}, kRoot{"root", "", 0};
constexpr const char* kWhat = "queue discard";

struct ProposalsFixture {
    TempFolder folder{"/dev/shm"};
    Path file = folder.path() / kProposalsFile;
    HookedFs fs{posix_file_system()};
    Proposals proposals{fs, file};
    UtcTime now{std::chrono::seconds(1800000000)};

    void break_writes() {
        fs.hook([](Call call, const Path&) -> Status {
            return call == Call::replace ? Status(fail(Code::io, "broken")) : ok();
        });
    }
};

}  // namespace

TEST_SUITE("daemon/proposals") {
    TEST_CASE_FIXTURE(ProposalsFixture, "asked for, approved and used up, over a restart between each") {
        good(proposals.propose(kWhat, "a", kKari, now));
        Proposals second(fs, file);
        CHECK(code_of(second.take(kWhat, "a", now)) == Code::denied);
        const Proposal approved = get(second.approve(kWhat, "a", kOla, now + std::chrono::hours(1)));
        CHECK(approved.asked.by.name == "kari");
        CHECK(approved.asked.by.reason == "why \"so\"");
        Proposals third(fs, file);
        const Proposal taken = get(third.take(kWhat, "a", now + std::chrono::hours(2)));
        CHECK(taken.asked.at == now);
        CHECK(taken.asked.by.uid == 1001);
        REQUIRE(taken.approved.has_value());
        CHECK(taken.approved->by.name == "ola");
        CHECK(taken.approved->at == now + std::chrono::hours(1));
        CHECK(code_of(third.take(kWhat, "a", now)) == Code::usage);
        Proposals fourth(fs, file);
        CHECK(code_of(fourth.take(kWhat, "a", now)) == Code::usage);
        CHECK(get(posix_file_system().info(file)).mode == 0600);
    }

    TEST_CASE_FIXTURE(ProposalsFixture, "one proposal is no leave for another thing") {
        good(proposals.propose(kWhat, "a", kKari, now));
        CHECK(code_of(proposals.approve(kWhat, "b", kOla, now)) == Code::usage);
        CHECK(code_of(proposals.approve("keys destroy", "a", kOla, now)) == Code::usage);
        get(proposals.approve(kWhat, "a", kOla, now));
        good(proposals.propose(kWhat, "b", kKari, now));
        CHECK(code_of(proposals.take(kWhat, "b", now)) == Code::denied);
        CHECK(proposals.list(now).size() == 2);
    }

    TEST_CASE_FIXTURE(ProposalsFixture, "the rule of two holds, and a new proposal is not approved by the old one's") {
        good(proposals.propose(kWhat, "a", kKari, now));
        CHECK(code_of(proposals.approve(kWhat, "a", kKari, now)) == Code::denied);
        CHECK(code_of(proposals.approve(kWhat, "a", kRoot, now)) == Code::denied);
        get(proposals.approve(kWhat, "a", kOla, now));
        good(proposals.propose(kWhat, "a", kOla, now));
        CHECK(code_of(proposals.take(kWhat, "a", now)) == Code::denied);
        CHECK(code_of(proposals.approve(kWhat, "a", kOla, now)) == Code::denied);
        good(proposals.drop(kWhat, "a"));
        CHECK(code_of(proposals.approve(kWhat, "a", kKari, now)) == Code::usage);
        good(proposals.drop(kWhat, "a"));
    }

    TEST_CASE_FIXTURE(ProposalsFixture, "after a day it is not there, approved or not") {
        const UtcTime late = now + kApproveWithin + std::chrono::seconds(1);
        good(proposals.propose(kWhat, "a", kKari, now));
        get(proposals.approve(kWhat, "a", kOla, now + kApproveWithin));
        CHECK(proposals.find(kWhat, "a", now).has_value());
        CHECK_FALSE(proposals.find(kWhat, "a", late).has_value());
        CHECK(proposals.list(late).empty());
        CHECK(code_of(proposals.take(kWhat, "a", late)) == Code::usage);
        CHECK(code_of(proposals.approve(kWhat, "a", kOla, late)) == Code::usage);
    }

    TEST_CASE_FIXTURE(ProposalsFixture, "what cannot be written has not happened") {
        good(proposals.propose(kWhat, "a", kKari, now));
        break_writes();
        CHECK(code_of(proposals.propose(kWhat, "b", kKari, now)) == Code::io);
        CHECK(code_of(proposals.approve(kWhat, "a", kOla, now)) == Code::io);
        CHECK_FALSE(proposals.find(kWhat, "b", now).has_value());
        CHECK_FALSE(proposals.find(kWhat, "a", now)->approved.has_value());
        fs.hook({});
        get(proposals.approve(kWhat, "a", kOla, now));
        break_writes();
        CHECK(code_of(proposals.take(kWhat, "a", now)) == Code::io);
        fs.hook({});
        get(proposals.take(kWhat, "a", now));
    }

    TEST_CASE_FIXTURE(ProposalsFixture, "a damaged file holds none, and does not keep anything from going on") {
        for (
            const char* text :
            {"", "{", "[]", "{\"proposals\":{}}", "{\"proposals\":[1]}",
             R"({"proposals":[{"what":"w","subject":"s","asked":{"at":"x","by":"k","uid":1,"reason":"r"}}]})",
             R"({"proposals":[{"what":"w","subject":"s","asked":{"at":"2027-01-15T08:00:00Z","by":"k","reason":"r"}}]})",
             R"({"proposals":[{"what":"w","subject":"s","asked":{"at":"2027-01-15T08:00:00Z","by":"k","uid":-1,"reason":"r"}}]})"}) {
            CAPTURE(text);
            good(write_atomically(posix_file_system(), file, text, 0600));
            Proposals read(fs, file);
            CHECK(read.list(now).empty());
            good(read.propose(kWhat, "a", kKari, now));
        }
    }

    TEST_CASE_FIXTURE(ProposalsFixture, "there is an end to how many wait; those that ran out make room") {
        for (std::size_t i = 0; i < Proposals::kMost; ++i)
            good(proposals.propose(kWhat, std::to_string(i), kKari, now));
        CHECK(code_of(proposals.propose(kWhat, "more", kKari, now)) == Code::usage);
        good(proposals.propose(kWhat, "0", kKari, now));
        good(proposals.propose(kWhat, "more", kKari, now + kApproveWithin + std::chrono::hours(1)));
    }
}

}  // namespace tpf::daemon::test
