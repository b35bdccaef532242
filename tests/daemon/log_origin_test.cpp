#include "daemon/log_origin.h"

#include <doctest/doctest.h>

#include "audit/checkpoints.h"
#include "audit/event_log.h"
#include "tests/daemon/core_fixture.h"

namespace tpf::daemon::test {
namespace {

struct OriginFixture : CoreFixture {
    conf::Config set = config_for(folder.path(), {});
    const Path mark = restored_mark(set.fixed.paths.journal);

    Status ensure() { return ensure_origin(hooked, *journal, set); }
    std::string origin() {
        std::optional<std::string> found;
        good(journal->ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(found, audit::log_origin(db));
            return ok();
        }));
        return found.value_or("none");
    }
    std::vector<audit::LoggedEvent> origins() {
        std::vector<audit::LoggedEvent> found;
        good(journal->ask([&](sqlite::Database& db) -> Status {
            TPF_TRY(found, audit::EventLog::list(db, {.kind = AuditKind::log_origin}));
            return ok();
        }));
        return found;
    }
    void restore() { good(mark_restored(hooked, set.fixed.paths.journal, "kari", clock.utc(), "ab12")); }
};

}  // namespace

TEST_SUITE("daemon/log_origin") {
    TEST_CASE_FIXTURE(OriginFixture, "drawn at the first start, kept by the next ones") {
        good(ensure());
        const std::string first = origin();
        CHECK(first.starts_with("unit/tpf/"));
        good(ensure());
        CHECK(origin() == first);
        CHECK(origins().size() == 1);
    }

    TEST_CASE_FIXTURE(OriginFixture, "drawn anew after a restore, once, with what is known of the old one") {
        good(ensure());
        const std::string first = origin();
        restore();
        good(ensure());
        CHECK(origin() != first);
        CHECK_FALSE(std::filesystem::exists(mark));
        const std::string fields = origins().back().fields;
        for (const std::string& part : {"\"previous\":\"" + first + "\"", std::string(R"("restored_by":"kari")"),
                                        std::string(R"("backup_manifest":"ab12")")})
            CHECK(fields.find(part) != std::string::npos);
        good(ensure());
        CHECK(origins().size() == 2);
        restore();  // another one
        good(ensure());
        CHECK(origins().size() == 3);
    }

    TEST_CASE_FIXTURE(OriginFixture, "a crash before the mark is gone draws no second one") {
        good(ensure());
        restore();
        hooked.hook([&](Call now, const Path& path) -> Status {
            return now == Call::remove_file && path == mark ? fail(Code::io, "a test") : ok();
        });
        CHECK_FALSE(ensure().has_value());
        CHECK(std::filesystem::exists(mark));
        const std::string drawn = origin();
        hooked.hook(nullptr);
        good(ensure());
        CHECK(origin() == drawn);
        CHECK(origins().size() == 2);
        CHECK_FALSE(std::filesystem::exists(mark));
    }

    TEST_CASE_FIXTURE(OriginFixture,
                      "a damaged mark is a restore all the same; one that cannot be read stops the start") {
        good(ensure());
        const std::string first = origin();
        good(write_atomically(fs, mark, "{\"form\":", 0600));
        good(ensure());
        CHECK(origin() != first);
        const std::string second = origin();
        restore();
        hooked.hook([&](Call now, const Path& path) -> Status {
            return now == Call::open_read && path == mark ? fail(Code::io, "a test") : ok();
        });
        CHECK_FALSE(ensure().has_value());
        CHECK(origin() == second);
        hooked.hook(nullptr);
    }

    TEST_CASE_FIXTURE(OriginFixture, "where the entry cannot be written the mark stays") {
        good(ensure());
        restore();
        sink.fail_with = Code::disk_full;
        CHECK_FALSE(ensure().has_value());
        CHECK(std::filesystem::exists(mark));
        sink.fail_with.reset();
    }
}

}  // namespace tpf::daemon::test
