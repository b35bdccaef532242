#include "register/tls.h"

#include <openssl/ssl.h>

namespace tpf::reg {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

Status check(const error_code& error, const Path& file) {
    if (error) return fail(Code::config, file.string() + " cannot be used: " + error.message());
    return ok();
}

}  // namespace

Result<ssl::context> make_server_context(const TlsFiles& files) {
    ssl::context context(ssl::context::tls_server);
    SSL_CTX* native = context.native_handle();
    if (SSL_CTX_set_min_proto_version(native, TLS1_3_VERSION) != 1)
        return fail(Code::config, "this OpenSSL has no TLS 1.3");
    // Without resumption every connection shows its certificate, and none outlives a change of the CA.
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(native, 0);
    error_code error;
    context.use_certificate_chain_file(files.certificate.string(), error);
    TPF_TRY(check(error, files.certificate));
    context.use_private_key_file(files.key.string(), ssl::context::pem, error);
    TPF_TRY(check(error, files.key));
    context.load_verify_file(files.client_ca.string(), error);
    TPF_TRY(check(error, files.client_ca));
    SSL_CTX_set_client_CA_list(native, SSL_load_client_CA_file(files.client_ca.c_str()));
    context.set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, error);
    TPF_TRY(check(error, files.client_ca));
    return context;
}

}  // namespace tpf::reg
