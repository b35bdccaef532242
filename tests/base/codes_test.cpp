#include "base/codes.h"

#include <doctest/doctest.h>

#include <set>

#include "base/result.h"

#include <cerrno>

namespace tpf {

TEST_SUITE("base/codes") {
    TEST_CASE("each row stands where its code points, and names are unique and stable in form") {
        std::set<std::string_view> names;
        for (const CodeInfo& row : all_codes()) {
            CAPTURE(row.name);
            CHECK(&info(row.code) == &row);
            CHECK(find_code(row.name) == &row);
            CHECK(names.insert(row.name).second);
            CHECK(row.name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == std::string_view::npos);
            CHECK_FALSE(row.cause.empty());
            CHECK_FALSE(row.remedy.empty());
        }
        CHECK(find_code("FINNES-IKKE") == nullptr);
    }

    TEST_CASE("what a row tells the sender hangs together") {
        for (const CodeInfo& row : all_codes()) {
            CAPTURE(row.name);
            CHECK(row.apprec_status >= 0);
            CHECK(row.apprec_status <= 3);
            CHECK((row.apprec_status == 0) == row.apprec_error.empty());
            if (row.apprec_status == 2) CHECK_FALSE(row.sender.empty());
            // Only what can never pass is final, and that never heals by waiting.
            if (row.final_) CHECK(row.disposition == Disposition::quarantine);
        }
    }

    TEST_CASE("errors: full disks are told apart, hints fall back to the catalogue") {
        CHECK(errno_error(ENOSPC, "write x").code() == Code::disk_full);
        CHECK(errno_error(EDQUOT, "write x").code() == Code::disk_full);
        CHECK(errno_error(EIO, "write x").code() == Code::io);
        CHECK(errno_error(EIO, "write x").detail().starts_with("write x: "));
        CHECK(Error(Code::io).text() == "LESEFEIL: " + std::string(info(Code::io).cause));
        CHECK(Error(Code::io, "read x").text() == "LESEFEIL: read x");
        CHECK(Error(Code::io).hint() == info(Code::io).remedy);
        CHECK(Error(Code::io, "", "look").hint() == "look");
    }
}

}  // namespace tpf
