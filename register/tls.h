#pragma once
// The server's TLS: 1.3 only, and no one without a certificate of the client CA.

#include <utility>

#include <boost/asio/ssl/context.hpp>

#include "base/fs.h"
#include "base/result.h"

namespace tpf::reg {

struct TlsFiles {
    Path certificate;  ///< PEM, the server's own first, then what leads to the root
    Path key;          ///< PEM, of the server's certificate
    Path client_ca;    ///< PEM: who may sign clients' certificates
};

/// Code::config, naming the file, when one cannot be used.
[[nodiscard]] Result<boost::asio::ssl::context> make_server_context(const TlsFiles& files);

}  // namespace tpf::reg
