#include "daemon/backup_manifest.h"

#include <doctest/doctest.h>

namespace tpf::daemon {
namespace {

Json file_entry(const char* path, unsigned mode = 0640) {
    return {{"path", path}, {"mode", mode}, {"owner", "tpf"}, {"group", "tpf"}, {"size", 3}, {"sha256", "x"}};
}
Json folder_entry(const char* path, unsigned mode = 02750) {
    return {{"path", path}, {"mode", mode}, {"owner", "tpf"}, {"group", "tpf"}};
}
Json manifest_of(Json files, Json folders) {
    return {{"form", kBackupForm},
            {"name", "unit"},
            {"time", "2027-01-15T08:00:00Z"},
            {"files", std::move(files)},
            {"folders", std::move(folders)}};
}
/// {one} alone is a list to one compiler and a copy to the other.
Json list_of(std::initializer_list<Json> entries) {
    Json list = Json::array();
    for (const Json& entry : entries) list.push_back(entry);
    return list;
}
bool is_refused(const Json& manifest) {
    const auto parsed = parse_manifest(manifest_text(manifest));
    return !parsed && parsed.error().code() == Code::usage;
}

}  // namespace

TEST_SUITE("daemon/backup_manifest") {
    TEST_CASE("what is written is read") {
        const std::string text =
            manifest_text(manifest_of(list_of({file_entry("spool/work/a/innsending.xml")}),
                                      list_of({folder_entry("spool/work"), folder_entry("spool/work/a")})));
        const auto manifest = parse_manifest(text);
        REQUIRE(manifest);
        CHECK(manifest.value().name == "unit");
        REQUIRE(manifest.value().files.size() == 1);
        CHECK(manifest.value().files[0].path == "spool/work/a/innsending.xml");
        CHECK(manifest.value().files[0].mode == 0640);
        CHECK(manifest.value().folders.size() == 2);
        CHECK(manifest.value().sha256.size() == 64);
        CHECK(is_refused(manifest_of(list_of({file_entry("a")}), list_of({folder_entry("a")}))));
    }

    TEST_CASE("a changed one is refused") {
        std::string text = manifest_text(manifest_of(list_of({file_entry("a")}), Json::array()));
        text.replace(text.find("unit"), 4, "prod");
        CHECK_FALSE(parse_manifest(text));
        for (const char* bad :
             {"", "[]", "{}", R"({"form":"tpf-backup-1"})", R"({"form":1})", R"({"form":"tpf-backup-2"})"})
            CHECK_FALSE(parse_manifest(bad));
        Json of_no_lists = manifest_of(Json::array(), Json::array());
        of_no_lists["files"] = 7;
        CHECK(is_refused(of_no_lists));
    }

    TEST_CASE("no path leads elsewhere") {
        for (const char* path : {"", "/etc/passwd", "spool/work//etc/cron.d/x", "spool/../../etc/x", "..", "a/..",
                                 "./a", "a/.", "a/", "a b", "a\nb", "a\\b", "\xc3\xa6"}) {
            CAPTURE(path);
            CHECK(is_refused(manifest_of(list_of({file_entry(path)}), Json::array())));
            CHECK(is_refused(manifest_of(Json::array(), list_of({folder_entry(path)}))));
        }
        for (const char* path : {"tpf.toml", "journal/journal.db-wal", "spool/inbox/new/0d9f/kilde.json", "a..b/.c"}) {
            CAPTURE(path);
            CHECK_FALSE(is_refused(manifest_of(list_of({file_entry(path)}), Json::array())));
        }
    }

    TEST_CASE("no right to run, and no other's identity") {
        for (const unsigned mode : {0755U, 04644U, 02644U, 01644U, 0100U, 0100644U}) {
            CAPTURE(mode);
            CHECK(is_refused(manifest_of(list_of({file_entry("a", mode)}), Json::array())));
        }
        CHECK(is_refused(manifest_of(Json::array(), list_of({folder_entry("a", 04755)}))));
        CHECK_FALSE(is_refused(manifest_of(Json::array(), list_of({folder_entry("a", 03770)}))));
    }

    TEST_CASE("an entry that is not of the form") {
        for (const char* member : {"path", "owner", "group", "sha256"}) {
            Json entry = file_entry("a");
            entry[member] = 7;
            CHECK(is_refused(manifest_of({entry}, Json::array())));
            entry.erase(member);
            CHECK(is_refused(manifest_of({entry}, Json::array())));
        }
        CHECK(is_refused(manifest_of({1}, Json::array())));
    }
}

}  // namespace tpf::daemon
