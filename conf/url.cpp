#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "conf/value.h"

namespace tpf::conf {
namespace {

bool is_alnum(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/// RFC 1123 labels; an IPv4 address has this form too.
bool is_host_name(std::string_view host) {
    if (host.empty() || host.size() > 253) return false;
    while (true) {
        const std::string_view label = host.substr(0, host.find('.'));
        if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
        if (!std::all_of(label.begin(), label.end(), [](char c) { return is_alnum(c) || c == '-'; })) return false;
        if (label.size() == host.size()) return true;
        host.remove_prefix(label.size() + 1);
    }
}

bool is_ipv6(const std::string& host) {
    in6_addr address{};
    return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

/// RFC 3986 unreserved characters in segments that are not empty, "." or "..": nothing that a server could read twice.
bool is_prefix(std::string_view path) {
    if (path.empty()) return true;
    if (path.size() > 512 || path.find("//") != path.npos || path.ends_with('/')) return false;
    if (Path(path).lexically_normal().native() != path) return false;
    return std::all_of(path.begin(), path.end(), [](char c) {
        return is_alnum(c) || (c >= 'A' && c <= 'Z') || c == '/' || c == '-' || c == '.' || c == '_' || c == '~';
    });
}

/// The fault, or nothing.
std::string read_host(std::string_view& rest, Url& url) {
    const bool bracketed = rest.starts_with('[');
    const std::size_t end = bracketed ? rest.find(']') : std::min(rest.find_first_of(":/"), rest.size());
    if (end == rest.npos) return "has a [ without ]";
    url.host = rest.substr(bracketed ? 1 : 0, bracketed ? end - 1 : end);
    std::transform(url.host.begin(), url.host.end(), url.host.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    rest.remove_prefix(bracketed ? end + 1 : end);
    return (bracketed ? is_ipv6(url.host) : is_host_name(url.host)) ? "" : "has no valid host";
}

std::string read_port(std::string_view& rest, Url& url) {
    if (!rest.starts_with(':')) return "";
    rest.remove_prefix(1);
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), url.port);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    return error == std::errc{} && url.port != 0 ? "" : "has no valid port";
}

std::string read_url(std::string_view text, Url& url) {
    constexpr std::string_view kScheme = "https://";
    if (text.starts_with("http://")) return "is http: data would travel in clear";
    if (!text.starts_with(kScheme)) return "does not begin with https://";
    text.remove_prefix(kScheme.size());
    if (text.find_first_of("?#@") != text.npos) return "has a user, a query or a fragment";
    if (auto fault = read_host(text, url); !fault.empty()) return fault;
    if (auto fault = read_port(text, url); !fault.empty()) return fault;
    if (text.ends_with('/')) text.remove_suffix(1);
    url.prefix = text;
    return is_prefix(text) && (text.empty() || text.front() == '/') ? "" : "has a path that is not understood";
}

}  // namespace

std::string Url::str() const {
    std::string out = "https://" + (host.find(':') == host.npos ? host : "[" + host + "]");
    if (port != 443) out += ":" + std::to_string(port);
    return out + prefix;
}

std::optional<Url> HttpsUrl::read(const Node& node, Complaints& complaints) {
    if (node.type != Node::Type::text) {
        complaints.push_back({node.at, "must be a text, but is " + std::string(node.type_name())});
        return std::nullopt;
    }
    Url url;
    const std::string fault = read_url(node.text, url);
    if (fault.empty()) return url;
    complaints.push_back({node.at, in_quotes(node.text) + " " + fault});
    return std::nullopt;
}

}  // namespace tpf::conf
