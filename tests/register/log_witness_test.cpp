#include "register/log_witness.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <memory>

#include "audit/note_keys.h"
#include "base/encoding.h"
#include "tests/support/fault_fs.h"
#include "tests/support/temp_folder.h"

using namespace tpf;
using namespace tpf::reg;

namespace {

constexpr const char* kOrigin = "unit/tpf/1";

/// A log of small entries, another one from `fork` on.
struct SmallLog final : audit::NodeSource {
    explicit SmallLog(std::string tag_ = "", std::uint64_t fork_ = 0) : tag(std::move(tag_)), fork(fork_) {}
    Result<Digest> node(unsigned level, std::uint64_t index) override {
        if (level == 0) return audit::leaf_hash((index < fork ? "" : tag) + std::to_string(index));
        TPF_TRY(const Digest left, node(level - 1, 2 * index));
        TPF_TRY(const Digest right, node(level - 1, 2 * index + 1));
        return audit::node_hash(left, right);
    }
    TreeHead head(std::uint64_t size) { return audit::head_of(audit::range_at(*this, size).value()); }
    std::string from(std::uint64_t old_size, std::uint64_t size) {
        return std::to_string(old_size) + " " +
               audit::proof_text(audit::consistency_proof(*this, old_size, size).value());
    }
    std::string tag;
    std::uint64_t fork;
};

struct WitnessFixture {
    test::TempFolder folder;
    crypto::SigningKey core = crypto::SigningKey::generate();
    crypto::SigningKey receipts = crypto::SigningKey::generate();
    SmallLog log;
    SmallLog other{"x", 6};
    std::unique_ptr<LogWitness> witness = opened();

    std::unique_ptr<LogWitness> opened(FileSystem& fs = posix_file_system(), std::vector<std::string> origins = {}) {
        auto made = LogWitness::open(fs, folder.path(), settings(std::move(origins)), system_clock());
        if (!made) FAIL(made.error().text());
        return std::move(made).value();
    }
    LogWitnessSettings settings(std::vector<std::string> origins = {}) {
        return {RegisterName::parse("IPLOS").value(), receipts, {core.verify_key()}, std::move(origins)};
    }
    std::string note(const TreeHead& head, const std::string& origin = kOrigin) {
        audit::SignedNote made{audit::Checkpoint{origin, head}.str().value(), {}};
        made.signatures.push_back(
            audit::sign_note(made.text, origin, audit::SignerWith<crypto::SigningKey>(core)).value());
        return base64(as_bytes(made.str().value()));
    }
    LogWitness::Verdict judge(const std::string& checkpoint, const std::string& consistency = {}) {
        const auto verdict = witness->judge(checkpoint, consistency);
        if (!verdict) FAIL(verdict.error().text());
        return verdict.value();
    }
    /// The size of what it cosigned last, seen from outside.
    std::uint64_t cosigned(const LogWitness::Verdict& verdict) {
        if (verdict.note.empty()) return 0;
        const auto text = from_base64(verdict.note).value();
        const auto key = audit::NoteKey::create("IPLOS", audit::NoteType::cosignature, receipts.verify_key().raw());
        const std::vector<audit::NoteKey> keys{key.value()};
        const auto opened_note = audit::open_note(as_text(text), {kOrigin, {core.verify_key().raw()}}, keys,
                                                  audit::VerifierWith<crypto::VerifyKey>());
        if (!opened_note) FAIL(opened_note.error().text());
        return opened_note.value().checkpoint.head.size;
    }
};

}  // namespace

