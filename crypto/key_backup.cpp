#include "crypto/key_backup.h"

#include <botan/tss.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "crypto/check_value.h"
#include "crypto/content_cipher.h"
#include "crypto/hmac.h"
#include "crypto/random.h"
#include "crypto/signature.h"

namespace tpf::crypto {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFormat = "tpf-keyring-backup-1";
constexpr std::size_t kKeySize = 32;
constexpr std::size_t kMaxName = 200;
constexpr const char* kHash = "None";  // the backup's own check value and tag prove the key; shares stay short

// An RTSS share: identifier (16 bytes), hash (1), threshold (1), length (2), x (1), y (32). Only y needs paper: the
// rest is in what the sheet says.
constexpr std::size_t kIdentifier = 16;
constexpr std::size_t kRtssHead = kIdentifier + 4;

/// The facts are bound in: a changed head opens nothing.
ContentKey sealing_key(const SecretBytes& key, std::string_view head) {
    HmacSha256 mac(key);
    mac.update(signed_text({kFormat, head}));
    ContentKey sealing{ContentCipher::aes256_gcm, SecretBytes(kKeySize)};
    mac.finish(sealing.key.writable(SecretToken::access()).first<kKeySize>());
    return sealing;
}

Bytes identifier_of(const BackupFacts& facts) {
    Bytes identifier = from_hex(facts.id).value();
    identifier.resize(kIdentifier);
    return identifier;
}

std::string head_of(const BackupFacts& facts) {
    return Json{{"installation", facts.installation},
                {"date", format_date(facts.date)},
                {"backup", facts.id},
                {"threshold", facts.threshold},
                {"shares", facts.shares}}
        .dump();
}

auto no_backup() {
    return fail(Code::field_form, "this is not a key ring's backup file, or it is damaged");
}

/// Throws for what has another type.
Result<BackupFacts> parse_facts(const Json& json) {
    TPF_TRY(const auto date, parse_date(json.at("date").get<std::string>()));
    BackupFacts facts{json.at("installation").get<std::string>(), date, json.at("backup").get<std::string>(),
                      json.at("threshold").get<unsigned>(), json.at("shares").get<unsigned>()};
    TPF_TRY(check_numbers(facts.threshold, facts.shares));
    if (facts.id.size() != 16 || !from_hex(facts.id)) return no_backup();
    return facts;
}

std::vector<KeyShare> divide(const SecretBytes& key, const BackupFacts& facts) {
    const ByteView bytes = key.bytes(SecretToken::access());
    const auto parts = Botan::RTSS_Share::split(
        static_cast<std::uint8_t>(facts.threshold), static_cast<std::uint8_t>(facts.shares), bytes.data(),
        static_cast<std::uint16_t>(bytes.size()), identifier_of(facts), kHash, system_generator());
    std::vector<KeyShare> shares;
    shares.reserve(parts.size());
    for (const auto& part : parts) {
        shares.push_back({facts, part.share_id(),
                          SecretBytes::copy_of(ByteView(part.data().data(), part.size()).subspan(kRtssHead + 1))});
    }
    return shares;
}

SecretBytes unite(const std::vector<KeyShare>& shares, const BackupFacts& facts) {
    std::vector<Botan::RTSS_Share> parts;
    for (const KeyShare& share : shares) {
        SecretBytes whole(kRtssHead + 1 + kShareSize);
        const auto out = whole.writable(SecretToken::access());
        const Bytes identifier = identifier_of(facts);
        std::copy(identifier.begin(), identifier.end(), out.begin());
        out[kIdentifier + 1] = static_cast<std::uint8_t>(facts.threshold);
        out[kIdentifier + 3] = static_cast<std::uint8_t>(1 + kShareSize);
        out[kRtssHead] = static_cast<std::uint8_t>(share.number);
        const ByteView value = share.value.bytes(SecretToken::access());
        std::copy(value.begin(), value.end(), out.begin() + kRtssHead + 1);
        parts.emplace_back(out.data(), out.size());
    }
    const auto key = Botan::RTSS_Share::reconstruct(parts);
    return SecretBytes::copy_of({key.data(), key.size()});
}

Status check_shares(const std::vector<KeyShare>& shares, const BackupFacts& facts) {
    std::set<unsigned> seen;
    for (const KeyShare& share : shares) {
        const std::string name = "share " + std::to_string(share.number);
        if (share.facts.id != facts.id) {
            return fail(Code::usage, name + " belongs to another backup: " + share.facts.id + ", not " + facts.id,
                        "shares and file come from the same backup");
        }
        if (share.facts != facts)
            return fail(Code::usage, name + " says something else of the backup than its file",
                        "one of the two was altered");
        if (!seen.insert(share.number).second)
            return fail(Code::usage, name + " is there twice", "each share counts once; give another one");
    }
    if (seen.size() >= facts.threshold) return ok();
    return fail(Code::usage,
                std::to_string(seen.size()) + " shares of the " + std::to_string(facts.threshold) + " that are needed");
}

}  // namespace

Result<KeyBackup> make_backup(const SecretBytes& bundle, const std::string& installation, std::chrono::sys_days date,
                              unsigned threshold, unsigned shares) {
    TPF_TRY(check_numbers(threshold, shares));
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (installation.empty() || installation.size() > kMaxName || installation.front() == ' ' ||
        installation.back() == ' ' || std::any_of(installation.begin(), installation.end(), control)) {
        return fail(Code::usage, "the installation's name cannot stand on a share");
    }
    try {
        const auto key = SecretBytes::random(kKeySize);
        KeyBackup backup{{installation, date, check_value(key), threshold, shares}, {}, {}};
        const std::string head = head_of(backup.facts);
        TPF_TRY(const auto sealed, seal(sealing_key(key, head), bundle.bytes(SecretToken::access())));
        backup.file = std::string(kFormat) + " " + head + "\n" + base64(sealed) + "\n";
        backup.shares = divide(key, backup.facts);
        return backup;
    } catch (const std::exception&) {
        return fail(Code::internal, "the backup could not be made");
    }
}

Result<BackupFile> BackupFile::parse(std::string_view content) {
    const auto end = content.find('\n');
    if (!content.starts_with(kFormat) || end == std::string_view::npos || end < kFormat.size() + 1 ||
        !content.ends_with('\n')) {
        return no_backup();
    }
    BackupFile file;
    file.head_ = content.substr(kFormat.size() + 1, end - kFormat.size() - 1);
    content.remove_prefix(end + 1);
    if (content.empty()) return no_backup();
    content.remove_suffix(1);
    auto sealed = from_base64(content);
    if (!sealed) return no_backup();
    file.sealed_ = std::move(sealed).value();
    try {
        auto facts = parse_facts(Json::parse(file.head_));
        if (!facts || head_of(facts.value()) != file.head_) return no_backup();
        file.facts_ = std::move(facts).value();
    } catch (const std::exception&) {
        return no_backup();
    }
    return file;
}

Result<SecretBytes> BackupFile::open(const std::vector<KeyShare>& shares) const {
    TPF_TRY(check_shares(shares, facts_));
    try {
        const auto key = unite(shares, facts_);
        if (check_value(key) != facts_.id)
            return fail(Code::wrong_key, "together the shares do not make this backup's key: one of them was altered",
                        "try others of the shares");
        auto bundle = crypto::open(sealing_key(key, head_), sealed_);
        if (!bundle)
            return fail(Code::decryption, "the backup file is damaged; the shares are good", "use another copy of it");
        return bundle;
    } catch (const std::exception&) {
        return fail(Code::internal, "the shares could not be put together");
    }
}

}  // namespace tpf::crypto
