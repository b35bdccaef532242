#pragma once
// Certificates made for one test run: P-256, valid from an hour ago to a day from now, all in PEM.

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace tpf::test {

struct PemPair {
    std::string certificate;
    std::string key;
};

/// A certificate authority of its own. Any failure ends the test program.
class Authority {
  public:
    explicit Authority(const std::string& name);
    [[nodiscard]] const std::string& certificate() const noexcept { return pem_; }
    /// `alternative_names` as in openssl.cnf: "DNS:localhost,IP:127.0.0.1"; empty: none.
    [[nodiscard]] PemPair issue_server(const std::string& name, const std::string& alternative_names) const;
    [[nodiscard]] PemPair issue_client(const std::string& name) const;
    [[nodiscard]] PemPair issue_expired_server(const std::string& name, const std::string& alternative_names) const;

  private:
    struct Free {
        void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
        void operator()(X509* certificate) const noexcept { X509_free(certificate); }
    };
    [[nodiscard]] PemPair issue(const std::string& name, const std::string& alternative_names, const char* usage,
                                long ends_in_seconds) const;
    std::unique_ptr<EVP_PKEY, Free> key_;
    std::unique_ptr<X509, Free> self_;
    std::string pem_;
};

}  // namespace tpf::test
