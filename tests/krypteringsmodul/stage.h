#pragma once
// What the tests of whole runs share: keys made once, a clock that stands still, a folder, and the opening of what was
// sealed (with none of the krypteringsmodul's own code).

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/content_cipher.h"
#include "crypto/key_file.h"
#include "crypto/rsa.h"
#include "krypteringsmodul/encrypt.h"
#include "tests/krypteringsmodul/export_text.h"
#include "tests/support/files.h"
#include "tests/support/submission_builder.h"
#include "tests/support/temp_folder.h"

namespace tpf::test {

inline const crypto::RsaPrivateKey& tpf_key() {
    static const auto key = crypto::RsaPrivateKey::generate(3072);
    return key;
}
inline const crypto::RsaPrivateKey& register_key() {
    static const auto key = crypto::RsaPrivateKey::generate(3072);
    return key;
}

inline crypto::PublishedKey published(std::string_view id, std::string_view owner, const crypto::RsaPrivateKey& key,
                                      std::string_view from = "2025-12-01", std::string_view to = "2027-03-31",
                                      crypto::KeyPolicy policy = crypto::KeyPolicy::modern()) {
    return {must(KeyId::parse(id)), std::string(owner), must(parse_date(from)), must(parse_date(to)), policy,
            key.public_key()};
}

inline crypto::KeyFile key_file() {
    return {"2026", 3U, {published("TPF-2026", "TPF", tpf_key()), published("IPLOS-2026", "IPLOS", register_key())}};
}

class StillClock final : public Clock {
  public:
    [[nodiscard]] UtcTime utc() const override { return must(parse_utc("2027-01-04T09:30:00Z")); }
    [[nodiscard]] std::chrono::steady_clock::time_point steady() const override { return {}; }
};

inline std::string between(std::string_view text, std::string_view from, std::string_view to, std::size_t& at) {
    const std::size_t begin = text.find(from, at);
    if (begin == std::string_view::npos) throw std::logic_error("not found: " + std::string(from));
    const std::size_t end = text.find(to, begin + from.size());
    if (end == std::string_view::npos) throw std::logic_error("not found: " + std::string(to));
    at = end + to.size();
    return std::string(text.substr(begin + from.size(), end - begin - from.size()));
}

/// Opens the first EncryptedData at or after `at` and moves `at` behind it.
inline std::string open_sealed(std::string_view text, const crypto::RsaPrivateKey& key, std::size_t& at,
                               crypto::KeyTransport transport = crypto::KeyTransport::oaep_sha256_mgf1_sha256) {
    const Bytes wrapped = must(from_base64(between(text, "<xenc:CipherValue>", "</xenc:CipherValue>", at)));
    const Bytes octets = must(from_base64(between(text, "<xenc:CipherValue>", "</xenc:CipherValue>", at)));
    const auto content = must(key.unwrap(transport, crypto::ContentCipher::aes256_gcm, wrapped));
    return std::string(as_text(must(crypto::open(content, octets)).bytes(crypto::SecretToken::access())));
}

struct OpenedPerson {
    std::string number;   ///< as written, escapes and all
    std::string content;  ///< Ref and what follows
};
struct Opened {
    std::string outside;  ///< the document with the two CipherValues emptied
    std::string head;     ///< the TPF layer before the first person
    std::vector<OpenedPerson> persons;
};

inline Opened open_submission(std::string_view document,
                              crypto::KeyTransport transport = crypto::KeyTransport::oaep_sha256_mgf1_sha256) {
    Opened opened;
    std::size_t at = 0;
    const std::string layer = open_sealed(document, tpf_key(), at, transport);
    std::size_t from = 0;
    for (int i = 0; i < 2; ++i) {
        std::size_t value = document.find("<xenc:CipherValue>", from) + 18;
        opened.outside += document.substr(from, value - from);
        from = document.find("</xenc:CipherValue>", value);
    }
    opened.outside += document.substr(from);
    opened.head = layer.substr(0, layer.find("<i:Person>"));
    at = 0;
    while (layer.find("<i:Person>", at) != std::string::npos) {
        OpenedPerson person;
        person.number = between(layer, "<i:Person><i:Fodselsnummer>", "</i:Fodselsnummer><xenc:EncryptedData", at);
        person.content = open_sealed(layer, register_key(), at, transport);
        opened.persons.push_back(std::move(person));
    }
    return opened;
}

/// A folder with an export file in it, and one run after the other.
class Stage {
  public:
    explicit Stage(std::string_view export_text) { spill(export_file(), export_text); }
    [[nodiscard]] Path export_file() const { return folder / "eksport.xml"; }
    [[nodiscard]] Path output() const { return folder / "kryptert.xml"; }
    [[nodiscard]] krypteringsmodul::EncryptJob job() const {
        krypteringsmodul::EncryptJob job{export_file(),
                                         output(),
                                         {"kari@kommune.example", "Kari & <Nordmann>", "+4799999999"},
                                         must(MeldingsId::parse("7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11"))};
        job.workers = 2;
        return job;
    }
    [[nodiscard]] Result<std::uint64_t> run(FileSystem& fs, const krypteringsmodul::EncryptJob& job,
                                            const crypto::KeyFile& keys = key_file()) {
        krypteringsmodul::NoProgress progress;
        return krypteringsmodul::encrypt_export(job, keys, {fs, clock, interrupted, progress});
    }
    /// What the sender is told; empty when all went well.
    [[nodiscard]] std::string told(FileSystem& fs = posix_file_system()) {
        const auto done = run(fs, job());
        return done ? std::string() : done.error().detail();
    }
    /// Names in the folder beside the export.
    [[nodiscard]] std::vector<std::string> left() const {
        auto names = must(posix_file_system().list(folder.path()));
        std::erase(names, "eksport.xml");
        return names;
    }

    TempFolder folder;
    StillClock clock;
    std::atomic<bool> interrupted = false;
};

}  // namespace tpf::test
