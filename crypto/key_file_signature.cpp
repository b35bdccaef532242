#include "crypto/key_file_signature.h"

#include <algorithm>

#include "base/types.h"

namespace tpf::crypto {
namespace {

constexpr std::string_view kContext = "tpf-nokkelfil-v1";

/// Calls `take(owner, bytes)` for each line; false: the owner was there.
template <class Take>
Status each_line(std::string_view text, std::size_t size, const Take& take) {
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        // A file that was carried over Windows.
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty()) continue;
        const auto bad = [number](const char* what) {
            return fail(Code::field_form, "line " + std::to_string(number) + ": " + what);
        };
        const std::size_t space = line.find(' ');
        if (space == std::string_view::npos) return bad("not \"<owner> <base64>\"");
        const auto owner = RegisterName::parse(line.substr(0, space));
        if (!owner) return bad("an owner is TPF or a register's name");
        const auto bytes = from_base64(line.substr(space + 1));
        if (!bytes || bytes.value().size() != size) return bad("not base64 of the right length");
        TPF_TRY(const bool is_new, take(owner.value().str(), bytes.value()));
        if (!is_new) return bad("the owner is there twice");
    }
    return ok();
}

}  // namespace

Path signature_path(const Path& key_file) {
    Path path = key_file;
    path += ".sig";
    return path;
}

Result<KeyFileSignatures> parse_signatures(std::string_view text) {
    KeyFileSignatures all;
    TPF_TRY(each_line(text, std::tuple_size_v<Signature>, [&](const std::string& owner, const Bytes& bytes) {
        Signature signature{};
        std::copy(bytes.begin(), bytes.end(), signature.begin());
        return Result<bool>(all.emplace(owner, signature).second);
    }));
    return all;
}

std::string write_signatures(const KeyFileSignatures& signatures) {
    std::string text;
    for (const auto& [owner, signature] : signatures) text += owner + " " + base64(signature) + "\n";
    return text;
}

Result<RootKeys> parse_roots(std::string_view text) {
    RootKeys all;
    TPF_TRY(each_line(text, 32, [&](const std::string& owner, const Bytes& bytes) -> Result<bool> {
        TPF_TRY(const auto key, VerifyKey::create(bytes));
        return all.emplace(owner, key).second;
    }));
    return all;
}

std::string root_line(std::string_view owner, const VerifyKey& key) {
    return std::string(owner) + " " + base64(key.raw()) + "\n";
}

Signature sign_key_file(const SigningKey& root, std::string_view owner, std::string_view content) {
    return root.sign(signed_text({kContext, owner, content}));
}

bool vouches(const VerifyKey& root, std::string_view owner, std::string_view content, const Signature& signature) {
    return root.verify(signed_text({kContext, owner, content}), signature);
}

}  // namespace tpf::crypto
