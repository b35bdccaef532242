#include "base/pkcs11_uri.h"

#include <array>
#include <utility>

namespace tpf {
namespace {

auto bad(std::string what) {
    return fail(Code::config, "a pkcs11: URI: " + std::move(what),
                "pkcs11:token=NAME?module-path=/PATH/MODULE.so (RFC 7512)");
}

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

Result<std::string> decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (static_cast<unsigned char>(text[i]) <= ' ' || text[i] == '\x7f') return bad("white space in it");
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low < 0 || high * 16 + low == 0) return bad("'%' without two hex digits");
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

using Attribute = std::pair<std::string_view, std::string*>;

Status take(std::string_view part, std::span<const Attribute> known) {
    const std::size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    if (name.starts_with("pin-")) {
        return fail(Code::config, "a pkcs11: URI: a PIN is never part of the configuration",
                    "it comes from the credential pkcs11-pin");
    }
    for (const auto& [known_name, to] : known) {
        if (name != known_name || equals == std::string_view::npos) continue;
        if (!to->empty()) return bad("an attribute is there twice");
        TPF_TRY(*to, decoded(part.substr(equals + 1)));
        if (to->empty()) return bad("an attribute is empty");
        return ok();
    }
    return bad("an attribute that means nothing here");
}

Status take_all(std::string_view text, char separator, std::span<const Attribute> known) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(separator), text.size());
        TPF_TRY(take(text.substr(0, end), known));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return ok();
}

}  // namespace

Result<Pkcs11Uri> Pkcs11Uri::parse(std::string_view text) {
    constexpr std::string_view kScheme = "pkcs11:";
    if (!text.starts_with(kScheme)) return bad("it does not begin with \"pkcs11:\"");
    text.remove_prefix(kScheme.size());
    const std::size_t mark = text.find('?');
    Pkcs11Uri uri;
    const std::array<Attribute, 4> path{
        {{"token", &uri.token}, {"manufacturer", &uri.manufacturer}, {"model", &uri.model}, {"serial", &uri.serial}}};
    const std::array<Attribute, 1> query{{{"module-path", &uri.module_path}}};
    TPF_TRY(take_all(text.substr(0, mark), ';', path));
    if (mark != std::string_view::npos) {
        TPF_TRY(take_all(text.substr(mark + 1), '&', query));
    }
    if (!uri.module_path.starts_with('/')) return bad("module-path, absolute, is missing");
    if (uri.token.empty() && uri.serial.empty()) return bad("neither token nor serial names a token");
    return uri;
}

}  // namespace tpf
