#pragma once
// A key ring's backup: one file that is useless alone, sealed under a key that exists nowhere but in shares, of which a
// threshold makes it whole again (Shamir's scheme over GF(256), as McGrew's draft-mcgrew-tss-03 has it; Botan's RTSS).

#include <string>
#include <vector>

#include "crypto/key_share.h"

namespace tpf::crypto {

struct KeyBackup {
    BackupFacts facts;
    std::string file;
    std::vector<KeyShare> shares;
};

/// Seals `bundle` (KeyRing::bundle) under a fresh random key and divides that. `installation`: 1 to 200 bytes without
/// control characters. Code::usage: numbers that do not fit (check_numbers), or such a name.
[[nodiscard]] Result<KeyBackup> make_backup(const SecretBytes& bundle, const std::string& installation,
                                            std::chrono::sys_days date, unsigned threshold, unsigned shares);

/// A backup file that was read; still sealed.
class BackupFile {
  public:
    /// Code::field_form: not such a file.
    [[nodiscard]] static Result<BackupFile> parse(std::string_view content);
    [[nodiscard]] const BackupFacts& facts() const noexcept { return facts_; }
    /// The bundle. Code::usage: a share of another backup, one there twice, or too few; more than needed are used too.
    /// Code::wrong_key: together they do not make this backup's key (one was altered). Code::decryption: the file is
    /// damaged.
    [[nodiscard]] Result<SecretBytes> open(const std::vector<KeyShare>& shares) const;

  private:
    BackupFile() = default;
    BackupFacts facts_;
    std::string head_;
    Bytes sealed_;
};

}  // namespace tpf::crypto
