#include "forward/tls_context.h"

#include <doctest/doctest.h>

#include "tests/forward/tls_stage.h"

namespace {

using namespace tpf;
using forward::check_private_file;
using forward::make_client_context;
using forward::TlsFiles;
using forward::test::Stage;
using forward::test::TempFolder;

TEST_SUITE("forward/tls_context") {
    TEST_CASE("a key that others can read is refused, with the command that puts it right") {
        const TempFolder folder;
        const bool root = ::geteuid() == 0;
        CHECK(check_private_file(posix_file_system(), folder.write("a", "x", 0600)));
        CHECK(check_private_file(posix_file_system(), folder.write("b", "x", 0400)));
        CHECK(check_private_file(posix_file_system(), folder.write("c", "x", 0640)).has_value() == root);
        for (const unsigned mode : {0644U, 0604U, 0660U, 0620U, 0602U, 0610U, 0777U}) {
            CAPTURE(mode);
            const Path file = folder.write("open", "x", mode);
            const auto refused = check_private_file(posix_file_system(), file);
            REQUIRE_FALSE(refused);
            CHECK(refused.error().code() == Code::config);
            CHECK(refused.error().hint() == std::string(root ? "chmod 0640 " : "chmod 0600 ") + file.string());
        }
        std::filesystem::create_symlink(folder.path() / "a", folder.path() / "link");
        CHECK_FALSE(check_private_file(posix_file_system(), folder.path() / "link"));
        CHECK_FALSE(check_private_file(posix_file_system(), folder.path() / "missing"));
    }

    TEST_CASE("files that are missing, not understood or not each other's") {
        const Stage& stage = Stage::get();
        const TempFolder folder;
        CHECK(make_client_context(stage.files, posix_file_system()));
        const auto refused = [&](const TlsFiles& files) {
            const auto context = make_client_context(files, posix_file_system());
            return !context && context.error().code() == Code::config;
        };
        TlsFiles files = stage.files;
        files.ca_file = folder.path() / "missing";
        CHECK(refused(files));
        files.ca_file = folder.write("ca.pem", "not a certificate");
        CHECK(refused(files));
        files = stage.files;
        files.client_certificate = folder.write("client.pem", "");
        CHECK(refused(files));
        files = stage.files;
        files.client_key = folder.write("other.key", stage.server.key);
        CHECK(refused(files));
        files.client_key = folder.write("none.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
        CHECK(refused(files));
        files.client_key = folder.write("open.key", stage.client.key, 0644);
        CHECK(refused(files));
    }
}

}  // namespace
