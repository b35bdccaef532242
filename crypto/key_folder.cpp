#include "crypto/key_folder.h"

#include <botan/pwdhash.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "crypto/content_cipher.h"
#include "crypto/hmac.h"
#include "crypto/signature.h"

namespace tpf::crypto {
namespace {

constexpr std::size_t kMaxRing = std::size_t{4} << 20;
constexpr std::string_view kRingName = "keyring.json";
constexpr std::string_view kSecretHead = "tpf-pseudonym-key-1 ";
constexpr std::string_view kWrappedHead = "tpf-wrapped-key-1 ";
constexpr mode_t kFileMode = 0600;
constexpr mode_t kFolderMode = 0700;
constexpr mode_t kOthers = 0077;

std::string file_name(const KeyFacts& facts) {
    // The check value is part of the name, so that a new key never falls on the file of another one.
    const char* const ending = facts.place == KeyPlace::wrapped   ? ".wrapped"
                               : facts.kind == KeyKind::pseudonym ? ".key"
                                                                  : ".pem";
    return facts.id.str() + "." + facts.check_value + ending;
}

/// The key that one pseudonym key is sealed under; what the ring says of it is bound in, so that files cannot be
/// exchanged for one another.
ContentKey sealing_key(const SecretBytes& master, const KeyFacts& facts) {
    HmacSha256 mac(master);
    mac.update(signed_text(
        {"tpf-keyring-v1", to_string(facts.kind), facts.id.str(), facts.reg->str(), std::to_string(facts.version)}));
    ContentKey key{ContentCipher::aes256_gcm, SecretBytes(32)};
    mac.finish(key.key.writable(SecretToken::access()).first<32>());
    return key;
}

auto not_the_key(const Path& path) {
    return fail(Code::wrong_key,
                path.string() + " does not open: wrong passphrase, or not the key that the ring names");
}

}  // namespace

KeyFolder::KeyFolder(FileSystem& fs, Path folder, SecretBytes passphrase, uid_t owner)
    : fs_(fs), folder_(std::move(folder)), passphrase_(std::move(passphrase)), owner_(owner) {}

Path KeyFolder::path_of(const KeyFacts& facts) const {
    return folder_ / file_name(facts);
}

Status KeyFolder::check_access(const Path& path, const FileInfo& info, const char* mode) const {
    if ((info.mode & kOthers) != 0) {
        return fail(Code::config, path.string() + " is open to others than its owner",
                    std::string("chmod ") + mode + " " + path.string());
    }
    if (info.owner != owner_ && info.owner != 0) {
        return fail(Code::config, path.string() + " belongs to another user",
                    "chown " + std::to_string(owner_) + " " + path.string());
    }
    return ok();
}

Result<std::string> KeyFolder::read_private(const Path& path) {
    TPF_TRY(const auto file, fs_.open_read(path));
    TPF_TRY(const auto info, fs_.info(*file));
    TPF_TRY(check_access(path, info, "600"));
    if (info.size > kMaxRing) return fail(Code::config, path.string() + " is too large to be part of a key ring");
    std::string content(info.size, '\0');
    TPF_TRY(const auto size, file->read({reinterpret_cast<std::uint8_t*>(content.data()), content.size()}));
    content.resize(size);
    return content;
}

Result<RingRecord> KeyFolder::read_record() {
    const auto info = fs_.info(folder_);
    if (!info) {
        if (info.error().code() == Code::not_found) return RingRecord{};
        return fail(info.error());
    }
    if (!info.value().folder) return fail(Code::config, folder_.string() + " is not a folder");
    TPF_TRY(check_access(folder_, info.value(), "700"));
    auto text = read_private(folder_ / kRingName);
    if (!text && text.error().code() == Code::not_found) return RingRecord{};
    TPF_TRY(const auto content, std::move(text));
    return parse_ring(content);
}

Status KeyFolder::make_folder() {
    const auto info = fs_.info(folder_);
    if (info) return ok();
    if (info.error().code() != Code::not_found) return fail(info.error());
    TPF_TRY(fs_.make_folder(folder_, kFolderMode));
    return fs_.sync_folder(folder_.has_parent_path() ? folder_.parent_path() : Path("."));
}

Status KeyFolder::write_record(const RingRecord& record) {
    TPF_TRY(make_folder());
    return write_atomically(fs_, folder_ / kRingName, write_ring(record), kFileMode);
}

Result<std::string> KeyFolder::read_pem(const KeyFacts& facts) {
    auto text = read_private(path_of(facts));
    if (!text && text.error().code() == Code::not_found) {
        return fail(Code::wrong_key, path_of(facts).string() + " is missing");
    }
    return text;
}

Status KeyFolder::write_pem(const KeyFacts& facts, const SecretBytes& pem) {
    TPF_TRY(make_folder());
    return write_atomically(fs_, path_of(facts), as_text(pem.bytes(SecretToken::access())), kFileMode);
}

Status KeyFolder::derive_master(const RingKdf& kdf) {
    if (of_ == kdf) return ok();
    TPF_TRY(need_passphrase());
    try {
        const auto hash = Botan::PasswordHashFamily::create_or_throw("Scrypt")->from_params(kdf.n, kdf.r, kdf.p);
        SecretBytes master(32);
        const auto out = master.writable(SecretToken::access());
        const std::string_view phrase = as_text(passphrase_.bytes(SecretToken::access()));
        hash->derive_key(out.data(), out.size(), phrase.data(), phrase.size(), kdf.salt.data(), kdf.salt.size());
        master_ = std::move(master);
        of_ = kdf;
    } catch (const std::exception&) {
        return fail(Code::no_key, "the passphrase could not be worked into a key");
    }
    return ok();
}

Result<Bytes> KeyFolder::read_octets(const KeyFacts& facts, std::string_view head) {
    TPF_TRY(const auto text, read_pem(facts));
    std::string_view rest = text;
    if (!rest.starts_with(head) || !rest.ends_with('\n')) return not_the_key(path_of(facts));
    rest.remove_prefix(head.size());
    rest.remove_suffix(1);
    auto octets = from_base64(rest);
    if (!octets) return not_the_key(path_of(facts));
    return octets;
}

Status KeyFolder::write_octets(const KeyFacts& facts, std::string_view head, ByteView octets) {
    TPF_TRY(make_folder());
    return write_atomically(fs_, path_of(facts), std::string(head) + base64(octets) + "\n", kFileMode);
}

Result<SecretBytes> KeyFolder::read_secret(const KeyFacts& facts, const RingKdf& kdf) {
    TPF_TRY(derive_master(kdf));
    TPF_TRY(const Bytes octets, read_octets(facts, kSecretHead));
    auto key = open(sealing_key(master_, facts), octets);
    if (!key || key.value().size() != kPseudonymKeyBytes) return not_the_key(path_of(facts));
    return key;
}

Status KeyFolder::write_secret(const KeyFacts& facts, const RingKdf& kdf, const SecretBytes& key) {
    TPF_TRY(derive_master(kdf));
    TPF_TRY(const auto octets, seal(sealing_key(master_, facts), key.bytes(SecretToken::access())));
    return write_octets(facts, kSecretHead, octets);
}

Result<Bytes> KeyFolder::read_wrapped(const KeyFacts& facts) {
    return read_octets(facts, kWrappedHead);
}
Status KeyFolder::write_wrapped(const KeyFacts& facts, ByteView octets) {
    return write_octets(facts, kWrappedHead, octets);
}

Status KeyFolder::need_passphrase() const {
    if (passphrase_.size() != 0) return ok();
    return fail(Code::config, "the key ring has no passphrase, and private keys are never stored in clear",
                "it comes from the credential keyring-passphrase, or from --passphrase-fd");
}

bool KeyFolder::has_file(const KeyFacts& facts) {
    const auto there = fs_.info(path_of(facts));
    return there || there.error().code() != Code::not_found;
}

Status KeyFolder::remove_secret(const KeyFacts& facts) {
    if (!has_file(facts)) return ok();
    TPF_TRY(fs_.remove_file(path_of(facts)));
    return fs_.sync_folder(folder_);
}

std::vector<std::string> KeyFolder::strangers(const RingRecord& record) {
    std::set<std::string> known{std::string(kRingName)};
    for (const KeyFacts& facts : record.keys) known.insert(file_name(facts));
    auto names = fs_.list(folder_);
    if (!names) return {};
    std::erase_if(names.value(), [&](const std::string& name) { return known.contains(name); });
    return std::move(names).value();
}

}  // namespace tpf::crypto
