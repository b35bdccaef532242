#include "base/sqlite.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "base/fs.h"
#include "tests/support/temp_folder.h"

namespace tpf::sqlite {

TEST_SUITE("base/sqlite") {
    TEST_CASE("values go in and come out; statements are used again") {
        const test::TempFolder folder;
        auto db = Database::open(folder / "a.sqlite").value();
        REQUIRE(db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, size INTEGER)").has_value());
        for (int i = 0; i < 3; ++i) {
            auto insert = db.prepare("INSERT INTO t(name, size) VALUES(?, ?)").value();
            if (i == 2) {
                insert.bind_null(1).bind(2, std::int64_t{1} << 40);
            } else {
                insert.bind(1, std::string_view("a\0b", 3)).bind(2, i);
            }
            REQUIRE(insert.run().has_value());
            CHECK(db.last_rowid() == i + 1);
            CHECK(db.changes() == 1);
        }
        auto select = db.prepare("SELECT name, size FROM t ORDER BY id").value();
        REQUIRE(select.step().value());
        CHECK(select.text(0) == std::string("a\0b", 3));
        REQUIRE(select.step().value());
        CHECK(select.number(1) == 1);
        REQUIRE(select.step().value());
        CHECK(select.is_null(0));
        CHECK_FALSE(select.text_or_null(0).has_value());
        CHECK(select.number(1) == std::int64_t{1} << 40);
        CHECK_FALSE(select.step().value());
        CHECK(db.check().has_value());
    }

    TEST_CASE("what was not committed is gone, what was stays") {
        const test::TempFolder folder;
        {
            auto db = Database::open(folder / "a.sqlite").value();
            REQUIRE(db.execute("CREATE TABLE t(x INTEGER)").has_value());
            {
                auto transaction = Transaction::begin(db).value();
                REQUIRE(db.execute("INSERT INTO t VALUES(1)").has_value());
                REQUIRE(transaction.commit().has_value());
            }
            const auto transaction = Transaction::begin(db).value();
            REQUIRE(db.execute("INSERT INTO t VALUES(2)").has_value());
        }
        auto db = Database::open(folder / "a.sqlite").value();
        auto count = db.prepare("SELECT count(*), max(x) FROM t").value();
        REQUIRE(count.step().value());
        CHECK(count.number(0) == 1);
        CHECK(count.number(1) == 1);
    }

    TEST_CASE("what a statement needs beside the database stays in memory") {
        const test::TempFolder folder;
        const auto sorts_in_memory = [](Database& db) {
            auto sorted = db.prepare("SELECT x FROM t ORDER BY x").value();
            REQUIRE(sorted.step().value());
            for (const auto& open : std::filesystem::directory_iterator("/proc/self/fd")) {
                std::error_code gone;
                const auto file = std::filesystem::read_symlink(open.path(), gone).string();
                if (file.find("etilqs") != std::string::npos) return false;
            }
            return true;
        };
        {
            auto db = Database::open(folder / "a.sqlite").value();
            REQUIRE(db.execute("CREATE TABLE t(x TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n "
                               "WHERE i<30000) INSERT INTO t SELECT hex(randomblob(300)) FROM n")
                        .has_value());
            CHECK(sorts_in_memory(db));
        }
        auto inspected = Database::inspect(folder / "a.sqlite").value();
        CHECK(sorts_in_memory(inspected));
    }

    TEST_CASE("one connection only, and nobody else may read the file") {
        const test::TempFolder folder;
        const auto db = Database::open(folder / "a.sqlite").value();
        CHECK(Database::open(folder / "a.sqlite").error().code() == Code::locked);
        CHECK(posix_file_system().info(folder / "a.sqlite").value().mode == 0600);
    }

    TEST_CASE("a file that is no database is an error that stops, as is a bad statement") {
        const test::TempFolder folder;
        std::ofstream(folder / "bad") << std::string(4096, 'x');
        CHECK(Database::open(folder / "bad").error().disposition() == Disposition::stop);
        CHECK(Database::open(folder / "absent/a").error().disposition() == Disposition::stop);
        auto db = Database::open(folder / "a.sqlite").value();
        CHECK(db.prepare("SELEC").error().code() == Code::journal);
        CHECK(db.execute("SELECT * FROM absent").error().code() == Code::journal);
    }
}

}  // namespace tpf::sqlite
