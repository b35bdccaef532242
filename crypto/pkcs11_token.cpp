#include "crypto/pkcs11_token.h"

#include <botan/mem_ops.h>

#include <algorithm>
#include <array>

#include "crypto/check_value.h"
#include "crypto/key_padding.h"
#include "crypto/pkcs11_connection.h"
#include "crypto/random.h"

namespace tpf::crypto {
namespace {

constexpr CK_ULONG kMostObjects = 16;

/// A template; what it points to outlives it.
class Template {
  public:
    Template& value(CK_ATTRIBUTE_TYPE type, const CK_ULONG& number) { return add(type, &number, sizeof number); }
    Template& flag(CK_ATTRIBUTE_TYPE type, bool on) { return add(type, on ? &kYes : &kNo, sizeof(CK_BBOOL)); }
    Template& bytes(CK_ATTRIBUTE_TYPE type, std::string_view text) { return add(type, text.data(), text.size()); }
    [[nodiscard]] CK_ATTRIBUTE* data() noexcept { return attributes_.data(); }
    [[nodiscard]] CK_ULONG size() const noexcept { return static_cast<CK_ULONG>(attributes_.size()); }

  private:
    static constexpr CK_BBOOL kYes = 1, kNo = 0;
    Template& add(CK_ATTRIBUTE_TYPE type, const void* at, std::size_t size) {
        attributes_.push_back({type, const_cast<void*>(at), static_cast<CK_ULONG>(size)});
        return *this;
    }
    std::vector<CK_ATTRIBUTE> attributes_;
};

const CK_ULONG kPrivateClass = CKO_PRIVATE_KEY, kSecretClass = CKO_SECRET_KEY, kPublicClass = CKO_PUBLIC_KEY;
const CK_ULONG kRsaType = CKK_RSA, kGenericType = CKK_GENERIC_SECRET, kHmacBytes = 32;

CK_RV find(const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session, Template wanted,
           std::vector<CK_OBJECT_HANDLE>& found) {
    found.resize(kMostObjects);
    CK_RV answer = module.C_FindObjectsInit(session, wanted.data(), wanted.size());
    if (answer != CKR_OK) return answer;
    CK_ULONG count = 0;
    answer = module.C_FindObjects(session, found.data(), kMostObjects, &count);
    found.resize(answer == CKR_OK ? count : 0);
    const CK_RV ended = module.C_FindObjectsFinal(session);
    return answer == CKR_OK ? ended : answer;
}

CK_RV find_label(const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session, const std::string& label,
                 std::vector<CK_OBJECT_HANDLE>& found) {
    return find(module, session, Template().bytes(CKA_LABEL, label).flag(CKA_TOKEN, true), found);
}

CK_RV read_attribute(const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                     CK_ATTRIBUTE_TYPE type, Bytes& out) {
    CK_ATTRIBUTE attribute{type, nullptr, 0};
    CK_RV answer = module.C_GetAttributeValue(session, object, &attribute, 1);
    if (answer != CKR_OK) return answer;
    out.resize(attribute.ulValueLen);
    attribute.pValue = out.data();
    return module.C_GetAttributeValue(session, object, &attribute, 1);
}

Status must(Result<CK_RV> answer) {
    TPF_TRY(const CK_RV value, std::move(answer));
    if (value == CKR_OK) return ok();
    return fail(Code::no_key, answer_text(value));
}

auto no_such_key(const std::string& label) {
    return fail(Code::no_key, "the token has no key " + label, "is it the right token? `tpfctl keys check`");
}

struct Mechanism {
    CK_MECHANISM mechanism{};
    CK_RSA_PKCS_OAEP_PARAMS oaep{};
};

/// The token's own unpadding.
void set_own_padding(Mechanism& m, KeyTransport transport) {
    if (transport == KeyTransport::rsa_1_5) {
        m.mechanism = {CKM_RSA_PKCS, nullptr, 0};
        return;
    }
    const bool sha1 = transport == KeyTransport::oaep_mgf1p_sha1;
    const bool mgf_sha256 = transport == KeyTransport::oaep_sha256_mgf1_sha256;
    m.oaep.hash_alg = sha1 ? CKM_SHA_1 : CKM_SHA256;
    m.oaep.mgf = mgf_sha256 ? CKG_MGF1_SHA256 : CKG_MGF1_SHA1;
    m.oaep.source = CKZ_DATA_SPECIFIED;
    m.mechanism = {CKM_RSA_PKCS_OAEP, &m.oaep, sizeof m.oaep};
}

CK_RV decrypt(const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, Mechanism& how,
              ByteView octets, Botan::secure_vector<std::uint8_t>& out) {
    CK_RV answer = module.C_DecryptInit(session, &how.mechanism, key);
    if (answer != CKR_OK) return answer;
    out.resize(octets.size());
    CK_ULONG size = static_cast<CK_ULONG>(out.size());
    answer = module.C_Decrypt(session, const_cast<unsigned char*>(octets.data()), static_cast<CK_ULONG>(octets.size()),
                              out.data(), &size);
    out.resize(answer == CKR_OK ? size : 0);
    return answer;
}

bool is_refusal(CK_RV answer) noexcept {
    return answer == CKR_MECHANISM_INVALID || answer == CKR_KEY_FUNCTION_NOT_PERMITTED ||
           answer == CKR_MECHANISM_PARAM_INVALID;
}

}  // namespace

Pkcs11Token::Pkcs11Token(std::unique_ptr<Pkcs11Connection> connection) : connection_(std::move(connection)) {}
Pkcs11Token::~Pkcs11Token() = default;

Result<std::shared_ptr<Pkcs11Token>> Pkcs11Token::open(const Pkcs11Uri& uri, SecretBytes pin) {
    TPF_TRY(auto connection, Pkcs11Connection::open(uri, std::move(pin)));
    return std::shared_ptr<Pkcs11Token>(new Pkcs11Token(std::move(connection)));
}

Pkcs11Token::State Pkcs11Token::state() const {
    return connection_->state();
}

namespace {

/// A new object, where nothing of the label is there yet.
Status make(Pkcs11Connection& connection, const std::string& label, const Pkcs11Connection::Work& making) {
    bool taken = false;
    TPF_TRY(must(connection.run([&](const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session) -> CK_RV {
        std::vector<CK_OBJECT_HANDLE> found;
        const CK_RV looked = find_label(module, session, label, found);
        taken = !found.empty();
        return looked != CKR_OK || taken ? looked : making(module, session);
    })));
    if (taken) return fail(Code::usage, "the token has an object " + label + " already");
    return ok();
}

}  // namespace

Result<RsaPublicKey> Pkcs11Token::generate_rsa(const std::string& label, std::size_t bits) const {
    const CK_ULONG modulus_bits = bits;
    const std::string exponent("\x01\x00\x01", 3);
    TPF_TRY(make(*connection_, label, [&](const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session) {
        Template open, closed;
        open.flag(CKA_TOKEN, true).flag(CKA_ENCRYPT, true).value(CKA_MODULUS_BITS, modulus_bits);
        open.bytes(CKA_PUBLIC_EXPONENT, exponent).bytes(CKA_LABEL, label).bytes(CKA_ID, label);
        closed.flag(CKA_TOKEN, true).flag(CKA_PRIVATE, true).flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, false);
        closed.flag(CKA_DECRYPT, true).flag(CKA_SIGN, false).bytes(CKA_LABEL, label).bytes(CKA_ID, label);
        CK_MECHANISM mechanism{CKM_RSA_PKCS_KEY_PAIR_GEN, nullptr, 0};
        CK_OBJECT_HANDLE public_key = 0, private_key = 0;
        return module.C_GenerateKeyPair(session, &mechanism, open.data(), open.size(), closed.data(), closed.size(),
                                        &public_key, &private_key);
    }));
    return find_rsa(label);
}

