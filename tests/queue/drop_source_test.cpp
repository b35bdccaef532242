#include "queue/drop_source.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "tests/queue/fixtures.h"
#include "tests/support/fault_fs.h"

namespace tpf::queue::test {

using tpf::test::Call;
using tpf::test::FaultFs;
using tpf::test::Loss;
using tpf::test::Stopped;

namespace {

/// Tells when a hand-over is about to be sealed: between the last byte read and the removal.
class HookClock final : public Clock {
  public:
    explicit HookClock(const Clock& clock) : clock_(clock) {}
    UtcTime utc() const override {
        on_utc();
        return clock_.utc();
    }
    std::chrono::steady_clock::time_point steady() const override { return clock_.steady(); }
    std::function<void()> on_utc = [] {};

  private:
    const Clock& clock_;
};

struct DropFixture {
    TempFolder folder{"/dev/shm"};
    Path drop = folder.path() / "drop";
    bool made = std::filesystem::create_directory(drop);
    FaultFs fs{folder.path()};
    ManualClock clock;
    HookClock hook{clock};
    std::unique_ptr<Spool> spool = get(Spool::open(fs, folder.path() / "spool", {}));
    Status admission = ok();
    DropSource source = make();

    std::function<void()> before_taking = [] {};

    DropSource make() {
        return DropSource(*spool, hook,
                          {.source = "drop", .folder = drop, .sender = sender(), .settle = std::chrono::seconds(2)},
                          [this](const DropSettings&, std::uint64_t) {
                              before_taking();
                              return admission;
                          });
    }
    /// Two looks with the settle time between them.
    Result<DropScan> settled_scan() {
        TPF_TRY(const auto first, source.scan());
        static_cast<void>(first);
        clock.advance(std::chrono::seconds(2));
        return source.scan();
    }
    /// What lies in .tpf.
    std::vector<std::string> own() { return get(posix_file_system().list(drop / ".tpf")); }
    std::size_t in_inbox() { return get(spool->list_inbox()).ids.size(); }
};

}  // namespace

TEST_SUITE("queue/drop_source") {
    TEST_CASE_FIXTURE(DropFixture, "a finished file is handed over for its sender, then removed") {
        put(drop / "melding.xml", "kryptert");
        const DropScan first = get(source.scan());
        CHECK(first.taken.empty());
        CHECK(first.settling == 1);
        clock.advance(std::chrono::milliseconds(1999));
        CHECK(get(source.scan()).taken.empty());
        clock.advance(std::chrono::milliseconds(1));
        const DropScan done = get(source.scan());
        REQUIRE(done.taken.size() == 1);
        CHECK_FALSE(std::filesystem::exists(drop / "melding.xml"));
        const InboxEntry entry = get(spool->read_inbox(done.taken[0]));
        CHECK(entry.kilde.sender == sender());
        CHECK(entry.kilde.source == "drop");
        CHECK(entry.kilde.sha256 == digest_of("kryptert"));
    }

    TEST_CASE_FIXTURE(DropFixture, "a jump of the wall clock changes nothing") {
        put(drop / "melding.xml", "kryptert");
        get(source.scan());
        clock.set_utc("2035-01-01T00:00:00Z");
        CHECK(get(source.scan()).settling == 1);
    }

    TEST_CASE_FIXTURE(DropFixture, "a file that grows is not finished") {
        put(drop / "melding.xml", "kryp");
        get(source.scan());
        clock.advance(std::chrono::seconds(5));
        put(drop / "melding.xml", "kryptert");
        CHECK(get(source.scan()).settling == 1);
        clock.advance(std::chrono::seconds(2));
        CHECK(get(source.scan()).taken.size() == 1);
    }

    TEST_CASE_FIXTURE(DropFixture, "a file that changes while it is taken is not handed over") {
        put(drop / "melding.xml", "kryp");
        const auto modified = std::filesystem::last_write_time(drop / "melding.xml");
        before_taking = [this, modified] {
            put(drop / "melding.xml", "kryptert");
            std::filesystem::last_write_time(drop / "melding.xml", modified);
        };
        CHECK(get(settled_scan()).refused == 1);
        CHECK(in_inbox() == 0);
        CHECK(get(fs.list(spool->folders().inbox_tmp)).empty());
        before_taking = [] {};
        const DropScan scan = get(settled_scan());
        REQUIRE(scan.taken.size() == 1);
        CHECK(get(spool->read_inbox(scan.taken[0])).size == 8);
    }

    TEST_CASE_FIXTURE(DropFixture, "the same length and second, other bytes: another nanosecond tells") {
        put(drop / "melding.xml", "kryptert");
        before_taking = [this] { put(drop / "melding.xml", "KRYPTERT"); };
        CHECK(get(settled_scan()).refused == 1);
        CHECK(in_inbox() == 0);
        CHECK(content(drop / "melding.xml") == "KRYPTERT");
        before_taking = [] {};
        CHECK(get(settled_scan()).taken.size() == 1);
    }

    TEST_CASE_FIXTURE(DropFixture, "a file renamed over the one that is read is another, and is not removed with it") {
        put(drop / "melding.xml", "den ene");
        put(drop / ".neste", "den andre");
        hook.on_utc = [this] {
            std::filesystem::rename(drop / ".neste", drop / "melding.xml");
            hook.on_utc = [] {};
        };
        const DropScan first = get(settled_scan());
        REQUIRE(first.taken.size() == 1);
        CHECK(content(spool->folders().inbox_new / first.taken[0].view() / kInnsending) == "den ene");
        REQUIRE(std::filesystem::exists(drop / "melding.xml"));
        const DropScan second = get(settled_scan());
        REQUIRE(second.taken.size() == 1);
        CHECK(content(spool->folders().inbox_new / second.taken[0].view() / kInnsending) == "den andre");
    }

    TEST_CASE_FIXTURE(DropFixture, "a file renamed over the one at rest, just before it is taken, settles first") {
        put(drop / "melding.xml", "den ene");
        put(drop / ".neste", "den to ");
        std::filesystem::last_write_time(drop / ".neste", std::filesystem::last_write_time(drop / "melding.xml"));
        before_taking = [this] { std::filesystem::rename(drop / ".neste", drop / "melding.xml"); };
        CHECK(get(settled_scan()).refused == 1);
        CHECK(in_inbox() == 0);
        before_taking = [] {};
        CHECK(get(source.scan()).settling == 1);
        clock.advance(std::chrono::seconds(2));
        CHECK(get(source.scan()).taken.size() == 1);
    }

    TEST_CASE_FIXTURE(DropFixture, "what failed and finds its name taken stays in .tpf, and both are handed over") {
        put(drop / "melding.xml", "den ene");
        get(source.scan());
        clock.advance(std::chrono::seconds(2));
        fs.fail_at(Call::rename, 2, Code::io);  // the way back
        fs.fail_at(Call::open_read, 1, Code::io);
        CHECK(get(source.scan()).refused == 1);
        CHECK(own().size() == 1);
        put(drop / "melding.xml", "den andre");
        CHECK(get(settled_scan()).taken.size() == 2);
        CHECK(own().empty());
        CHECK(in_inbox() == 2);
    }

    TEST_CASE_FIXTURE(DropFixture, "a .tpf that is not ours alone ends the scan, and nothing is touched") {
        put(drop / "melding.xml", "x");
        std::filesystem::create_directory(folder.path() / "annet");
        std::filesystem::create_symlink(folder.path() / "annet", drop / ".tpf");
        CHECK(code_of(source.scan()) == Code::io);
        std::filesystem::remove(drop / ".tpf");
        std::filesystem::create_directory(drop / ".tpf");
        std::filesystem::permissions(drop / ".tpf", std::filesystem::perms::all);
        CHECK(code_of(source.scan()) == Code::io);
        CHECK(std::filesystem::exists(drop / "melding.xml"));
        std::filesystem::remove(drop / ".tpf");
        CHECK(get(settled_scan()).taken.size() == 1);
    }

    TEST_CASE_FIXTURE(DropFixture, "names of unfinished files are passed over") {
        for (const char* name : {".skjult", "a.tmp", "b.part"}) put(drop / name, "x");
        const DropScan scan = get(settled_scan());
        CHECK(scan.taken.empty());
        CHECK(scan.settling + scan.refused == 0);
    }

    TEST_CASE_FIXTURE(DropFixture, "links, FIFOs, folders and second names are refused; the others go on") {
        put(folder.path() / "hemmelig", "x");
        std::filesystem::create_symlink(folder.path() / "hemmelig", drop / "lenke");
        std::filesystem::create_hard_link(folder.path() / "hemmelig", drop / "navn2");
        std::filesystem::create_directory(drop / "mappe");
        ::mkfifo((drop / "fifo").c_str(), 0600);
        put(drop / "god.xml", "kryptert");
        const DropScan scan = get(settled_scan());
        CHECK(scan.taken.size() == 1);
        CHECK(scan.refused == 4);
        CHECK(content(folder.path() / "hemmelig") == "x");
        CHECK(std::filesystem::is_symlink(drop / "lenke"));
        // An uploader that links and unlinks has one name in the end.
        std::filesystem::remove(folder.path() / "hemmelig");
        put(drop / "navn2", "ny tid");
        CHECK(get(settled_scan()).taken.size() == 1);
    }

    TEST_CASE_FIXTURE(DropFixture, "a file that cannot be read waits, the others go on") {
        put(drop / "a.xml", "en");
        put(drop / "b.xml", "to");
        get(source.scan());
        clock.advance(std::chrono::seconds(2));
        fs.fail_at(Call::open_read, 1, Code::io);
        const DropScan scan = get(source.scan());
        CHECK(scan.taken.size() == 1);
        CHECK(scan.refused == 1);
        CHECK(get(source.scan()).taken.size() == 1);
        CHECK(in_inbox() == 2);
    }

    TEST_CASE_FIXTURE(DropFixture, "a full disk and a full quota leave the file for later") {
        put(drop / "a.xml", "en");
        admission = fail(Code::quota);
        CHECK(code_of(settled_scan()) == Code::quota);
        admission = ok();
        fs.set_free_bytes(0);
        CHECK(code_of(source.scan()) == Code::disk_full);
        fs.set_free_bytes(std::nullopt);
        CHECK(get(source.scan()).taken.size() == 1);
        CHECK(in_inbox() == 1);
    }

    TEST_CASE_FIXTURE(DropFixture, "a failed sync ends the scan, and the file stays") {
        put(drop / "a.xml", "en");
        get(source.scan());
        clock.advance(std::chrono::seconds(2));
        fs.fail_at(Call::sync_file, 1, Code::io);
        CHECK(code_of(source.scan()) == Code::fsync_failed);
        REQUIRE(own().size() == 1);
        CHECK(content(drop / ".tpf" / own()[0]) == "en");
        source = make();  // the next start
        CHECK(get(settled_scan()).taken.size() == 1);
        CHECK(own().empty());
    }

    TEST_CASE_FIXTURE(DropFixture, "a file that cannot be removed is handed over once") {
        put(drop / "a.xml", "en");
        get(source.scan());
        clock.advance(std::chrono::seconds(2));
        fs.fail_at(Call::remove_file, 1, Code::io);
        CHECK(get(source.scan()).taken.size() == 1);
        CHECK(get(settled_scan()).taken.empty());
        CHECK(in_inbox() == 1);
        put(drop / "a.xml", "noe nytt");
        CHECK(get(settled_scan()).taken.size() == 1);
    }

    TEST_CASE_FIXTURE(DropFixture, "a missing folder is for later, not the end") {
        std::filesystem::remove(drop);
        CHECK(code_of(source.scan()) == Code::io);
    }

    TEST_CASE("ended at every call: the file is there until its entry is, and lost never") {
        for (std::uint64_t n = 1;; ++n) {
            for (const Loss loss : {Loss::none, Loss::unsynced, Loss::random}) {
                DropFixture f;
                put(f.drop / "a.xml", "kryptert");
                get(f.source.scan());
                f.clock.advance(std::chrono::seconds(2));
                f.fs.stop_at(n);
                bool stopped = false;
                try {
                    get(f.source.scan());
                } catch (const Stopped&) {
                    stopped = true;
                }
                if (!stopped) {
                    CHECK(n > 15);
                    return;
                }
                f.fs.crash(loss, n);
                good(f.spool->sweep_inbox_tmp(f.clock.utc()));
                f.spool = get(Spool::open(f.fs, f.folder.path() / "spool", {}));
                f.source = f.make();
                get(f.settled_scan());
                CHECK((f.in_inbox() == 1 || f.in_inbox() == 2));
                CHECK_FALSE(std::filesystem::exists(f.drop / "a.xml"));
                CHECK(f.own().empty());
                for (const SpoolId& id : get(f.spool->list_inbox()).ids) {
                    CHECK(get(f.spool->read_inbox(id)).kilde.sha256 == digest_of("kryptert"));
                    CHECK(content(f.spool->folders().inbox_new / id.view() / kInnsending) == "kryptert");
                }
            }
        }
    }
}

}  // namespace tpf::queue::test
