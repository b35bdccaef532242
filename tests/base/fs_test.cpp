#include "base/fs.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encoding.h"
#include "tests/support/temp_folder.h"

namespace tpf {
namespace {

std::string content_of(const Path& path) {
    return read_small(posix_file_system(), path, 1000).value();
}

}  // namespace

TEST_SUITE("base/fs") {
    TEST_CASE("a file is made once, with exactly the mode asked for") {
        const test::TempFolder folder;
        FileSystem& fs = posix_file_system();
        const mode_t old = ::umask(0077);
        {
            const auto file = fs.create(folder / "a", 0640).value();
            REQUIRE(file->write(as_bytes("hello")).has_value());
            REQUIRE(file->sync().has_value());
            CHECK(fs.info(*file).value().size == 5);
        }
        ::umask(old);
        const auto info = fs.info(folder / "a").value();
        CHECK(info.regular);
        CHECK(info.mode == 0640);
        CHECK(info.links == 1);
        CHECK(info.owner == ::geteuid());
        CHECK(fs.create(folder / "a", 0600).error().code() == Code::io);
        CHECK(content_of(folder / "a") == "hello");
    }

    TEST_CASE("reading goes on to the end, and seeks") {
        const test::TempFolder folder;
        FileSystem& fs = posix_file_system();
        REQUIRE(write_new(fs, folder / "a", "0123456789", 0600).has_value());
        const auto file = fs.open_read(folder / "a").value();
        std::uint8_t out[4];
        CHECK(file->read(out).value() == 4);
        CHECK(file->read(out).value() == 4);
        CHECK(file->read(out).value() == 2);
        CHECK(file->read(out).value() == 0);
        REQUIRE(file->seek(8).has_value());
        CHECK(file->read(out).value() == 2);
        CHECK(as_text(ByteView(out).first(2)) == "89");
    }

    TEST_CASE("links, FIFOs and folders are not opened, and nothing blocks") {
        const test::TempFolder folder;
        FileSystem& fs = posix_file_system();
        REQUIRE(write_new(fs, folder / "a", "x", 0600).has_value());
        std::filesystem::create_symlink(folder / "a", folder / "link");
        REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
        CHECK(fs.open_read(folder / "link").error().code() == Code::io);
        CHECK(fs.open_read(folder / "fifo").error().code() == Code::io);
        CHECK(fs.open_read(folder.path()).error().code() == Code::io);
        CHECK(fs.open_read(folder / "absent").error().code() == Code::not_found);
        CHECK_FALSE(fs.info(folder / "link").value().regular);
        CHECK_FALSE(fs.info(folder / "link").value().folder);
        CHECK(fs.info(folder.path()).value().folder);
    }

    TEST_CASE("rename never replaces, replace does") {
        const test::TempFolder folder;
        FileSystem& fs = posix_file_system();
        REQUIRE(write_new(fs, folder / "a", "new", 0600).has_value());
        REQUIRE(write_new(fs, folder / "b", "old", 0600).has_value());
        CHECK(fs.rename(folder / "a", folder / "b").error().code() == Code::io);
        CHECK(content_of(folder / "b") == "old");
        REQUIRE(fs.rename(folder / "a", folder / "c").has_value());
        REQUIRE(fs.replace(folder / "c", folder / "b").has_value());
        CHECK(content_of(folder / "b") == "new");
        CHECK(fs.rename(folder / "a", folder / "c").error().code() == Code::not_found);
        REQUIRE(fs.sync_folder(folder.path()).has_value());
    }

    TEST_CASE("small files are whole or refused, and are replaced whole") {
        const test::TempFolder folder;
        FileSystem& fs = posix_file_system();
        REQUIRE(write_atomically(fs, folder / "a", "first", 0600).has_value());
        REQUIRE(write_new(fs, folder / "a.tmp", "left over from a crash", 0600).has_value());
        REQUIRE(write_atomically(fs, folder / "a", "second", 0600).has_value());
        CHECK(read_small(fs, folder / "a", 6).value() == "second");
        CHECK(read_small(fs, folder / "a", 5).error().code() == Code::limit);
        CHECK(fs.list(folder.path()).value() == std::vector<std::string>{"a"});
    }

    TEST_CASE("folders: sorted names, removal that follows no link and stops below two levels") {
        const test::TempFolder folder;
        FileSystem& fs = posix_file_system();
        REQUIRE(fs.make_folder(folder / "box", 0700).has_value());
        REQUIRE(fs.make_folder(folder / "kept", 0750).has_value());
        CHECK(fs.info(folder / "kept").value().mode == 0750);
        for (const mode_t mask : {mode_t{007}, mode_t{077}}) {
            const mode_t old = ::umask(mask);
            const std::string name = "spool" + std::to_string(mask);
            REQUIRE(fs.make_folder(folder / name, 02770).has_value());
            REQUIRE(fs.make_folder(folder / name / "entry", 02770).has_value());
            REQUIRE(fs.make_folder(folder / name / "own", 0700).has_value());
            ::umask(old);
            CHECK(fs.info(folder / name).value().mode == 02770);
            CHECK(fs.info(folder / name / "entry").value().mode == 02770);
            CHECK(fs.info(folder / name / "own").value().mode == 0700);
        }
        for (const char* name : {"box/b", "box/a", "kept/x"}) {
            REQUIRE(write_new(fs, folder / name, "", 0600).has_value());
        }
        std::filesystem::create_directory_symlink(folder / "kept", folder / "box/link");
        CHECK(fs.list(folder / "box").value() == std::vector<std::string>{"a", "b", "link"});
        REQUIRE(fs.remove_tree(folder / "box").has_value());
        CHECK(fs.info(folder / "box").error().code() == Code::not_found);
        CHECK(fs.info(folder / "kept/x").value().regular);
        CHECK(fs.remove_tree(folder / "box").has_value());
        std::filesystem::create_directories(folder / "deep/a/b");
        CHECK_FALSE(fs.remove_tree(folder / "deep").has_value());
        CHECK(fs.remove_file(folder / "absent").error().code() == Code::not_found);
        CHECK(fs.free_bytes(folder.path()).value() > 0);
    }
}

}  // namespace tpf
