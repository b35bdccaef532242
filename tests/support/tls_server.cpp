#include "tests/support/tls_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "base/encoding.h"

namespace tpf::test {
namespace {

void must(bool success, const char* what) {
    if (success) return;
    std::fprintf(stderr, "tests/support/tls_server: %s failed\n", what);
    std::abort();
}

X509* read_certificate(const std::string& pem) {
    BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    must(certificate != nullptr, "certificate");
    return certificate;
}

SSL_CTX* make_context(const TlsServerOptions& options) {
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    must(context != nullptr, "SSL_CTX_new");
    SSL_CTX_set_max_proto_version(context, options.highest_version);
    X509* own = read_certificate(options.identity.certificate);
    must(SSL_CTX_use_certificate(context, own) == 1, "certificate");
    X509_free(own);
    BIO* bio = BIO_new_mem_buf(options.identity.key.data(), static_cast<int>(options.identity.key.size()));
    EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    must(key != nullptr && SSL_CTX_use_PrivateKey(context, key) == 1, "key");
    EVP_PKEY_free(key);
    X509* authority = read_certificate(options.client_ca);
    must(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority) == 1, "client authority");
    X509_free(authority);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    return context;
}

std::string lower(std::string text) {
    for (char& c : text) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
}

ServerRequest parse_head(std::string_view head) {
    ServerRequest request;
    while (!head.empty()) {
        const std::size_t end = head.find("\r\n");
        const std::string_view line = head.substr(0, end);
        head.remove_prefix(std::min(end + 2, head.size()));
        if (request.line.empty()) {
            request.line = line;
            continue;
        }
        const std::size_t colon = line.find(": ");
        if (colon == std::string_view::npos) continue;
        request.headers[lower(std::string(line.substr(0, colon)))] = line.substr(colon + 2);
    }
    return request;
}

}  // namespace

bool ServerConnection::handshake() {
    tls_.reset(SSL_new(server_->context_.get()));
    must(tls_ && SSL_set_fd(tls_.get(), fd_.get()) == 1, "SSL_new");
    const bool good = SSL_accept(tls_.get()) == 1;
    ERR_clear_error();
    return good;
}

std::size_t ServerConnection::read_some(char* to, std::size_t size) {
    std::size_t got = 0;
    if (SSL_read_ex(tls_.get(), to, size, &got) != 1) got = 0;
    ERR_clear_error();
    return got;
}

std::optional<ServerRequest> ServerConnection::read_head() {
    std::array<char, 4096> buffer{};
    std::size_t end = ahead_.find("\r\n\r\n");
    while (end == std::string::npos) {
        const std::size_t got = read_some(buffer.data(), buffer.size());
        if (got == 0) return std::nullopt;
        ahead_.append(buffer.data(), got);
        end = ahead_.find("\r\n\r\n");
    }
    ServerRequest request = parse_head(std::string_view(ahead_).substr(0, end + 2));
    request.connection = number_;
    ahead_.erase(0, end + 4);
    return request;
}

void ServerConnection::read_body(ServerRequest& request, std::uint64_t most) {
    const std::uint64_t length = std::strtoull(request.headers["content-length"].c_str(), nullptr, 10);
    std::vector<char> buffer(64 * 1024);
    Sha256 hash;
    while (request.body_bytes < std::min(length, most)) {
        const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(length - request.body_bytes, buffer.size()));
        std::size_t got = std::min(want, ahead_.size());
        if (got > 0) {
            std::copy_n(ahead_.begin(), got, buffer.begin());
            ahead_.erase(0, got);
        } else {
            got = read_some(buffer.data(), want);
        }
        if (got == 0) break;
        hash.update(std::string_view(buffer.data(), got));
        request.body_bytes += got;
    }
    request.whole = request.body_bytes == length;
    request.body_sha256 = hex(hash.finish());
}

std::optional<ServerRequest> ServerConnection::read_request() {
    auto request = read_head();
    if (!request) return request;
    read_body(*request);
    remember(*request);
    return request;
}

void ServerConnection::remember(const ServerRequest& request) {
    const std::lock_guard lock(server_->mutex_);
    server_->requests_.push_back(request);
}

bool ServerConnection::send(std::string_view text) {
    std::size_t written = 0;
    const bool good = SSL_write_ex(tls_.get(), text.data(), text.size(), &written) == 1;
    ERR_clear_error();
    return good;
}

void ServerConnection::hang() {
    pollfd fd{fd_.get(), POLLRDHUP, 0};
    static_cast<void>(::poll(&fd, 1, -1));
}

void ServerConnection::reset() {
    const linger at_once{1, 0};
    must(::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0, "SO_LINGER");
    const std::lock_guard lock(server_->mutex_);
    fd_.reset();
}

TlsServer::TlsServer(const TlsServerOptions& options, Script script)
    : script_(std::move(script)), context_(make_context(options)) {
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
    listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    must(::bind(listener_.get(), generic, size) == 0 && ::listen(listener_.get(), 64) == 0, "bind");
    must(::getsockname(listener_.get(), generic, &size) == 0, "getsockname");
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
}

TlsServer::~TlsServer() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        ::shutdown(listener_.get(), SHUT_RDWR);
        for (const ServerConnection& connection : connections_) ::shutdown(connection.fd_.get(), SHUT_RDWR);
    }
    acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
}

void TlsServer::accept_all() {
    for (unsigned number = 0;; ++number) {
        const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
        const std::lock_guard lock(mutex_);
        if (ending_ && fd >= 0) ::close(fd);
        if (ending_ || fd < 0) return;
        ServerConnection& connection = connections_.emplace_back(*this, fd, number);
        threads_.emplace_back([this, &connection] { serve(connection); });
    }
}

void TlsServer::serve(ServerConnection& connection) {
    script_(connection);
    if (connection.fd_ && connection.tls_) SSL_shutdown(connection.tls_.get());
    ERR_clear_error();
    connection.tls_.reset();
    const std::lock_guard lock(mutex_);
    connection.fd_.reset();
}

std::vector<ServerRequest> TlsServer::requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
}

unsigned TlsServer::connections() {
    const std::lock_guard lock(mutex_);
    return static_cast<unsigned>(connections_.size());
}

std::string http_answer(int status, std::string_view body, std::string_view more) {
    return "HTTP/1.1 " + std::to_string(status) + " Answer\r\n" + std::string(more) +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

}  // namespace tpf::test