Status Pkcs11Token::generate_hmac(const std::string& label) const {
    return make(*connection_, label, [&](const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session) {
        Template key;
        key.flag(CKA_TOKEN, true).flag(CKA_PRIVATE, true).flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, false);
        key.flag(CKA_SIGN, true).value(CKA_KEY_TYPE, kGenericType).value(CKA_CLASS, kSecretClass);
        key.value(CKA_VALUE_LEN, kHmacBytes).bytes(CKA_LABEL, label).bytes(CKA_ID, label);
        CK_MECHANISM mechanism{CKM_GENERIC_SECRET_KEY_GEN, nullptr, 0};
        CK_OBJECT_HANDLE made = 0;
        return module.C_GenerateKey(session, &mechanism, key.data(), key.size(), &made);
    });
}

Result<RsaPublicKey> Pkcs11Token::find_rsa(const std::string& label) const {
    Bytes modulus, exponent;
    TPF_TRY(must(connection_->run([&](const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session) -> CK_RV {
        std::vector<CK_OBJECT_HANDLE> found;
        Template wanted;
        wanted.value(CKA_CLASS, kPrivateClass).value(CKA_KEY_TYPE, kRsaType).bytes(CKA_LABEL, label);
        CK_RV answer = find(module, session, wanted, found);
        if (answer != CKR_OK || found.size() != 1) return answer;
        answer = read_attribute(module, session, found.front(), CKA_MODULUS, modulus);
        if (answer != CKR_OK) return answer;
        answer = read_attribute(module, session, found.front(), CKA_PUBLIC_EXPONENT, exponent);
        if (answer == CKR_OK) return answer;
        Template open;
        open.value(CKA_CLASS, kPublicClass).value(CKA_KEY_TYPE, kRsaType).bytes(CKA_LABEL, label);
        answer = find(module, session, open, found);
        if (answer != CKR_OK || found.size() != 1) return answer;
        return read_attribute(module, session, found.front(), CKA_PUBLIC_EXPONENT, exponent);
    })));
    if (modulus.empty() || exponent.empty()) return no_such_key(label);
    return RsaPublicKey::create(modulus, exponent);
}

