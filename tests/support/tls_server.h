#pragma once
// A TLS server on 127.0.0.1, at a port of the system's choosing, that does what a test says, wrong things included. One
// thread per connection, blocking calls. Its own code on purpose, with nothing of what it tests.

#include <openssl/ssl.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/sha256.h"
#include "base/unique_fd.h"
#include "tests/support/certificates.h"

namespace tpf::test {

struct TlsServerOptions {
    PemPair identity;
    std::string client_ca;  ///< PEM; clients must show a certificate of this authority
    int highest_version = TLS1_3_VERSION;
};

/// A request as far as it came.
struct ServerRequest {
    unsigned connection = 0;                     ///< counts from 0
    std::string line;                            ///< "POST /v1/meldinger HTTP/1.1"
    std::map<std::string, std::string> headers;  ///< names in lower case
    std::uint64_t body_bytes = 0;
    std::string body_sha256;  ///< hex, of those bytes
    bool whole = false;       ///< as many bytes as Content-Length says
};

class TlsServer;

/// One accepted connection, used by its script's thread.
class ServerConnection {
  public:
    ServerConnection(TlsServer& server, int fd, unsigned number) : server_(&server), fd_(fd), number_(number) {}
    /// False: the other side did not go along.
    [[nodiscard]] bool handshake();
    /// Up to and with the empty line. Nothing: the other side closed.
    [[nodiscard]] std::optional<ServerRequest> read_head();
    /// Reads on until the body is whole, `most` bytes of it came, or the other side closed.
    void read_body(ServerRequest& request, std::uint64_t most = UINT64_MAX);
    /// read_head() and read_body(), and the server remembers it.
    [[nodiscard]] std::optional<ServerRequest> read_request();
    void remember(const ServerRequest& request);
    bool send(std::string_view text);
    /// Does nothing more until the server ends or the other side closes.
    void hang();
    /// Closes with a reset, without waiting for what is still to be sent.
    void reset();
    [[nodiscard]] unsigned number() const noexcept { return number_; }

  private:
    friend class TlsServer;
    struct FreeTls {
        void operator()(SSL* tls) const noexcept { SSL_free(tls); }
    };
    [[nodiscard]] std::size_t read_some(char* to, std::size_t size);
    TlsServer* server_;
    UniqueFd fd_;
    unsigned number_;
    std::unique_ptr<SSL, FreeTls> tls_;
    std::string ahead_;  ///< read, not used yet
};

class TlsServer {
  public:
    using Script = std::function<void(ServerConnection&)>;
    TlsServer(const TlsServerOptions& options, Script script);
    /// Ends every connection and waits for their threads.
    ~TlsServer();
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    /// What scripts remembered so far.
    [[nodiscard]] std::vector<ServerRequest> requests();
    [[nodiscard]] unsigned connections();

  private:
    friend class ServerConnection;
    struct FreeContext {
        void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
    };
    void accept_all();
    void serve(ServerConnection& connection);

    Script script_;
    std::unique_ptr<SSL_CTX, FreeContext> context_;
    UniqueFd listener_;
    std::uint16_t port_ = 0;
    std::mutex mutex_;
    bool ending_ = false;
    std::vector<ServerRequest> requests_;
    std::list<ServerConnection> connections_;
    std::vector<std::thread> threads_;
    std::thread acceptor_;
};

/// An answer with this body, Content-Length and no other field than `more` ("Name: value\r\n", any number).
[[nodiscard]] std::string http_answer(int status, std::string_view body, std::string_view more = {});

}  // namespace tpf::test
