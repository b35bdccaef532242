#pragma once
// The client's side of mutual TLS 1.3, in OpenSSL's terms.

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/fs.h"
#include "base/result.h"

namespace tpf::forward {

struct FreeTlsContext {
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeTlsContext>;

struct TlsFiles {
    Path ca_file;             ///< PEM: the only certificates trusted
    Path client_certificate;  ///< PEM, the leaf first
    Path client_key;          ///< PEM, not encrypted
};

/// A private key's file must be the service's own or root's, and readable by nobody else; a group may read root's (as
/// PostgreSQL has it: that is how Debian's ssl-cert and systemd hand keys to a service). Code::config, with the command
/// that puts it right as the hint.
[[nodiscard]] Status check_private_file(FileSystem& fs, const Path& path);

/// TLS 1.3 and nothing older; the peer must show a certificate that `ca_file` vouches for. Asks nobody for a
/// passphrase. Code::config when a file is missing, not understood or not private, or certificate and key differ.
[[nodiscard]] Result<TlsContext> make_client_context(const TlsFiles& files, FileSystem& fs);

/// When a file's certificates end: of a chain the first that does, of authorities the last. Code::config: there is
/// none.
enum class Ends { first, last };
[[nodiscard]] Result<UtcTime> certificates_end(const Path& pem, Ends which);

/// Before the handshake: the certificate must name `host` (a DNS name or an IP address) in its subjectAltName; the
/// subject's common name does not count. False: OpenSSL has no memory for it.
[[nodiscard]] bool expect_host(SSL* tls, const std::string& host) noexcept;

/// After a failed handshake: why the peer's certificate was not accepted; empty when that was not the reason.
[[nodiscard]] std::string certificate_problem(const SSL* tls);

}  // namespace tpf::forward
