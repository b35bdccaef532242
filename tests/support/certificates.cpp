#include "tests/support/certificates.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>

namespace tpf::test {
namespace {

constexpr long kHour = 3600;
constexpr long kDay = 24 * kHour;

void must(bool success) {
    if (success) return;
    std::fputs("tests/support/certificates: OpenSSL failed\n", stderr);
    std::abort();
}

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_ctrl(bio, BIO_CTRL_INFO, 0, &data);
    return std::string(data, static_cast<std::size_t>(size));
}

std::string pem(X509* certificate) {
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), BIO_free_all);
    must(PEM_write_bio_X509(bio.get(), certificate) == 1);
    return text_of(bio.get());
}

std::string pem(EVP_PKEY* key) {
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), BIO_free_all);
    must(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
    return text_of(bio.get());
}

void extend(X509* certificate, X509* issuer, int nid, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    must(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/// Version, serial, times, subject and key; no issuer, no extensions, no signature yet.
X509* blank(const std::string& name, EVP_PKEY* key, long ends_in_seconds) {
    X509* certificate = X509_new();
    must(certificate != nullptr && X509_set_version(certificate, X509_VERSION_3) == 1);
    std::uint32_t serial = 0;
    must(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1);
    must(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial | 1U) == 1);
    must(X509_gmtime_adj(X509_getm_notBefore(certificate), -kHour * 2) != nullptr);
    must(X509_gmtime_adj(X509_getm_notAfter(certificate), ends_in_seconds) != nullptr);
    must(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0) == 1);
    must(X509_set_pubkey(certificate, key) == 1);
    return certificate;
}

}  // namespace

Authority::Authority(const std::string& name) : key_(EVP_EC_gen("P-256")), self_(blank(name, key_.get(), kDay)) {
    must(X509_set_issuer_name(self_.get(), X509_get_subject_name(self_.get())) == 1);
    extend(self_.get(), self_.get(), NID_basic_constraints, "critical,CA:TRUE");
    extend(self_.get(), self_.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    extend(self_.get(), self_.get(), NID_subject_key_identifier, "hash");
    must(X509_sign(self_.get(), key_.get(), EVP_sha256()) > 0);
    pem_ = pem(self_.get());
}

PemPair Authority::issue(const std::string& name, const std::string& alternative_names, const char* usage,
                         long ends_in_seconds) const {
    const std::unique_ptr<EVP_PKEY, Free> key(EVP_EC_gen("P-256"));
    const std::unique_ptr<X509, Free> leaf(blank(name, key.get(), ends_in_seconds));
    must(X509_set_issuer_name(leaf.get(), X509_get_subject_name(self_.get())) == 1);
    extend(leaf.get(), self_.get(), NID_basic_constraints, "critical,CA:FALSE");
    extend(leaf.get(), self_.get(), NID_key_usage, "critical,digitalSignature");
    extend(leaf.get(), self_.get(), NID_ext_key_usage, usage);
    if (!alternative_names.empty()) extend(leaf.get(), self_.get(), NID_subject_alt_name, alternative_names.c_str());
    must(X509_sign(leaf.get(), key_.get(), EVP_sha256()) > 0);
    return PemPair{pem(leaf.get()), pem(key.get())};
}

PemPair Authority::issue_server(const std::string& name, const std::string& alternative_names) const {
    return issue(name, alternative_names, "serverAuth", kDay);
}

PemPair Authority::issue_client(const std::string& name) const {
    return issue(name, "", "clientAuth", kDay);
}

PemPair Authority::issue_expired_server(const std::string& name, const std::string& alternative_names) const {
    return issue(name, alternative_names, "serverAuth", -kHour);
}

}  // namespace tpf::test
