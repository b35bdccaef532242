#include "forward/tls_context.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <optional>

namespace tpf::forward {
namespace {

/// OpenSSL's reason for what just failed; the queue is empty after it.
std::string reason() {
    const char* text = ERR_reason_error_string(ERR_get_error());
    ERR_clear_error();
    return text != nullptr ? text : "unknown reason";
}

/// OpenSSL's own would ask at the terminal.
int no_passphrase(char*, int, int, void*) {
    return 0;
}

Error file_error(const char* what, const Path& path) {
    return Error(Code::config, std::string(what) + " " + path.string() + ": " + reason());
}

bool is_address(const std::string& host) noexcept {
    std::array<unsigned char, sizeof(in6_addr)> address{};
    return inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
           inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

}  // namespace

Status check_private_file(FileSystem& fs, const Path& path) {
    const auto info = fs.info(path);
    if (!info) return fail(Code::config, info.error().detail());
    if (!info.value().regular)
        return fail(Code::config, path.string() + " is not a regular file", "name the file itself, not a link to it");
    const bool roots = info.value().owner == 0;
    if (!roots && info.value().owner != ::geteuid()) {
        return fail(Code::config, path.string() + " belongs to another user", "chown root " + path.string());
    }
    const mode_t open_to = info.value().mode & (roots ? 0037U : 0077U);
    if (open_to != 0) {
        return fail(Code::config, path.string() + " can be read or changed by others",
                    std::string("chmod ") + (roots ? "0640 " : "0600 ") + path.string());
    }
    return ok();
}

Result<TlsContext> make_client_context(const TlsFiles& files, FileSystem& fs) {
    TPF_TRY(check_private_file(fs, files.client_key));
    ERR_clear_error();
    TlsContext context(SSL_CTX_new(TLS_client_method()));
    if (!context) return fail(Code::internal, "OpenSSL: " + reason());
    SSL_CTX* const c = context.get();
    SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION);
    SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_default_passwd_cb(c, no_passphrase);
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
    if (SSL_CTX_load_verify_file(c, files.ca_file.c_str()) != 1) return fail(file_error("ca_file", files.ca_file));
    if (SSL_CTX_use_certificate_chain_file(c, files.client_certificate.c_str()) != 1) {
        return fail(file_error("client_certificate", files.client_certificate));
    }
    if (SSL_CTX_use_PrivateKey_file(c, files.client_key.c_str(), SSL_FILETYPE_PEM) != 1) {
        return fail(file_error("client_key", files.client_key));
    }
    if (SSL_CTX_check_private_key(c) != 1) {
        return fail(Code::config,
                    files.client_key.string() + " is not the key of " + files.client_certificate.string());
    }
    return context;
}

Result<UtcTime> certificates_end(const Path& pem, Ends which) {
    const std::unique_ptr<BIO, int (*)(BIO*)> file(BIO_new_file(pem.c_str(), "r"), BIO_free);
    if (!file) return fail(file_error("certificate", pem));
    std::optional<UtcTime> found;
    while (const std::unique_ptr<X509, void (*)(X509*)> one{PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr),
                                                            X509_free}) {
        std::tm at{};
        if (ASN1_TIME_to_tm(X509_get0_notAfter(one.get()), &at) != 1) return fail(file_error("certificate", pem));
        const UtcTime end{std::chrono::seconds(::timegm(&at))};
        if (!found || (which == Ends::first ? end < *found : end > *found)) found = end;
    }
    ERR_clear_error();
    if (!found) return fail(Code::config, pem.string() + " holds no certificate");
    return *found;
}

bool expect_host(SSL* tls, const std::string& host) noexcept {
    X509_VERIFY_PARAM* const param = SSL_get0_param(tls);
    if (is_address(host)) return X509_VERIFY_PARAM_set1_ip_asc(param, host.c_str()) == 1;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    // SSL_set_tlsext_host_name is a macro with an old-style cast.
    return X509_VERIFY_PARAM_set1_host(param, host.c_str(), host.size()) == 1 &&
           SSL_ctrl(tls, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(host.c_str())) == 1;
}

std::string certificate_problem(const SSL* tls) {
    const long result = SSL_get_verify_result(tls);
    return result == X509_V_OK ? std::string() : X509_verify_cert_error_string(result);
}

}  // namespace tpf::forward