namespace {

using Handles = std::vector<CK_OBJECT_HANDLE>;

CK_RV find_hmac(const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session, const std::string& label,
                std::vector<CK_OBJECT_HANDLE>& found) {
    return find(module, session, Template().value(CKA_CLASS, kSecretClass).bytes(CKA_LABEL, label), found);
}

CK_RV sign(const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, std::string_view text,
           std::span<std::uint8_t, 32> mac) {
    CK_MECHANISM mechanism{CKM_SHA256_HMAC, nullptr, 0};
    CK_RV answer = module.C_SignInit(session, &mechanism, key);
    if (answer != CKR_OK) return answer;
    CK_ULONG size = 32;
    answer = module.C_Sign(session, reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())),
                           static_cast<CK_ULONG>(text.size()), mac.data(), &size);
    return answer == CKR_OK && size != 32 ? CKR_GENERAL_ERROR : answer;
}

/// Both halves of the key of that label and modulus.
CK_RV find_pair(const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session, const std::string& label,
                const Bytes& modulus, Handles& found) {
    return find(module, session, Template().bytes(CKA_LABEL, label).bytes(CKA_MODULUS, as_text(modulus)), found);
}

/// The secret keys of that label that are the one of the check value.
CK_RV find_proved(const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session, const std::string& label,
                  const std::string& check_value, Handles& found) {
    Handles named;
    CK_RV answer = find_hmac(module, session, label, named);
    found.clear();
    for (const CK_OBJECT_HANDLE object : named) {
        std::array<std::uint8_t, 32> mac{};
        if (answer == CKR_OK) answer = sign(module, session, object, kCheckText, mac);
        if (answer == CKR_OK && check_value_of(mac) == check_value) found.push_back(object);
    }
    return answer;
}

template <class Find>
Status destroy(const Find& find, Pkcs11Connection& connection) {
    connection.forget();
    return must(connection.run([&](const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session) -> CK_RV {
        Handles found;
        CK_RV answer = find(module, session, found);
        for (const CK_OBJECT_HANDLE object : found) {
            if (answer == CKR_OK) answer = module.C_DestroyObject(session, object);
        }
        return answer;
    }));
}

}  // namespace

