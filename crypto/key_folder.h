#pragma once
// The folder of a key ring on disk: who may read it, what its files are called, how secrets lie in them
// (docs/keyring-format.md). Internal to crypto/.

#include <string>

#include "base/fs.h"
#include "base/result.h"
#include "crypto/key_ring_json.h"
#include "crypto/secret.h"

namespace tpf::crypto {

/// Not thread-safe: the ring calls it under its own lock.
class KeyFolder {
  public:
    /// `fs` outlives the object. `owner`: whose the files must be, or root's.
    KeyFolder(FileSystem& fs, Path folder, SecretBytes passphrase, uid_t owner);
    /// The same folder, knowing nothing of what was read before.
    [[nodiscard]] KeyFolder anew() const { return {fs_, folder_, passphrase_.clone(), owner_}; }

    /// An empty record when folder or keyring.json are missing. Code::config: others may read or write them.
    [[nodiscard]] Result<RingRecord> read_record();
    /// All of the old record or all of the new one stays, whatever happens.
    [[nodiscard]] Status write_record(const RingRecord& record);

    /// The PKCS#8 PEM of a message or signing key, still sealed. Code::wrong_key when the file is missing.
    [[nodiscard]] Result<std::string> read_pem(const KeyFacts& facts);
    [[nodiscard]] Status write_pem(const KeyFacts& facts, const SecretBytes& pem);

    /// A pseudonym key. Code::wrong_key: wrong passphrase, a damaged file, or a file of another key.
    [[nodiscard]] Result<SecretBytes> read_secret(const KeyFacts& facts, const RingKdf& kdf);
    [[nodiscard]] Status write_secret(const KeyFacts& facts, const RingKdf& kdf, const SecretBytes& key);

    /// A pseudonym key that a token wraps. Code::wrong_key: the file is missing or of another form.
    [[nodiscard]] Result<Bytes> read_wrapped(const KeyFacts& facts);
    [[nodiscard]] Status write_wrapped(const KeyFacts& facts, ByteView octets);

    /// Code::config, with what to do, when the ring was opened without a passphrase.
    [[nodiscard]] Status need_passphrase() const;
    [[nodiscard]] const SecretBytes& passphrase() const noexcept { return passphrase_; }
    [[nodiscard]] bool has_file(const KeyFacts& facts);
    /// The file of a key, if it is there: what a destroyed key leaves.
    [[nodiscard]] Status remove_secret(const KeyFacts& facts);
    /// Names of files that no key of the ring names: leftovers of an interrupted change.
    [[nodiscard]] std::vector<std::string> strangers(const RingRecord& record);

  private:
    [[nodiscard]] Result<std::string> read_private(const Path& path);
    [[nodiscard]] Result<Bytes> read_octets(const KeyFacts& facts, std::string_view head);
    [[nodiscard]] Status write_octets(const KeyFacts& facts, std::string_view head, ByteView octets);
    [[nodiscard]] Status check_access(const Path& path, const FileInfo& info, const char* mode) const;
    [[nodiscard]] Status make_folder();
    [[nodiscard]] Status derive_master(const RingKdf& kdf);
    [[nodiscard]] Path path_of(const KeyFacts& facts) const;

    FileSystem& fs_;
    Path folder_;
    SecretBytes passphrase_;
    uid_t owner_;
    SecretBytes master_;         // scrypt of the passphrase, derived when first needed
    std::optional<RingKdf> of_;  // what master_ was derived with
};

}  // namespace tpf::crypto