TEST_SUITE("register/log_witness") {
    TEST_CASE_FIXTURE(WitnessFixture, "what follows is cosigned and kept, also over a restart") {
        CHECK(cosigned(judge(note(log.head(5)))) == 5);
        CHECK(cosigned(judge(note(log.head(9)), log.from(5, 9))) == 9);
        // Sent again, and one that another message overtook.
        CHECK(cosigned(judge(note(log.head(9)), log.from(5, 9))) == 9);
        CHECK(cosigned(judge(note(log.head(5)))) == 9);
        witness = opened();
        CHECK(cosigned(judge(note(log.head(5)))) == 9);
        CHECK(cosigned(judge(note(log.head(12)), log.from(9, 12))) == 12);
    }

    TEST_CASE_FIXTURE(WitnessFixture, "another log, a cut one, a fork: refused, and what is kept is shown") {
        judge(note(log.head(5)));
        judge(note(log.head(9)), log.from(5, 9));
        for (int round = 0; round < 2; ++round) {
            auto verdict = judge(note(other.head(12)), other.from(9, 12));
            CHECK(verdict.kode == "sjekkpunkt-strid");
            CHECK(cosigned(verdict) == 9);
            CHECK(judge(note(other.head(9)), other.from(5, 9)).kode == "sjekkpunkt-strid");
            CHECK(judge(note(log.head(7)), log.from(5, 7)).kode == "sjekkpunkt-eldre");
            CHECK(judge(note(log.head(12)), log.from(5, 12)).kode == "sjekkpunkt-eldre");
            CHECK(judge(note(log.head(12), "unit/tpf/2")).kode == "sjekkpunkt-opphav");
            CHECK(cosigned(judge("")) == 9);
            CHECK(judge("").kode == "sjekkpunkt-mangler");
            witness = opened();
        }
    }

    TEST_CASE_FIXTURE(WitnessFixture, "a core that sends none is served until it sent one") {
        const auto verdict = judge("");
        CHECK(verdict.kode.empty());
        CHECK(verdict.note.empty());
        CHECK(judge(note(log.head(9)), log.from(5, 9)).kode == "sjekkpunkt-ny");
        witness = opened(posix_file_system(), {kOrigin});
        CHECK(judge("").kode == "sjekkpunkt-mangler");
        CHECK(judge(note(log.head(9), "unit/tpf/2")).kode == "sjekkpunkt-opphav");
        CHECK(judge(note(log.head(9))).kode.empty());
    }

    TEST_CASE_FIXTURE(WitnessFixture, "beside a refusal no other log's checkpoint is shown") {
        const std::string second = "unit/tpf/2";
        judge(note(log.head(9)));
        // The log goes on under another origin, and its operators have said so.
        witness = opened(posix_file_system(), {second});
        CHECK(judge("").kode == "sjekkpunkt-mangler");
        CHECK(judge("").note.empty());
        CHECK(judge("!").kode == "sjekkpunkt-ugyldig");
        CHECK(judge("!").note.empty());
        const auto fresh = judge(note(log.head(12), second), log.from(9, 12));
        CHECK(fresh.kode == "sjekkpunkt-ny");
        CHECK(fresh.note.empty());
        const auto taken = judge(note(log.head(12), second));
        CHECK(taken.kode.empty());
        CHECK(judge("").note == taken.note);
        CHECK(judge(note(log.head(5), second)).note == taken.note);
        // Both are witnessed: which one it was is not known.
        witness = opened();
        CHECK(judge("").kode == "sjekkpunkt-mangler");
        CHECK(judge("").note.empty());
        CHECK(cosigned(judge(note(log.head(5)))) == 9);
    }

    TEST_CASE_FIXTURE(WitnessFixture, "what no core key signed, and what is no checkpoint") {
        const std::string good = note(log.head(5));
        std::string text(as_text(from_base64(good).value()));
        text.replace(text.find("\n5\n"), 3, "\n6\n");
        CHECK(judge(base64(as_bytes(text))).kode == "sjekkpunkt-ugyldig");
        CHECK(judge("!").kode == "sjekkpunkt-ugyldig");
        CHECK(judge(good, "5 AAAA").kode == "sjekkpunkt-ugyldig");
        CHECK(judge(good, "x").kode == "sjekkpunkt-ugyldig");
        CHECK(judge(std::string(9000, 'A')).kode == "sjekkpunkt-ugyldig");
        core = crypto::SigningKey::generate();
        CHECK(judge(note(log.head(5))).kode == "sjekkpunkt-ugyldig");
    }

    TEST_CASE_FIXTURE(WitnessFixture, "whatever call fails: nothing is cosigned that is not kept") {
        for (std::uint64_t step = 1;; ++step) {
            test::TempFolder place;
            test::FaultFs fs(place.path());
            const auto first = LogWitness::open(fs, place.path(), settings(), system_clock());
            REQUIRE(first.has_value());
            REQUIRE(first.value()->judge(note(log.head(5)), "").has_value());
            fs.fail_at(step, Code::io);
            const auto verdict = first.value()->judge(note(log.head(9)), log.from(5, 9));
            const bool answered = verdict.has_value();
            const auto again = LogWitness::open(posix_file_system(), place.path(), settings(), system_clock());
            REQUIRE(again.has_value());
            const auto kept = cosigned(again.value()->judge(note(log.head(5)), "").value());
            CHECK((kept == 5 || kept == 9));
            if (answered) {
                CHECK(kept == 9);
                break;
            }
        }
    }

    TEST_CASE_FIXTURE(WitnessFixture, "a new receipt key cosigns what is kept, a core key must have signed it") {
        judge(note(log.head(5)));
        receipts = crypto::SigningKey::generate();
        witness = opened();
        CHECK(cosigned(judge(note(log.head(9)), log.from(5, 9))) == 9);
        receipts = crypto::SigningKey::generate();
        core = crypto::SigningKey::generate();
        CHECK_FALSE(LogWitness::open(posix_file_system(), folder.path(), settings(), system_clock()).has_value());
    }

    TEST_CASE_FIXTURE(WitnessFixture, "a kept checkpoint that was touched stops the start") {
        judge(note(log.head(5)));
        witness.reset();
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
            if (entry.path().filename() != "siste.note") continue;
            auto text = read_small(posix_file_system(), entry.path(), 10000).value();
            text.replace(text.find("\n5\n"), 3, "\n4\n");
            REQUIRE(std::filesystem::remove(entry.path()));
            REQUIRE(write_new(posix_file_system(), entry.path(), text, 0600).has_value());
            break;
        }
        const auto again = LogWitness::open(posix_file_system(), folder.path(), settings(), system_clock());
        REQUIRE_FALSE(again.has_value());
        CHECK(again.error().code() == Code::record_damaged);
    }
}
