#pragma once
// Certificates and key files for one test program, in a folder that goes with it.

#include <filesystem>
#include <fstream>
#include <string>

#include "forward/endpoint.h"
#include "tests/support/certificates.h"
#include "tests/support/tls_server.h"

namespace tpf::forward::test {

/// A folder under the system's temporary one, removed with all in it.
class TempFolder {
  public:
    TempFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "tpf-forward-test-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        path_ = name;
    }
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    [[nodiscard]] const Path& path() const noexcept { return path_; }
    Path write(const std::string& name, const std::string& content, unsigned mode = 0600) const {
        const Path file = path_ / name;
        std::ofstream(file) << content;
        std::filesystem::permissions(file, static_cast<std::filesystem::perms>(mode));
        return file;
    }

  private:
    Path path_;
};

/// Made once: two authorities (the register's and the clients'), one server, one client.
struct Stage {
    tpf::test::Authority registers{"register CA"};
    tpf::test::Authority clients{"client CA"};
    tpf::test::Authority strangers{"somebody else's CA"};
    tpf::test::PemPair server = registers.issue_server("register", "DNS:localhost,IP:127.0.0.1");
    tpf::test::PemPair client = clients.issue_client("tpf");
    TempFolder folder;
    TlsFiles files{folder.write("ca.pem", registers.certificate()), folder.write("client.pem", client.certificate),
                   folder.write("client.key", client.key)};

    [[nodiscard]] static const Stage& get() {
        static const Stage stage;
        return stage;
    }
    [[nodiscard]] tpf::test::TlsServerOptions server_options() const {
        return tpf::test::TlsServerOptions{server, clients.certificate(), TLS1_3_VERSION};
    }
    /// Deadlines that no test meets by accident.
    [[nodiscard]] EndpointSettings settings(std::uint16_t port) const {
        using namespace std::chrono_literals;
        return EndpointSettings{"127.0.0.1", port, "/base", files, EndpointTimes{60s, 60s, 60s, 60s, 60s}};
    }
};

}  // namespace tpf::forward::test
