#pragma once
// The command line of tpf-krypt.

#include <optional>
#include <string>

#include "base/result.h"
#include "base/types.h"
#include "crypto/algorithms.h"
#include "krypteringsmodul/submission_writer.h"

namespace tpf::krypteringsmodul {

struct Options {
    std::string export_file;
    std::string output;
    std::string key_file;
    Contact contact;  ///< checked
    MeldingsId meldings_id;
    crypto::KeyTransport transport = crypto::KeyTransport::oaep_sha256_mgf1_sha256;
    std::size_t max_person_bytes = 0;
    std::string roots{};  ///< file with pinned root keys; empty: none
};

/// Nothing when only help or the version was asked for; `shown` is that text. Errors are the sender's texts.
[[nodiscard]] Result<std::optional<Options>> parse_options(int argc, const char* const* argv, std::string& shown);

}  // namespace tpf::krypteringsmodul
