#include "daemon/credentials.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/fs.h"
#include "tests/support/temp_folder.h"

namespace tpf::daemon {
namespace {

struct Entry {
    std::uint16_t tag, rights;
    std::uint32_t id;
};
constexpr std::uint16_t kOwner = 1, kUser = 2, kGroupOfFile = 4, kGroup = 8, kMask = 0x10, kOther = 0x20;
constexpr std::uint32_t kNobody = 0xffffffff;

struct Folder {
    test::TempFolder folder{"/dev/shm"};
    Path file = folder.path() / "keyring-passphrase";

    Folder() {
        ::setenv("CREDENTIALS_DIRECTORY", folder.path().c_str(), 1);
        REQUIRE(write_new(posix_file_system(), file, "phrase\n", 0400));
    }
    ~Folder() { ::unsetenv("CREDENTIALS_DIRECTORY"); }

    /// False where the file system has no access lists.
    bool set_list(const std::vector<Entry>& entries) {
        std::vector<std::uint8_t> octets(4 + entries.size() * sizeof(Entry));
        octets[0] = 2;
        std::memcpy(octets.data() + 4, entries.data(), entries.size() * sizeof(Entry));
        return ::setxattr(file.c_str(), "system.posix_acl_access", octets.data(), octets.size(), 0) == 0;
    }
    [[nodiscard]] bool is_taken() const {
        const auto read = read_passphrase(std::nullopt);
        if (!read) {
            CHECK(read.error().code() == Code::config);
            CHECK(read.error().hint().find("chmod 0400") != std::string_view::npos);
        }
        return read.has_value() && read.value().size() == 6;
    }
};

}  // namespace

TEST_SUITE("daemon/credentials") {
    TEST_CASE_FIXTURE(Folder, "a mode that lets others in is refused") {
        for (const mode_t mode : {0400U, 0600U, 0700U}) {
            REQUIRE(::chmod(file.c_str(), mode) == 0);
            CHECK(is_taken());
        }
        for (const mode_t mode : {0440U, 0420U, 0410U, 0404U, 0402U, 0401U, 0644U}) {
            REQUIRE(::chmod(file.c_str(), mode) == 0);
            CHECK_FALSE(is_taken());
        }
    }

    TEST_CASE_FIXTURE(Folder, "an access list names nobody but us and root") {
        const auto list = [&](const Entry& one, std::uint16_t group = 0, std::uint16_t other = 0) {
            std::vector<Entry> entries{{kOwner, 4, kNobody}};
            if (one.tag == kUser) entries.push_back(one);
            entries.push_back({kGroupOfFile, group, kNobody});
            if (one.tag == kGroup) entries.push_back(one);
            entries.push_back({kMask, 7, kNobody});
            entries.push_back({kOther, other, kNobody});
            return entries;
        };
        const std::uint32_t self = ::geteuid();
        if (!set_list(list({kUser, 4, self}))) {
            std::puts("SKIPPED: credentials' access lists: this file system has none");
            return;
        }
        CHECK(is_taken());
        REQUIRE(set_list(list({kUser, 4, 0})));
        CHECK(is_taken());
        REQUIRE(set_list(list({kUser, 0, 4711})));
        CHECK(is_taken());
        REQUIRE(set_list(list({kUser, 4, 4711})));
        CHECK_FALSE(is_taken());
        REQUIRE(set_list(list({kUser, 6, self})));
        CHECK_FALSE(is_taken());
        REQUIRE(set_list(list({kGroup, 4, 100})));
        CHECK_FALSE(is_taken());
        REQUIRE(set_list(list({kUser, 4, self}, 4)));
        CHECK_FALSE(is_taken());
        REQUIRE(set_list(list({kUser, 4, self}, 0, 4)));
        CHECK_FALSE(is_taken());
    }
}

}  // namespace tpf::daemon
