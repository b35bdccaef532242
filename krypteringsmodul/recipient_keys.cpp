#include "krypteringsmodul/recipient_keys.h"

#include "krypteringsmodul/pinned_roots.h"
#include "krypteringsmodul/sender_error.h"

namespace tpf::krypteringsmodul {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;

}  // namespace

Result<LoadedKeyFile> load_key_file(FileSystem& fs, const Path& path, const Path& roots) {
    const auto content = read_small(fs, path, kMaxFileBytes);
    if (!content) {
        if (content.error().code() == Code::not_found) return fail(told(Code::not_found, kNoKeyFile));
        return fail(feil(content.error().code(), "Nøkkelfilen kunne ikke leses."));
    }
    auto keys = crypto::KeyFile::parse(content.value());
    if (!keys) {
        return fail(
            feil(keys.error().code(), "Nøkkelfilen er ikke gyldig (teknisk, på engelsk: " + keys.error().detail() +
                                          "). Hent den på nytt der TPF publiserer den."));
    }
    if (!roots.empty()) {
        TPF_TRY(check_roots(fs, roots, path, content.value(), keys.value()));
    }
    return LoadedKeyFile{std::move(keys).value(), sha256(content.value())};
}

Result<RecipientKey> recipient_key(const crypto::KeyFile& keys, std::string_view owner, std::chrono::sys_days day) {
    crypto::KeyFile modern;
    for (const auto& key : keys.keys) {
        if (!key.policy.is_legacy() && key.key.bits() >= crypto::kMinModernRsaBits) modern.keys.push_back(key);
    }
    const auto* const found = modern.current(owner, day);
    if (found == nullptr) {
        return fail(
            feil(Code::no_key, "Nøkkelfilen har ingen nøkkel for " + std::string(owner) + " som er gyldig i dag (" +
                                   format_date(day) +
                                   "). Hent ny nøkkelfil der TPF publiserer den; den fornyes hver 1. desember."));
    }
    return RecipientKey{found->id, found->key};
}

}  // namespace tpf::krypteringsmodul
