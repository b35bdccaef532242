// The harness itself: what it must show, and that it goes red when a sync is left out.
#include "tests/support/fault_fs.h"

#include <doctest/doctest.h>

#include "tests/queue/fixtures.h"

namespace tpf::queue::test {

using tpf::test::Call;
using tpf::test::FaultFs;
using tpf::test::Loss;
using tpf::test::Stopped;

namespace {

/// Writes a file beside, syncs it, moves it, syncs the folder: as the spool does.
void write_safely(FaultFs& fs, const Path& root) {
    good(write_new(fs, root / "tmp" / "a", "innhold", 0640));
    good(fs.rename(root / "tmp" / "a", root / "new" / "a"));
    good(fs.sync_folder(root / "new"));
}

void two_folders(const Path& root) {
    std::filesystem::create_directory(root / "tmp");
    std::filesystem::create_directory(root / "new");
}

}  // namespace

TEST_SUITE("queue/fault_fs") {
    TEST_CASE("what was synced is there after a power cut, what was not is gone") {
        const TempFolder folder;
        two_folders(folder.path());
        FaultFs fs(folder.path());
        write_safely(fs, folder.path());
        good(write_new(fs, folder.path() / "new" / "b", "uten mappens sync", 0640));
        fs.crash(Loss::unsynced);
        CHECK(content(folder.path() / "new" / "a") == "innhold");
        CHECK_FALSE(std::filesystem::exists(folder.path() / "new" / "b"));
        CHECK(get(fs.list(folder.path() / "tmp")).empty());
    }

    TEST_CASE("kill -9 loses nothing that was written") {
        const TempFolder folder;
        FaultFs fs(folder.path());
        {
            const auto file = get(fs.create(folder.path() / "a", 0600));
            good(file->write(as_bytes("uten sync")));
        }
        fs.crash(Loss::none);
        CHECK(content(folder.path() / "a") == "uten sync");
    }

    TEST_CASE("a dropped sync of the file shows as lost bytes") {
        const TempFolder folder;
        two_folders(folder.path());
        FaultFs fs(folder.path());
        fs.drop_syncs(Call::sync_file);
        write_safely(fs, folder.path());
        fs.crash(Loss::unsynced);
        CHECK(content(folder.path() / "new" / "a").empty());
        CHECK(std::filesystem::exists(folder.path() / "new" / "a"));
    }

    TEST_CASE("a dropped sync of the folder shows as a lost name") {
        const TempFolder folder;
        two_folders(folder.path());
        FaultFs fs(folder.path());
        fs.drop_syncs(Call::sync_folder);
        write_safely(fs, folder.path());
        fs.crash(Loss::unsynced);
        CHECK_FALSE(std::filesystem::exists(folder.path() / "new" / "a"));
    }

    TEST_CASE("a removal that was not synced comes back; one that was, does not") {
        const TempFolder folder;
        put(folder.path() / "a", "1");
        put(folder.path() / "b", "2");
        FaultFs fs(folder.path());
        good(fs.remove_file(folder.path() / "a"));
        good(fs.sync_folder(folder.path()));
        good(fs.remove_file(folder.path() / "b"));
        fs.crash(Loss::unsynced);
        CHECK_FALSE(std::filesystem::exists(folder.path() / "a"));
        CHECK(content(folder.path() / "b") == "2");
    }

    TEST_CASE("a replaced file holds the old or the new, never less") {
        bool seen_old = false;
        bool seen_new = false;
        for (std::uint64_t seed = 0; seed < 40; ++seed) {
            const TempFolder folder;
            put(folder.path() / "a", "gammel");
            FaultFs fs(folder.path());
            good(write_new(fs, folder.path() / "a.tmp", "ny", 0600));
            good(fs.replace(folder.path() / "a.tmp", folder.path() / "a"));
            fs.crash(Loss::random, seed);
            const std::string left = content(folder.path() / "a");
            CHECK((left == "gammel" || left == "ny"));
            seen_old = seen_old || left == "gammel";
            seen_new = seen_new || left == "ny";
        }
        CHECK(seen_old);
        CHECK(seen_new);
    }

    TEST_CASE("after a failed sync a later one that says yes has lost the bytes") {
        const TempFolder folder;
        put(folder.path() / "a", "gammel");
        FaultFs fs(folder.path());
        good(fs.remove_file(folder.path() / "a"));
        const auto file = get(fs.create(folder.path() / "a", 0600));
        good(fs.sync_folder(folder.path()));
        good(file->write(as_bytes("ny")));
        fs.fail_at(Call::sync_file, 1, Code::io);
        CHECK(code_of(file->sync()) == Code::fsync_failed);
        CHECK(file->sync().has_value());
        fs.crash(Loss::unsynced);
        CHECK(content(folder.path() / "a").empty());
    }

    TEST_CASE("a stop throws once, then nothing has an effect; a write is cut in half") {
        const TempFolder folder;
        FaultFs fs(folder.path());
        const auto file = get(fs.create(folder.path() / "a", 0600));
        fs.stop_at(1);
        CHECK_THROWS_AS(static_cast<void>(file->write(as_bytes("12345678"))), Stopped);
        CHECK(fs.fired() == "write a");
        CHECK_FALSE(file->write(as_bytes("9")).has_value());
        CHECK_FALSE(fs.make_folder(folder.path() / "b", 0700).has_value());
        fs.crash(Loss::none);
        CHECK(content(folder.path() / "a") == "1234");
        CHECK_FALSE(file->write(as_bytes("9")).has_value());
        CHECK(fs.make_folder(folder.path() / "b", 0700).has_value());
    }

    TEST_CASE("short writes, chosen calls, free bytes") {
        const TempFolder folder;
        FaultFs fs(folder.path());
        const auto file = get(fs.create(folder.path() / "a", 0600));
        fs.short_write_at(2);
        good(file->write(as_bytes("1234")));
        CHECK(code_of(file->write(as_bytes("5678"))) == Code::disk_full);
        CHECK(content(folder.path() / "a") == "123456");
        fs.fail_at(Call::list, 2, Code::io);
        CHECK(fs.list(folder.path()).has_value());
        CHECK(code_of(fs.list(folder.path())) == Code::io);
        CHECK(fs.list(folder.path()).has_value());
        fs.set_free_bytes(7);
        CHECK(get(fs.free_bytes(folder.path())) == 7);
    }
}

}  // namespace tpf::queue::test