Result<bool> Pkcs11Token::has_rsa(const std::string& label, const RsaPublicKey& key) const {
    std::vector<CK_OBJECT_HANDLE> found;
    const Bytes modulus = key.modulus();
    TPF_TRY(must(connection_->run([&](const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session) {
        return find_pair(module, session, label, modulus, found);
    })));
    return !found.empty();
}

Result<bool> Pkcs11Token::has_hmac(const std::string& label, const std::string& check_value) const {
    std::vector<CK_OBJECT_HANDLE> found;
    TPF_TRY(must(connection_->run([&](const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session) {
        return find_proved(module, session, label, check_value, found);
    })));
    return !found.empty();
}

Status Pkcs11Token::destroy_rsa(const std::string& label, const RsaPublicKey& key) const {
    const Bytes modulus = key.modulus();
    return destroy([&](const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session,
                       Handles& found) { return find_pair(module, session, label, modulus, found); },
                   *connection_);
}

Status Pkcs11Token::destroy_hmac(const std::string& label, const std::string& check_value) const {
    return destroy([&](const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session,
                       Handles& found) { return find_proved(module, session, label, check_value, found); },
                   *connection_);
}

namespace {

/// The handle of the private key of that label and modulus (a label is a name that anybody can give); `there` is false
/// where there is none.
CK_RV find_private(Pkcs11Connection& connection, const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session,
                   const std::string& label, const Bytes& modulus, CK_OBJECT_HANDLE& object, bool& there) {
    there = true;
    if (const auto known = connection.remembered(label)) {
        object = *known;
        return CKR_OK;
    }
    std::vector<CK_OBJECT_HANDLE> found;
    Template wanted;
    wanted.value(CKA_CLASS, kPrivateClass).bytes(CKA_LABEL, label).bytes(CKA_MODULUS, as_text(modulus));
    const CK_RV looked = find(module, session, wanted, found);
    there = found.size() == 1;
    if (looked != CKR_OK || !there) return looked;
    object = found.front();
    connection.remember(label, object);
    return CKR_OK;
}

}  // namespace

Result<ContentKey> Pkcs11Token::unwrap(const std::string& label, const RsaPublicKey& key, KeyTransport transport,
                                       ContentCipher cipher, ByteView wrapped) const {
    const Bytes modulus = key.modulus();
    const OperationInput input(wrapped, modulus);
    Botan::secure_vector<std::uint8_t> opened;
    bool there = true;
    TPF_TRY(const CK_RV answer, connection_->run([&](const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session) {
        CK_OBJECT_HANDLE object = 0;
        const CK_RV looked = find_private(*connection_, module, session, label, modulus, object, there);
        if (looked != CKR_OK || !there) return looked;
        Mechanism raw;
        raw.mechanism = {CKM_RSA_X_509, nullptr, 0};
        return decrypt(module, session, object, raw, input.octets, opened);
    }));
    if (!there) return no_such_key(label);
    if (is_refusal(answer)) return unwrap_by_own_padding(label, key, transport, cipher, input);
    if (answer != CKR_OK) return fail(Code::no_key, answer_text(answer));
    opened.insert(opened.begin(), modulus.size() - std::min(modulus.size(), opened.size()), 0);
    const auto content = KeyPadding(transport).open_or_random(opened, input.is_ciphertext, key_size(cipher));
    return ContentKey{cipher, SecretBytes::copy_of(content)};
}

namespace {

bool same(const Botan::secure_vector<std::uint8_t>& opened, const SecretBytes& key) {
    const ByteView bytes = key.bytes(SecretToken::access());
    return opened.size() == bytes.size() && Botan::constant_time_compare(opened.data(), bytes.data(), bytes.size());
}

/// What modules answer to a padding that they cannot take off.
bool may_be_of_padding(CK_RV answer) noexcept {
    return is_answer(answer) || answer == CKR_GENERAL_ERROR || answer == CKR_FUNCTION_FAILED;
}

}  // namespace

