#pragma once
// Who vouches for a key file (formats.md § 5): FILE.sig beside FILE, one line for each owner of keys in it, made with
// that owner's root key, which is kept offline. A sender pins the public halves.

#include <map>
#include <string>
#include <string_view>

#include "base/fs.h"
#include "crypto/signature.h"

namespace tpf::crypto {

/// FILE.sig.
[[nodiscard]] Path signature_path(const Path& key_file);

/// By owner: "TPF" or a register's name.
using KeyFileSignatures = std::map<std::string, Signature>;
/// Lines "<owner> <base64 of 64 bytes>". Code::field_form: "line N: …", also for an owner that is there twice.
[[nodiscard]] Result<KeyFileSignatures> parse_signatures(std::string_view text);
[[nodiscard]] std::string write_signatures(const KeyFileSignatures& signatures);

/// A sender's pinned keys, by owner.
using RootKeys = std::map<std::string, VerifyKey>;
/// Lines "<owner> <base64 of 32 bytes>"; the same errors.
[[nodiscard]] Result<RootKeys> parse_roots(std::string_view text);
[[nodiscard]] std::string root_line(std::string_view owner, const VerifyKey& key);

/// Over "tpf-nokkelfil-v1" 00 owner 00 the file's bytes.
[[nodiscard]] Signature sign_key_file(const SigningKey& root, std::string_view owner, std::string_view content);
[[nodiscard]] bool vouches(const VerifyKey& root, std::string_view owner, std::string_view content,
                           const Signature& signature);

}  // namespace tpf::crypto
