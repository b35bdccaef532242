#include "crypto/pkcs8.h"

#include <botan/data_src.h>
#include <botan/pem.h>
#include <botan/pkcs8.h>
#include <botan/rsa.h>
#include <botan/x509_key.h>

#include "crypto/random.h"

namespace tpf::crypto {
namespace {

// Botan's scrypt takes "iterations" as a scale: above 50,000 N = 16384, above 100,000 N = 32768.
constexpr std::size_t kScryptScale = 60'000;

/// Botan takes passphrases as std::string only: a copy that is wiped when it goes.
class WipedString {
  public:
    explicit WipedString(ByteView bytes) : text_(as_text(bytes)) {}
    explicit WipedString(std::string text) : text_(std::move(text)) {}
    WipedString(const WipedString&) = delete;
    WipedString& operator=(const WipedString&) = delete;
    ~WipedString() { wipe({reinterpret_cast<std::uint8_t*>(text_.data()), text_.size()}); }
    [[nodiscard]] const std::string& str() const noexcept { return text_; }

  private:
    std::string text_;
};

/// Botan's check of an RSA key also tests p and q for primality, which takes longer than all else of a start. The rest
/// of it is here; that the key opens what its public half seals is proven by whoever takes it.
bool is_whole(const Botan::Private_Key& key) {
    const auto* rsa = dynamic_cast<const Botan::RSA_PrivateKey*>(&key);
    if (rsa == nullptr) return key.check_key(system_generator(), false);
    const Botan::BigInt &p = rsa->get_p(), &q = rsa->get_q(), &d = rsa->get_d();
    return p > 3 && q > 3 && p != q && p * q == rsa->get_n() && rsa->get_d1() == d % (p - 1) &&
           rsa->get_d2() == d % (q - 1) && (rsa->get_c() * q) % p == 1;
}

}  // namespace

Result<std::unique_ptr<Botan::Private_Key>> load_private_key(std::string_view pem, const SecretBytes& passphrase) {
    const bool sealed = pem.find("-----BEGIN ENCRYPTED PRIVATE KEY-----") != std::string_view::npos;
    if (!sealed && pem.find("-----BEGIN PRIVATE KEY-----") == std::string_view::npos) {
        return fail(Code::wrong_key, "not a private key in PKCS#8 PEM",
                    "`openssl pkcs8 -topk8 -v2 aes256 -scrypt` turns other forms into it");
    }
    if (sealed && passphrase.size() == 0) return fail(Code::wrong_key, "the private key needs a passphrase");
    if (!sealed && passphrase.size() != 0) {
        return fail(Code::wrong_key, "the private key is not encrypted, but a passphrase was given",
                    "`openssl pkcs8 -topk8 -v2 aes256 -scrypt` encrypts it");
    }
    try {
        Botan::DataSource_Memory source(reinterpret_cast<const std::uint8_t*>(pem.data()), pem.size());
        const WipedString phrase(passphrase.bytes(SecretToken::access()));
        auto key = sealed ? Botan::PKCS8::load_key(source, phrase.str()) : Botan::PKCS8::load_key(source);
        if (key && is_whole(*key)) return key;
    } catch (const std::exception&) {
        // What failed inside is not told: the answer is the same.
    }
    return fail(Code::wrong_key, "the private key does not open: wrong passphrase, or a damaged file");
}

SecretBytes store_private_key(const Botan::Private_Key& key, const SecretBytes& passphrase) {
    if (passphrase.size() == 0) {
        const WipedString pem(Botan::PKCS8::PEM_encode(key));
        return SecretBytes::copy_of(as_bytes(pem.str()));
    }
    const WipedString phrase(passphrase.bytes(SecretToken::access()));
    return SecretBytes::copy_of(as_bytes(Botan::PKCS8::PEM_encode_encrypted_pbkdf_iter(
        key, system_generator(), phrase.str(), kScryptScale, "AES-256/CBC", "Scrypt")));
}

Result<std::unique_ptr<Botan::Public_Key>> load_public_key(std::string_view pem) {
    try {
        const std::string text(pem);
        const auto der = Botan::PEM_Code::decode_check_label(text, "PUBLIC KEY");
        Botan::DataSource_Memory source(der);
        std::unique_ptr<Botan::Public_Key> key(Botan::X509::load_key(source));
        if (key && key->check_key(system_generator(), false)) return key;
    } catch (const std::exception&) {
        // Falls through to the one answer.
    }
    return fail(Code::field_form, "not a public key in PEM (\"BEGIN PUBLIC KEY\")");
}

}  // namespace tpf::crypto