/// What a token answers to a wrong padding differs from module to module, and some of it (CKR_GENERAL_ERROR) is what
/// they answer when they are broken. So a key that we wrapped is opened as well, each time: when that goes well the
/// answer was about the message, else the token cannot do it and the message waits.
Result<ContentKey> Pkcs11Token::unwrap_by_own_padding(const std::string& label, const RsaPublicKey& key,
                                                      KeyTransport transport, ContentCipher cipher,
                                                      const OperationInput& input) const {
    const ContentKey known = ContentKey::random(cipher);
    TPF_TRY(const Bytes known_wrapped, KeyWrapper(key, transport).wrap(known));
    const Bytes modulus = key.modulus();
    Botan::secure_vector<std::uint8_t> opened, known_opened;
    CK_RV about_message = CKR_OK;
    bool there = true;
    TPF_TRY(const CK_RV answer, connection_->run([&](const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session) {
        CK_OBJECT_HANDLE object = 0;
        const CK_RV looked = find_private(*connection_, module, session, label, modulus, object, there);
        if (looked != CKR_OK || !there) return looked;
        Mechanism own;
        set_own_padding(own, transport);
        about_message = decrypt(module, session, object, own, input.octets, opened);
        if (!may_be_of_padding(about_message)) return about_message;
        return decrypt(module, session, object, own, known_wrapped, known_opened);
    }));
    if (!there) return no_such_key(label);
    if (answer != CKR_OK || !same(known_opened, known.key))
        return fail(Code::no_key, "the token cannot open what is sealed like this: " + answer_text(answer));
    const std::size_t size = key_size(cipher);
    const bool good = about_message == CKR_OK && opened.size() == size && input.is_ciphertext;
    return ContentKey{cipher, SecretBytes::copy_of(good ? opened : system_generator().random_vec(size))};
}

Result<std::string> Pkcs11Token::hmac_check_value(const std::string& label) const {
    std::array<std::uint8_t, 32> mac{};
    bool there = false;
    TPF_TRY(must(connection_->run([&](const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session) -> CK_RV {
        std::vector<CK_OBJECT_HANDLE> found;
        const CK_RV looked = find_hmac(module, session, label, found);
        there = found.size() == 1;
        return looked != CKR_OK || !there ? looked : sign(module, session, found.front(), kCheckText, mac);
    })));
    if (!there) return no_such_key(label);
    return check_value_of(mac);
}

Status Pkcs11Token::hmac(const std::string& label, const std::string& check_value,
                         std::initializer_list<std::string_view> parts, std::span<std::uint8_t, 32> mac) const {
    // Room for all of it at once: an identity number leaves no copy behind in a smaller one.
    std::array<char, 128> text;
    std::size_t size = 0;
    for (const std::string_view part : parts) {
        if (part.size() > text.size() - size) return fail(Code::internal, "too long for a pseudonym");
        size += part.copy(text.data() + size, part.size());
    }
    bool there = true, proved = true;
    const Status done = must(connection_->run([&](const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session) -> CK_RV {
        there = proved = true;
        auto object = connection_->remembered(label);
        if (!object) {
            std::vector<CK_OBJECT_HANDLE> found;
            CK_RV answer = find_hmac(module, session, label, found);
            there = found.size() == 1;
            if (answer != CKR_OK || !there) return answer;
            answer = sign(module, session, found.front(), kCheckText, mac);
            proved = answer != CKR_OK || check_value_of(mac) == check_value;
            if (answer != CKR_OK || !proved) return answer;
            object = found.front();
            connection_->remember(label, *object);
        }
        return sign(module, session, *object, {text.data(), size}, mac);
    }));
    wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    TPF_TRY(done);
    if (!there) return no_such_key(label);
    if (!proved) return fail(Code::wrong_key, "the token's key " + label + " is not the one of its check value");
    return ok();
}

}  // namespace tpf::crypto
