#include "krypteringsmodul/pinned_roots.h"

#include <algorithm>
#include <charconv>

#include "crypto/key_file_signature.h"
#include "krypteringsmodul/sender_error.h"

namespace tpf::krypteringsmodul {
namespace {

constexpr std::size_t kMaxSmallFile = 65536;
constexpr mode_t kMode = 0644;
constexpr const char* kFetch = " Hent nøkkelfilen og signaturfilen på nytt der TPF publiserer dem.";

Path edition_path(const Path& roots) {
    Path path = roots;
    path += ".utgave";
    return path;
}

Result<crypto::RootKeys> read_roots(FileSystem& fs, const Path& roots) {
    const auto text = read_small(fs, roots, kMaxSmallFile);
    if (!text) return fail(feil(text.error().code(), "Filen med rotnøkler (--rot) kunne ikke leses."));
    auto keys = crypto::parse_roots(text.value());
    if (!keys || keys.value().empty()) {
        return fail(feil(Code::field_form,
                         "Filen med rotnøkler (--rot) er ikke gyldig. Den har linjer med en eier og "
                         "en nøkkel, slik TPF har utlevert dem."));
    }
    return keys;
}

Result<crypto::KeyFileSignatures> read_signatures(FileSystem& fs, const Path& path) {
    const auto text = read_small(fs, crypto::signature_path(path), kMaxSmallFile);
    if (!text && text.error().code() == Code::not_found)
        return fail(
            feil(Code::not_found, std::string("Nøkkelfilen er ikke signert: signaturfilen (.sig) mangler.") + kFetch));
    auto signatures =
        text ? crypto::parse_signatures(text.value()) : Result<crypto::KeyFileSignatures>(fail(text.error()));
    if (!signatures)
        return fail(feil(Code::field_form, std::string("Nøkkelfilens signaturfil (.sig) er ikke gyldig.") + kFetch));
    return signatures;
}

Result<unsigned> last_edition(FileSystem& fs, const Path& roots) {
    const auto text = read_small(fs, edition_path(roots), kMaxSmallFile);
    if (!text && text.error().code() == Code::not_found) return 0U;
    unsigned edition = 0;
    const bool good = text && [&] {
        const std::string_view line = text.value();
        const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), edition);
        return error == std::errc() && line.substr(static_cast<std::size_t>(end - line.data())) == "\n";
    }();
    if (good) return edition;
    return fail(feil(Code::field_form, "Filen " + edition_path(roots).string() +
                                           " er ikke gyldig. Den har nummeret på siste "
                                           "utgave av nøkkelfilen; kontroller utgaven med TPF før du sletter den."));
}

Status check_edition(FileSystem& fs, const Path& roots, unsigned edition) {
    TPF_TRY(const unsigned last, last_edition(fs, roots));
    if (edition < last) {
        return fail(feil(Code::key_expired, "Nøkkelfilen er eldre (utgave " + std::to_string(edition) +
                                                ") enn den som sist ble brukt (utgave " + std::to_string(last) + ")." +
                                                kFetch));
    }
    if (edition == last) return ok();
    if (const auto kept = write_atomically(fs, edition_path(roots), std::to_string(edition) + "\n", kMode); !kept)
        return fail(
            file_error(kept.error(), "Nøkkelfilens utgave kunne ikke lagres i " + edition_path(roots).string()));
    return ok();
}

}  // namespace

Status check_roots(FileSystem& fs, const Path& roots, const Path& path, std::string_view content,
                   const crypto::KeyFile& key_file) {
    TPF_TRY(const auto pinned, read_roots(fs, roots));
    TPF_TRY(const auto signatures, read_signatures(fs, path));
    bool vouched = false;
    for (const auto& [owner, root] : pinned) {
        const std::string& name = owner;
        if (std::none_of(key_file.keys.begin(), key_file.keys.end(),
                         [&](const auto& key) { return key.owner == name; }))
            continue;
        const auto found = signatures.find(owner);
        if (found == signatures.end())
            return fail(feil(Code::no_key, "Nøkkelfilen er ikke signert av " + owner + "." + kFetch));
        if (!crypto::vouches(root, owner, content, found->second)) {
            return fail(feil(Code::wrong_key,
                             "Signaturen fra " + owner +
                                 " på nøkkelfilen er ikke gyldig: noen kan ha byttet filen. Bruk den ikke." + kFetch));
        }
        vouched = true;
    }
    // Else anybody's file would do, and its edition keep out every later one.
    if (!vouched)
        return fail(
            feil(Code::no_key, std::string("Nøkkelfilen har ingen nøkkel fra noen i filen med rotnøkler (--rot): "
                                           "ingen har signert den.") +
                                   kFetch));
    return check_edition(fs, roots, key_file.edition.value_or(0));
}

}  // namespace tpf::krypteringsmodul
